"""The two conventions: what the supplement says, and what the authors' release computes.

The codec holds the one that a config names; whatever differs is read from there. Everything
that this table does not hold is alike in both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from ..method import proposals, targets
from . import official as release


@dataclass(frozen=True)
class Convention:
    """The rules of one convention.

    Attributes:
        spread: a Gaussian is exp(-d² / (spread · σ²)).
        area_floor: smaller person areas S (input pixels²) count as this, to keep 1/√S finite.
        offset_targets: computes offsets, weights and areas, called as `targets.disc_offsets`.
        sampling_targets: the method of `losses.OffsetRows` that draws the target maps which
            `training_centres` takes beside P*.
        training_centres: chooses what trains the refinement.
        sample_features: reads features at keypoints, called as `proposals.sample_bilinear`.
        score_keypoints: scores keypoints, called as `proposals.score_keypoints` with the stride.
        order_by_keypoints: fusion takes poses by `fusion.order_by_keypoints`, else by the score
            of the part centre.
        clamp_scores: keypoint scores are clamped to [0, 1] at the very end.
    """

    spread: float
    area_floor: float
    offset_targets: Callable
    sampling_targets: str
    training_centres: Callable
    sample_features: Callable
    score_keypoints: Callable
    order_by_keypoints: bool
    clamp_scores: bool

    def pose_scores(self, centre_scores: Tensor) -> Tensor | None:
        """Choose what orders the poses in `fuse_poses`: None is by keypoints."""
        return None if self.order_by_keypoints else centre_scores


PAPER = Convention(
    spread=1,
    area_floor=1,
    offset_targets=targets.disc_offsets,
    sampling_targets='area_maps',
    training_centres=proposals.training_centres,
    sample_features=proposals.sample_bilinear,
    score_keypoints=proposals.score_keypoints,
    order_by_keypoints=False,
    clamp_scores=True,
)

RELEASE = Convention(
    spread=2,
    area_floor=1e-6,
    offset_targets=release.square_offsets,
    sampling_targets='weight_maps',
    training_centres=release.training_centres,
    sample_features=release.sample_stretched,
    score_keypoints=release.score_keypoints,
    order_by_keypoints=True,
    clamp_scores=False,
)

CONVENTIONS = MappingProxyType(dict(paper=PAPER, release=RELEASE))
