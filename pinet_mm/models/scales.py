"""The poses that an image's maps propose, at one scale or at several.

Shape shorthand: B images, V views, T proposals per image, K keypoints, M parts. `_hm` are map
pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..method.views import ViewMirror


class Proposals(NamedTuple):
    """T poses per image, ordered by part.

    Attributes:
        poses_hm: (B, T, K, 2).
        scores: (B, T) of their part centers.
        valid: (B, T) boolean; the rest is padding.
        pooled: (B, T, 3C) features of the refinement, where a `PoseScore` is to read them.
        stds_hm: (B, T, K) standard deviation that the error in x, and in y, is expected to have; of
            a refinement with uncertainty.
    """

    poses_hm: Tensor
    scores: Tensor
    valid: Tensor
    pooled: Tensor | None = None
    stds_hm: Tensor | None = None

    def at_scale_1(self, factor: float) -> 'Proposals':
        """Return what they are in map pixels of scale 1."""
        stds_hm = None if self.stds_hm is None else self.stds_hm / factor
        return self._replace(poses_hm=self.poses_hm / factor, stds_hm=stds_hm)

    def stds_of(self, sources: Tensor, stride: int) -> Tensor | None:
        """Return deviations (B, T, K) in input pixels: of each keypoint that of its own pose.

        Args:
            sources: (B, T, K) the pose that each keypoint comes from.
            stride: input pixels per map pixel.
        """
        return None if self.stds_hm is None else self.stds_hm.gather(1, sources) * stride


def expected_stds(log_scales: Tensor | None, mirror: ViewMirror | None) -> Tensor | None:
    """Compute the deviations (B, T, K) of Laplace distributions, the mean of all views.

    An average of two views, which see the same, is not taken to be better than one.

    Args:
        log_scales: (V·B, T, K), see `Refined`; None if there are none.
        mirror: brings the mirrored view back; None if there is none.
    """
    if log_scales is None:
        return None
    stds = 2**0.5 * log_scales.exp()
    if mirror is None:
        return stds
    plain, mirrored = stds.unflatten(0, (2, -1))
    return (plain + mirrored.index_select(2, mirror.keypoints)) / 2


def weights_of(keypoint_scores: Tensor, stds_hm: Tensor) -> Tensor:
    """Return what keypoints weigh in the mean of a person's poses: squared score over variance.

    Args:
        keypoint_scores: (B, T, K); what is below 0, or not finite, weighs nothing.
        stds_hm: (B, T, K), see `Proposals`.

    Returns:
        (B, T, K) finite numbers of at least 0. The highest score of all T counts as 1, so that no
        square overflows.
    """
    scores = keypoint_scores.nan_to_num(posinf=0).clamp(min=0)
    highest = scores.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)
    return (scores / highest / stds_hm).square().nan_to_num(posinf=0)


def pool_scales(scales: Sequence[Proposals], num_parts: int) -> Proposals:
    """Pool the proposals of several scales into one set, ordered by part.

    Args:
        scales: proposals, all in map pixels of scale 1, whose own come first.
        num_parts: M.
    """
    # Part by part, scale 1 first: of equal poses those come first in fusion.
    first, *others = scales
    if not others:
        return first
    levelled = [first, *(other._replace(scores=_level(other, first)) for other in others)]
    return Proposals(
        *(None if fields[0] is None else _pool(fields, num_parts) for fields in zip(*levelled))
    )


def _pool(fields: Sequence[Tensor], num_parts: int) -> Tensor:
    by_part = [values.unflatten(1, (num_parts, -1)) for values in fields]
    return torch.cat(by_part, dim=2).flatten(1, 2)


def _level(proposals: Proposals, reference: Proposals) -> Tensor:
    # Dividing first makes the best score of a scale exactly that of the reference.
    best, wanted = (
        each.scores.masked_fill(~each.valid, -torch.inf).amax(dim=1, keepdim=True)
        for each in (proposals, reference)
    )
    return torch.where(
        (best > 0) & (wanted > 0), proposals.scores / best * wanted, proposals.scores
    )
