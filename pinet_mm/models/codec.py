"""PINetCodec: from annotated people to the arrays that the network learns, and back.

`_in` are network-input pixels, `_hm` map pixels (= input / stride, pixel centers at integers);
sizes are (w, h), arrays (H, W). Shape shorthand: N people, K keypoints, M parts, H×W map.
"""

from collections.abc import Mapping

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import KEYPOINT_CODECS

from ..conventions.table import CONVENTIONS
from ..errors import InputError, check_number
from ..method.fusion import fuse_poses
from ..method.layouts import PartLayout
from ..method.proposals import find_peaks, read_offsets
from ..method.targets import (
    OffsetTargets,
    draw_gaussians,
    inside_map,
    part_centers,
    weigh_heatmaps,
    write_offsets,
)
from .test_cfg import TestSettings

# Names of the fields of `OffsetTargets` among the arrays that `encode` returns.
OFFSET_KEYS = tuple(f'target_{name}' for name in OffsetTargets._fields)


def build_layout(layout: PartLayout | Mapping) -> PartLayout:
    """Build a `PartLayout` from a config.

    Args:
        layout: a `PartLayout`, or a dict with `metainfo` (MMPose dataset metainfo, or the path of
            its file) and the other arguments of `PartLayout.from_metainfo`.

    Raises:
        ValueError: a key is missing or unknown, or the layout itself is wrong.
    """
    if isinstance(layout, PartLayout):
        return layout
    if not isinstance(layout, Mapping):
        raise InputError(f'layout must be a group of settings with metainfo; found {layout!r}')
    known = {'metainfo', 'parts', 'skeleton', 'sigmas'}
    missing, unknown = {'metainfo'} - set(layout), set(layout) - known
    if missing or unknown:
        raise InputError(
            f'layout takes the keys {sorted(known)}, the first one required; found {sorted(layout)}'
        )
    options = dict(layout)
    metainfo = options.pop('metainfo')
    if isinstance(metainfo, str):
        metainfo = dict(from_file=metainfo)
    if 'keypoint_id2name' not in metainfo:
        metainfo = parse_pose_metainfo(dict(metainfo))
    return PartLayout.from_metainfo(metainfo, **options)


@KEYPOINT_CODECS.register_module()
class PINetCodec(BaseKeypointCodec):
    """Encode people as heatmaps, offset maps and area maps; decode such maps to people.

    Args:
        input_size: (w, h) of the network input in training.
        heatmap_size: (w, h) of the maps; the input size divided by an integer, the stride.
        layout: see `build_layout`.
        sigma: σ of Eq. 1 in map pixels.
        radius: r of Eq. 2, a squared distance in map pixels; under `'release'` half the side of
            a square.
        background_weight: heatmap loss weight away from all people.
        min_area: people with a smaller area (input pixels²) get no part centers.
        convention: `'paper'`, or `'release'` to compute what the official implementation does.
            The head and its modules read what that means from `rules`.
        sparse_offsets: store offset targets only at pixels in Ω, which takes a hundredth of the
            memory of full maps; `PINetHead` learns the same from either.

    Raises:
        ValueError: a size, number or name that a config can get wrong.
    """

    auxiliary_encode_keys = {'area', 'labeled_keypoints', 'keypoints_visible_weights'}
    field_mapping_table = dict(
        heatmaps='heatmaps',
        heatmap_weights='heatmap_weights',
        heatmap_mask='heatmap_mask',
        offsets='offsets',
        offset_weights='offset_weights',
        areas='areas',
    )
    label_mapping_table = {name: name for name in OFFSET_KEYS}

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        layout: PartLayout | Mapping,
        sigma: float = 2.0,
        radius: float = 2.0,
        background_weight: float = 0.1,
        min_area: float = 0.0,
        convention: str = 'paper',
        sparse_offsets: bool = False,
    ):
        super().__init__()
        if convention not in CONVENTIONS:
            raise InputError(
                f'convention must be one of {tuple(CONVENTIONS)}; found {convention!r}'
            )
        check_number('sigma', sigma, 0, above=True)
        check_number('radius', radius, 0)
        check_number('background_weight', background_weight, 0)
        check_number('min_area', min_area)
        for name, size in (('input_size', input_size), ('heatmap_size', heatmap_size)):
            if not isinstance(size, (list, tuple)) or len(size) != 2:
                raise InputError(f'{name} must be (w, h); found {size!r}')
            for side in size:
                check_number(f'a side of {name}', side, 1, whole=True)
        self.input_size, self.heatmap_size = tuple(input_size), tuple(heatmap_size)
        self.stride = self.input_size[0] // self.heatmap_size[0]
        if tuple(side * self.stride for side in self.heatmap_size) != self.input_size:
            raise InputError(
                'input_size must be a whole multiple of heatmap_size, the same in '
                f'both axes; found {self.input_size} and {self.heatmap_size}'
            )
        self.layout = build_layout(layout)
        self.sigma, self.radius = sigma, radius
        self.background_weight, self.min_area = background_weight, min_area
        self.convention, self.rules = convention, CONVENTIONS[convention]
        self.sparse_offsets = sparse_offsets

    def encode(
        self,
        keypoints: np.ndarray,
        keypoints_visible: np.ndarray | None = None,
        area: np.ndarray | None = None,
        labeled_keypoints: np.ndarray | None = None,
        keypoints_visible_weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Encode the people of one image.

        Args:
            keypoints: (N, K, 2) input pixels; those that are not finite count as unlabeled.
            keypoints_visible: (N, K), above 0 where labeled; by default all are.
            area: (N,) person areas in input pixels².
            labeled_keypoints: (K,) boolean, the keypoints that the image's source labels at all.
                The others get heatmap weight 0, whatever `keypoints_visible` says of them, and so
                do parts that consist of them alone.
            keypoints_visible_weights: (N, K), as MMPose's `KeypointConverter` writes them. They
                stand in for `labeled_keypoints`: a keypoint is labeled by the source if its
                weight is above 0 for any person. With neither, the source labels all.

        Returns:
            float32 arrays: `heatmaps` (K+M, H, W), keypoints first, and their `heatmap_weights`;
            `offsets` (M·2K, H, W; part, keypoint, then x, y) in map pixels and their
            `offset_weights` (1/√S on Ω); `areas` (M, H, W), the map S.

            With `sparse_offsets`, the fields of `OffsetTargets` replace the last three:
            `target_pixels` (P, 3; part, y, x; int64), `target_offsets` (P, K, 2),
            `target_weights` (P, K) and `target_areas` (P,).

        Raises:
            ValueError: the number of keypoints, also of labeled ones, is not the layout's, or areas
                are missing.
        """
        keypoints_hm, labeled, area = self._check(keypoints, keypoints_visible, area)
        declared = self._declared(labeled_keypoints, keypoints_visible_weights)
        labeled = labeled & declared
        centers_hm, defined = part_centers(keypoints_hm, labeled, self.layout.membership)
        present = labeled & inside_map(keypoints_hm, self.heatmap_size)
        drawn = defined & (area >= self.min_area)[:, None]
        maps = self._zeroed_maps(whole=not self.sparse_offsets)
        draw_gaussians(
            maps['heatmaps'],
            np.concatenate((keypoints_hm, centers_hm), axis=1),
            np.concatenate((present, drawn & inside_map(centers_hm, self.heatmap_size)), axis=1),
            self.sigma,
            self.rules.spread,
        )
        weigh_heatmaps(maps['heatmap_weights'], maps['heatmaps'], self.background_weight)
        taught = np.concatenate((declared, (self.layout.membership & declared).any(axis=1)))
        maps['heatmap_weights'][~taught] = 0
        targets = self.rules.offset_targets(
            centers_hm, drawn, keypoints_hm, present, area, self.heatmap_size, self.radius
        )
        if self.sparse_offsets:
            return dict(maps, **dict(zip(OFFSET_KEYS, targets)))
        write_offsets(targets, maps['offsets'], maps['offset_weights'], maps['areas'])
        return maps

    def decode(self, encoded: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Decode the people of maps as `encode` makes them, without network or refinement.

        The settings are the defaults of a `test_cfg`.

        Args:
            encoded: what `encode` returns for one image.

        Returns:
            Keypoints (N, K, 2) in input pixels and their scores (N, K), best pose first.
        """
        maps = dict(encoded)
        if 'offsets' not in maps:
            maps = self._zeroed_maps(whole=True)
            write_offsets(
                OffsetTargets(*(encoded[name] for name in OFFSET_KEYS)),
                maps['offsets'],
                maps['offset_weights'],
                maps['areas'],
            )
        heatmaps, offsets = (
            torch.from_numpy(array)[None] for array in (encoded['heatmaps'], maps['offsets'])
        )
        score_maps, part_maps = heatmaps.split(
            (self.layout.num_keypoints, self.layout.num_parts), dim=1
        )
        settings = TestSettings()
        centers = find_peaks(part_maps, settings.max_per_part, settings.part_thr)
        poses_hm = centers.xy_hm[:, :, None] - read_offsets(
            offsets, centers.xy_hm, self.layout.num_parts
        )
        fused = fuse_poses(
            poses_hm,
            self.rules.score_keypoints(score_maps, poses_hm, centers.scores, self.stride),
            torch.tensor(self.layout.sigmas),
            self.rules.pose_scores(centers.scores),
            centers.valid,
            settings.oks_thr,
        )
        return (
            fused.keypoints[fused.kept].numpy() * self.stride,
            fused.keypoint_scores[fused.kept].numpy(),
        )

    def _zeroed_maps(self, whole: bool) -> dict[str, np.ndarray]:
        # One array for all: allocating it takes less than half the time of one per map.
        layout = self.layout
        score = layout.num_keypoints + layout.num_parts
        channels = dict(heatmaps=score, heatmap_weights=score)
        if whole:
            channels.update(
                offsets=layout.num_offset_channels,
                offset_weights=layout.num_offset_channels,
                areas=layout.num_parts,
            )
        ends = np.cumsum(list(channels.values()))
        maps = np.zeros((ends[-1], *self.heatmap_size[::-1]), dtype=np.float32)
        return dict(zip(channels, np.split(maps, ends[:-1])))

    def _check(self, keypoints, keypoints_visible, area):
        # Keypoints in map pixels (float64; 0 where there is no label or a number is not finite),
        # labels as booleans, areas of at least `area_floor`.
        if keypoints.shape[1:] != (self.layout.num_keypoints, 2):
            raise InputError(
                f'keypoints must have the shape (N, {self.layout.num_keypoints}, 2) '
                f'of the layout; found {keypoints.shape}'
            )
        if area is None or len(area) != len(keypoints):
            raise InputError(
                f'area must hold one number for each of the {len(keypoints)} people;'
                f' found {area if area is None else len(area)}'
            )
        labeled = np.ones(keypoints.shape[:2]) if keypoints_visible is None else keypoints_visible
        # Annotated areas may be 0.
        area = np.maximum(np.asarray(area, dtype=np.float64), self.rules.area_floor)
        # Where there is no label, files hold anything: NaN, or numbers beyond all images.
        labeled = (labeled > 0) & np.isfinite(keypoints).all(axis=-1)
        keypoints = np.where(labeled[..., None], keypoints, 0).astype(np.float64)
        return keypoints / self.stride, labeled, area

    def _declared(self, labeled_keypoints, keypoints_visible_weights):
        # (K,) boolean: which keypoints the image's source labels at all.
        k = self.layout.num_keypoints
        declared = np.ones(k, dtype=bool)
        if labeled_keypoints is not None:
            name, declared = 'labeled_keypoints', np.asarray(labeled_keypoints) > 0
        elif keypoints_visible_weights is not None and len(keypoints_visible_weights):
            name = 'each row of keypoints_visible_weights'
            declared = (np.asarray(keypoints_visible_weights) > 0).any(axis=0)
        if declared.shape != (k,):
            raise InputError(
                f'{name} must have the shape ({k},) of the layout; found {declared.shape}'
            )
        return declared
