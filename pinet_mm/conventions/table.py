"""The two conventions: what the supplement says, and what the official implementation computes.

The codec holds the convention that a config names; code that differs between the two reads its
rules there. What this table does not list is the same in both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from ..method import proposals, reading, targets
from . import official


@dataclass(frozen=True)
class Convention:
    """The rules of one convention.

    Attributes:
        spread: a Gaussian is exp(-d² / (spread · σ²)).
        area_floor: smaller person areas S (input pixels²) count as this, to keep 1/√S finite.
        offset_targets: computes the offset targets of an image, called as `targets.disc_offsets`.
        training_centers: chooses what trains the refinement, called as
            `proposals.training_centers`.
        sample_features: reads features at keypoints, called as `reading.sample_bilinear`.
        enlarge_scores: score maps are read as if enlarged to the input's size, by
            `official.score_keypoints`, else by `proposals.score_keypoints`.
        order_by_keypoints: fusion orders poses by `fusion.order_by_keypoints`, else by the score
            of the part center.
        clamp_scores: keypoint scores are clamped to [0, 1] at the very end.
    """

    spread: float
    area_floor: float
    offset_targets: Callable
    training_centers: Callable
    sample_features: Callable
    enlarge_scores: bool
    order_by_keypoints: bool
    clamp_scores: bool

    def score_keypoints(
        self, score_maps: Tensor, poses_hm: Tensor, pose_scores: Tensor, stride: int
    ) -> Tensor:
        """Score every keypoint: (B, T, K).

        Args:
            score_maps: (B, K, H, W).
            poses_hm: (B, T, K, 2).
            pose_scores: (B, T) the part-center score of each pose.
            stride: input pixels per map pixel.
        """
        if self.enlarge_scores:
            return official.score_keypoints(score_maps, poses_hm, pose_scores, stride)
        return proposals.score_keypoints(score_maps, poses_hm, pose_scores)

    def pose_scores(self, center_scores: Tensor) -> Tensor | None:
        """Return what orders the poses in `fuse_poses`; None stands for the keypoints' scores."""
        return None if self.order_by_keypoints else center_scores


PAPER = Convention(
    spread=1,
    area_floor=1,
    offset_targets=targets.disc_offsets,
    training_centers=proposals.training_centers,
    sample_features=reading.sample_bilinear,
    enlarge_scores=False,
    order_by_keypoints=False,
    clamp_scores=True,
)

RELEASE = Convention(
    spread=2,
    area_floor=1e-6,
    offset_targets=official.square_offsets,
    training_centers=official.training_centers,
    sample_features=official.sample_stretched,
    enlarge_scores=True,
    order_by_keypoints=True,
    clamp_scores=False,
)

CONVENTIONS = MappingProxyType(dict(paper=PAPER, release=RELEASE))
