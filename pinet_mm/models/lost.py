"""Poses that are left out since their numbers are not finite, and the images that lost some.

Shape shorthand: B images.
"""

import torch
from torch import Tensor

from ..method.fusion import FusedPoses

FARTHEST = 1e9  # input pixels; beyond it the arithmetic of boxes and scales overflows


def mark_lost(fused: FusedPoses, lost: Tensor) -> FusedPoses:
    """Keep no pose that is not finite, and mark images that lost some, see `has_lost`.

    Args:
        fused: keypoints in network-input pixels.
        lost: (B,) boolean, images that lost poses before.

    Returns:
        The same poses; in an image that lost any, a score of a pose that is not kept is NaN.
    """
    sizes = fused.keypoints.abs().flatten(2).amax(dim=-1)
    usable = (sizes < FARTHEST) & (fused.scores.abs() < torch.inf)
    # Where poses were lost before, the last row is empty.
    last = torch.arange(usable.shape[1], device=lost.device) == usable.shape[1] - 1
    kept, broken = fused.kept & usable, (fused.kept & ~usable) | (lost[:, None] & last)
    scores = fused.scores.masked_fill(broken & ~kept, torch.nan)
    keypoints, keypoint_scores, *_, sources, stds = fused
    return FusedPoses(keypoints, keypoint_scores, scores, kept, sources, stds)


def has_lost(fused: FusedPoses) -> Tensor:
    """Return which images (B,) lost poses because numbers were not finite."""
    return fused.scores.isnan().any(dim=1)
