"""What a PINet finds in an image on its way to people: part centers, proposals, groups.

Shape shorthand: T proposals, ordered by score, N people, M parts, K keypoints, h×w map.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmpose.structures import PoseDataSample
from torch import Tensor

from ..datasets.wrapped import predicting_steps
from ..method.fusion import FusedPoses, match_poses, order_poses, pairwise_oks
from ..models.decoding import RawMaps, decode
from ..models.estimator import PINet, find_poses, warn_of_lost
from ..models.head import PINetHead


@dataclass(frozen=True)
class Explanation:
    """Steps from an image to its people; coordinates are pixels of the image.

    Attributes:
        part_maps: (M, h, w) part-center heatmaps of scale 1.
        map_to_image: (2, 3) matrix from their pixels to those of the image.
        coarse: (T, K, 2) poses that the part centers propose.
        refined: (T, K, 2) the same after refinement.
        keypoint_scores: (T, K) of the refined poses.
        parts: (T,) part that proposes each.
        owners: (T,) person that each was fused into, -1 for none.
        scores: (N,) of the people.
    """

    part_maps: np.ndarray
    map_to_image: np.ndarray
    coarse: np.ndarray
    refined: np.ndarray
    keypoint_scores: np.ndarray
    parts: np.ndarray
    owners: np.ndarray
    scores: np.ndarray


class _Recorder:
    """A head that decodes as another one, and keeps its maps and what was fused."""

    def __init__(self, head: PINetHead):
        self._head = head
        self.sigmas = head.fusion.sigmas
        self.maps: list[RawMaps] = []
        self.given: tuple = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._head, name)

    def test_maps(self, feats: Sequence[Tensor]) -> RawMaps:
        """Compute the maps of a scale."""
        self.maps.append(self._head.test_maps(feats))
        return self.maps[-1]

    @property
    def fusion(self) -> Callable:
        """The head's fusion, which records."""
        return self

    def __call__(self, *given: Any) -> FusedPoses:
        self.given = given
        return self._head.fusion(*given)


class _Recorded:
    """A PINet whose head is a recorder."""

    def __init__(self, model: PINet):
        self.head, self.extract_scales = _Recorder(model.head), model.extract_scales


def explain(model: PINet, image: np.ndarray) -> Explanation:
    """Find the people of an image, and keep all steps.

    Args:
        model: in evaluation mode.
        image: (H, W, 3) uint8 BGR.
    """
    ((_, steps),) = explain_each(model, [image])
    return steps


@torch.no_grad()
def explain_each(
    model: PINet, images: Iterable[np.ndarray]
) -> Iterator[tuple[PoseDataSample, Explanation]]:
    """Predict the poses of images one by one, and keep all steps; the network runs once for each.

    Args:
        model: in evaluation mode.
        images: (H, W, 3) uint8 BGR.

    Yields:
        A sample as MMPose's models predict it, and the steps.
    """
    settings = model.head.check_settings(model.test_cfg)
    for image in images:
        inputs, sample = _prepare(model, image)
        per_map, recorded = model.head.image_per_map([sample], inputs.device), _Recorded(model)
        found = find_poses(recorded, inputs, per_map, replace(settings, output_heatmaps=True))
        warn_of_lost(found[0], [sample])
        wanted = found if settings.output_heatmaps else found[:1]
        model.add_pred_to_datasample(*model.head.pack(*wanted), [sample])
        coarse = _Recorder(model.head)
        decode(coarse, recorded.head.maps, per_map, replace(settings, use_refinement=False))
        scale = per_map[0].numpy(force=True)
        yield sample, _steps(recorded.head, coarse, *found, scale, sample, settings.oks_thr)


def _steps(
    refined: _Recorder,
    coarse: _Recorder,
    fused: FusedPoses,
    heatmaps: Tensor,
    scale: np.ndarray,
    sample: PoseDataSample,
    oks_thr: float,
) -> Explanation:
    known, layout = sample.metainfo, refined.layout
    corner = np.subtract(known['input_center'], np.divide(known['input_scale'], 2))
    order, owners = _group(refined, fused.kept[0], oks_thr)
    count = len(refined.given[0][0]) // layout.num_parts
    return Explanation(
        part_maps=_numpy(heatmaps[0, layout.num_keypoints :]),
        map_to_image=np.column_stack((np.diag(scale), corner)),
        coarse=_numpy(coarse.given[0][0, order]) + corner,
        refined=_numpy(refined.given[0][0, order]) + corner,
        keypoint_scores=_numpy(refined.given[1][0, order]),
        parts=_numpy(order // count),
        owners=owners,
        scores=_numpy(fused.scores[0][fused.kept[0]]),
    )


def _prepare(model: PINet, image: np.ndarray) -> tuple[Tensor, Any]:
    pipeline = Compose(predicting_steps(model.cfg))
    prepared = pipeline(dict(img=image, img_path='', **(model.dataset_meta or {})))
    batch = model.data_preprocessor(pseudo_collate([prepared]), False)
    (sample,) = batch['data_samples']
    w, h = sample.metainfo['input_size']
    return batch['inputs'][:, :, :h, :w], sample


def _group(recorded: _Recorder, kept: Tensor, oks_thr: float) -> tuple[Tensor, np.ndarray]:
    """Return the valid proposals (T,) by score, and their people as numbers among those kept."""
    poses, keypoint_scores, pose_scores, valid = (
        None if each is None else each[0] for each in recorded.given[:4]
    )
    order = order_poses(keypoint_scores, pose_scores, valid)
    owner = match_poses(pairwise_oks(poses[order], recorded.sigmas), valid[order], oks_thr)
    numbers = torch.where(kept, kept.cumsum(0) - 1, -1)
    owners = torch.where(owner < 0, -1, numbers[owner.clamp(min=0)])[valid[order]]
    return order[valid[order]], _numpy(owners)


def _numpy(values: Tensor) -> np.ndarray:
    return values.numpy(force=True)
