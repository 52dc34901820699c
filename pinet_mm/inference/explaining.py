"""What a PINet finds in an image on its way to people: part centers, proposals, groups.

Shape shorthand: T proposals, ordered by score, N people, M parts, K keypoints, h×w map.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from torch import Tensor

from ..method.fusion import match_poses, order_poses, pairwise_oks
from ..method.views import scale_inputs
from ..models.decoding import DecodingHead, decode
from ..models.estimator import PINet


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
    """A head that decodes as another one, and keeps what was fused."""

    def __init__(self, head: DecodingHead):
        self._head = head
        self.sigmas = head.fusion.sigmas
        self.given: tuple = ()
        self.found: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._head, name)

    @property
    def fusion(self) -> Callable:
        """The head's fusion, which records."""
        return self

    def __call__(self, *given: Any) -> Any:
        self.given, self.found = given, self._head.fusion(*given)
        return self.found


@torch.no_grad()
def explain(model: PINet, image: np.ndarray) -> Explanation:
    """Find the people of an image, and keep all steps.

    Args:
        model: in evaluation mode.
        image: (H, W, 3) uint8 BGR.
    """
    inputs, sample = _prepare(model, image)
    head, settings = model.head, model.head.check_settings(model.test_cfg)
    maps = [
        head.test_maps(model.extract_views(scale_inputs(inputs, factor), settings.flip_test))
        for factor in settings.scale_factors
    ]
    per_map = head.image_per_map([sample], inputs.device)
    coarse, refined = _Recorder(head), _Recorder(head)
    decode(coarse, maps, per_map, replace(settings, use_refinement=False))
    _, heatmaps = decode(refined, maps, per_map, settings)
    corner = np.subtract(
        sample.metainfo['input_center'], np.divide(sample.metainfo['input_scale'], 2)
    )
    order, owners, scores = _group(refined, settings.oks_thr)
    count = len(refined.given[0][0]) // head.layout.num_parts
    return Explanation(
        part_maps=_numpy(heatmaps[0, head.layout.num_keypoints :]),
        map_to_image=np.column_stack((np.diag(_numpy(per_map[0])), corner)),
        coarse=_numpy(coarse.given[0][0, order]) + corner,
        refined=_numpy(refined.given[0][0, order]) + corner,
        keypoint_scores=_numpy(refined.given[1][0, order]),
        parts=_numpy(order // count),
        owners=owners,
        scores=scores,
    )


def _prepare(model: PINet, image: np.ndarray) -> tuple[Tensor, Any]:
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    prepared = pipeline(dict(img=image, img_path='', **(model.dataset_meta or {})))
    batch = model.data_preprocessor(pseudo_collate([prepared]), False)
    (sample,) = batch['data_samples']
    w, h = sample.metainfo['input_size']
    return batch['inputs'][:, :, :h, :w], sample


def _group(recorded: _Recorder, oks_thr: float) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Return the valid proposals (T,) by score, their people's numbers, and the people's scores."""
    poses, keypoint_scores, pose_scores, valid = (
        None if each is None else each[0] for each in recorded.given[:4]
    )
    order = order_poses(keypoint_scores, pose_scores, valid)
    owner = match_poses(pairwise_oks(poses[order], recorded.sigmas), valid[order], oks_thr)
    kept = recorded.found.kept[0]
    numbers = torch.where(kept, kept.cumsum(0) - 1, -1)
    owners = torch.where(owner < 0, -1, numbers[owner.clamp(min=0)])[valid[order]]
    return order[valid[order]], _numpy(owners), _numpy(recorded.found.scores[0][kept])


def _numpy(values: Tensor) -> np.ndarray:
    return values.numpy(force=True)
