"""Inputs of the checks: heads, samples, maps and drawn images, all made on the CPU from a seed.

Shape shorthand: B images, V views, K keypoints, M parts, C channels, H×W map, N people.
"""

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

from pinet_mm.configs import config_path
from pinet_mm.models.codec import PINetCodec
from pinet_mm.models.decoding import RawMaps
from pinet_mm.models.head import PINetHead

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS, MODELS
from scipy.optimize import linear_sum_assignment

from ..benchmark.scenes import codec_of_size, crowd_maps

CONFIGS = dict(
    paper='pinet_hrnet_coco.py',
    release='pinet_hrnet_coco_release.py',
    pinet2='pinet2_hrnet_coco.py',
)


class Sizes(NamedTuple):
    """How large the inputs of a check are.

    Attributes:
        side: of the square network input, in pixels.
        channels: C.
        images: B.
        persons: N in each image.
    """

    side: int
    channels: int
    images: int
    persons: int


def sizes_of(small: bool) -> Sizes:
    """Choose sizes as in the paper, or small ones."""
    return Sizes(128, 16, 2, 3) if small else Sizes(512, 480, 2, 12)


def make_head(convention: str, sizes: Sizes, sparse: bool = False, **refinement) -> PINetHead:
    """Build the head of a COCO config with random weights that show in what it computes.

    Args:
        convention: `'paper'`, `'release'` or, for the paper's with the losses, passes and strides
            of docs/pinet2.md, `'pinet2'`.
        sizes: gives the side of the input and C.
        sparse: whether its codec encodes sparse offsets.
        **refinement: options of `PoseRefinement` beside the config's.
    """
    torch.manual_seed(0)
    config = Config.fromfile(config_path(CONFIGS[convention]))
    codec = _resized(config.codec, sizes.side, sparse)
    own = dict(config.model.head, in_channels=sizes.channels, decoder=codec)
    head = MODELS.build(dict(own, refinement=dict(own['refinement'], **refinement)))
    branches = [head.score_branch, head.part_branch, head.offset_branch]
    for branch in branches + [head.refinement.uncertainty] * head.is_uncertain:
        torch.nn.init.normal_(branch.weight, std=1 / sizes.channels**0.5)
        torch.nn.init.normal_(branch.bias, std=0.1)
    return head


def _resized(codec: dict, side: int, sparse: bool) -> dict:
    stride = codec['input_size'][0] // codec['heatmap_size'][0]
    return dict(
        copy.deepcopy(dict(codec)),
        input_size=(side,) * 2,
        min_area=0,
        heatmap_size=(side // stride,) * 2,
        sparse_offsets=sparse,
    )


def make_maps(convention: str, sizes: Sizes, views: int = 2) -> RawMaps:
    """Make the maps of a network that finds another random crowd in each of B images.

    Args:
        convention: see `make_head`.
        sizes: of all.
        views: V.
    """
    config = Config.fromfile(config_path(CONFIGS[convention]))
    codec = codec_of_size(config.codec, (sizes.side,) * 2)
    images = [
        crowd_maps(codec, sizes.persons, 1, views, sizes.channels, seed=seed)
        for seed in range(sizes.images)
    ]
    return RawMaps(*(torch.stack(maps, dim=1).flatten(0, 1) for maps in zip(*images)))


class Distance(NamedTuple):
    """How far people are from those that were expected.

    Attributes:
        wanted: how many are expected.
        missing: those without a counterpart nearer than a tenth of the input's side.
        offs: distances of all keypoints of the others, in pixels.
        pairs: of each image, the rows of the others' counterparts, and their own.
    """

    wanted: int
    missing: int
    offs: np.ndarray
    pairs: Sequence[tuple[np.ndarray, np.ndarray]]

    @property
    def lost(self) -> float:
        """How many are missing; NaN, which passes no limit, where nobody was expected."""
        return self.missing if self.wanted else math.nan

    @property
    def said(self) -> str:
        """Of how many people, as a remark."""
        return f'of {self.wanted}' if self.wanted else 'nobody is there to compare'

    def quantile(self, share: float) -> float:
        """Return the distance that a share of the keypoints does not exceed; NaN without any."""
        return float(np.quantile(self.offs, share)) if len(self.offs) else math.nan

    def of_values(self, found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> 'Distance':
        """Return the same, with differences of other values of the people for distances.

        Args:
            found: (N, ...) of each image.
            wanted: the same, expected.
        """
        offs = [
            np.abs(own[row] - others[column]).ravel()
            for own, others, (row, column) in zip(found, wanted, self.pairs)
        ]
        return self._replace(offs=_joined(offs))


def compare_persons(
    found: Sequence[np.ndarray], wanted: Sequence[np.ndarray], side: float
) -> Distance:
    """Pair the people of each image with those expected.

    Args:
        found: keypoints (N, K, 2) of each image.
        wanted: the same, expected; people in `found` beside them do not count.
        side: of the input, in pixels.
    """
    missing, offs, rows = 0, [], []
    for own, others in zip(found, wanted):
        distance = np.linalg.norm(own[:, None] - others[None], axis=-1)
        row, column = linear_sum_assignment(distance.mean(axis=-1))
        pairs = distance[row, column]
        near = pairs.mean(axis=-1) < side / 10
        missing += len(others) - near.sum()
        offs.append(pairs[near].ravel())
        rows.append((row[near], column[near]))
    return Distance(sum(map(len, wanted)), int(missing), _joined(offs), rows)


def _joined(offs: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(offs) if offs else np.zeros(0)


def build_codec(convention: str, sizes: Sizes, sparse: bool) -> PINetCodec:
    """Build the codec of `make_head`."""
    config = Config.fromfile(config_path(CONFIGS[convention]))
    return KEYPOINT_CODECS.build(_resized(config.codec, sizes.side, sparse))


def apart(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the largest absolute difference of two tensors, wherever they are."""
    if first.numel() == 0:
        return 0.0
    first, second = first.detach().cpu().double(), second.detach().cpu().double()
    return float((first - second).abs().max())


def relative(found: torch.Tensor, wanted: torch.Tensor, floor: float = 0.0) -> float:
    """Return the norm of the difference over the norm of what is expected, or over `floor`."""
    found, wanted = found.detach().cpu().double(), wanted.detach().cpu().double()
    return float((found - wanted).norm()) / max(float(wanted.norm()), floor, 1e-30)


def persons_of(keypoints: torch.Tensor, kept: torch.Tensor) -> list[np.ndarray]:
    """Take the kept rows of poses (B, T, K, 2): keypoints (N, K, 2) of each image."""
    keypoints, kept = keypoints.numpy(force=True), kept.numpy(force=True)
    return [each[rows] for each, rows in zip(keypoints, kept)]


def size_of(head: PINetHead) -> tuple[int, int]:
    """Return the input size (w, h) that a head's codec was made for."""
    return tuple(head.codec.input_size)
