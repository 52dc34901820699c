"""The poses that an image's maps propose, at one scale or at several.

Shape shorthand: B images, T proposals per image, K keypoints, M parts. `_hm` are map pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Proposals(NamedTuple):
    """T poses per image, ordered by part.

    Attributes:
        poses_hm: (B, T, K, 2).
        scores: (B, T) of their part centers.
        valid: (B, T) boolean; the rest is padding.
        pooled: (B, T, 3C) features of the refinement, where a `PoseScore` is to read them.
    """

    poses_hm: Tensor
    scores: Tensor
    valid: Tensor
    pooled: Tensor | None = None


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
