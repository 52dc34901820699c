"""Scores by agreement of the parts: a person whom all parts propose alike is likelier to be there.

This is not in the paper. There a person's score is the mean keypoint score of the fused pose, so
that a wrong pose which one part proposes between two people may score as high as one that three
parts agree on. docs/ablation.md has what it gains. Shape shorthand: B images, P people and T
proposals per image, the proposals ordered by part, M parts, K keypoints.
"""

import torch
from torch import Tensor

from .fusion import FusedPoses, pairwise_oks


def weigh_by_agreement(
    fused: FusedPoses, proposals: Tensor, valid: Tensor, sigmas: Tensor, num_parts: int
) -> FusedPoses:
    """Multiply a person's score and keypoint scores by how far the parts agree on it.

    Args:
        fused: the people (P = T); rows that are not kept hold nothing of use.
        proposals: (B, T, K, 2) in their frame.
        valid: (B, T) boolean; other proposals do not count.
        sigmas: (K,) OKS sigmas.
        num_parts: M.

    Returns:
        The same people in the same order, with other scores.
    """
    oks = pairwise_oks(fused.keypoints, sigmas.to(proposals.dtype), proposals)
    weights = agreement(oks, valid, num_parts)
    keypoints, keypoint_scores, scores, kept, sources, stds = fused
    keypoint_scores = keypoint_scores * weights[..., None]
    return FusedPoses(keypoints, keypoint_scores, scores * weights, kept, sources, stds)


def agreement(oks: Tensor, valid: Tensor, num_parts: int) -> Tensor:
    """Compute how far the parts agree on people, from 0 to 1: (B, P).

    Of each part, the proposal with the highest OKS with the person counts. The agreement is the
    mean of these M values to the power of M. That is their product where they are equal; otherwise
    it is larger, and it is not 0 where one part found nothing.

    Args:
        oks: (B, P, T) of P people with the proposals.
        valid: (B, T) boolean.
        num_parts: M.
    """
    best = torch.where(valid[:, None], oks, 0).unflatten(-1, (num_parts, -1)).amax(dim=-1)
    return torch.pow(best.mean(dim=-1), num_parts)
