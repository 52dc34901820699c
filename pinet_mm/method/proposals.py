"""Pose proposals: peaks of the part-center maps, the pose that each proposes, and its score.

A part map's pixel p proposes the pose p - O(p). All coordinates are map pixels (`_hm`, (x, y)
last, pixel centers at integers). Shape shorthand: B images, M parts, K keypoints, C channels, H×W
map, T = M·t proposals per image, ordered by part. Images go through as one batch: where a part of
an image has fewer than t proposals, others marked invalid pad the batch.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import check_number
from .reading import map_size, sample_bilinear
from .targets import OffsetTargets


class Centers(NamedTuple):
    """T part-center pixels for each of B images, ordered by part, then by score.

    Attributes:
        xy_hm: (B, T, 2) integer map pixels.
        scores: (B, T) value of the part map there; 0 for padding that lies on no peak or target.
        valid: (B, T) boolean; the others are padding.
    """

    xy_hm: Tensor
    scores: Tensor
    valid: Tensor


# (mean map side (H + W) / 2 above, NMS kernel); the last match applies.
KERNELS = ((0, 3), (200, 5), (300, 7))


def pool_kernel(h: int, w: int) -> int:
    """Return the side of the window in which a peak must be the maximum: 3, larger on large maps.

    Args:
        h: map height.
        w: map width.
    """
    return max(kernel for above, kernel in KERNELS if (h + w) / 2 > above)


def pool_maps(part_maps: Tensor) -> Tensor:
    """Return the maximum in the window around every pixel: (B, M, H, W)."""
    (h, w), side = part_maps.shape[-2:], pool_kernel(*part_maps.shape[-2:])
    padded = F.pad(part_maps, (side // 2,) * 4, value=-torch.inf)
    # Along rows, then columns: on a CPU at least six times as fast as F.max_pool2d.
    rows = reduce(torch.maximum, (padded[..., i : i + w] for i in range(side)))
    return reduce(torch.maximum, (rows[..., i : i + h, :] for i in range(side)))


def find_peaks(
    part_maps: Tensor,
    max_per_part: int,
    part_thr: float,
    pool: Callable[[Tensor], Tensor] = pool_maps,
) -> Centers:
    """Return the best local maxima of every part map, the supplement's sampling in inference.

    Args:
        part_maps: (B, M, H, W) predicted part-center maps.
        max_per_part: the most peaks per part.
        part_thr: only peaks with a score above it are valid.
        pool: computes the maxima that peaks must equal, called as `pool_maps`.

    Returns:
        T = M·min(max_per_part, H·W) centers.
    """
    # Both 0 and -inf keep a pixel from being chosen; they differ in which of equal peaks topk
    # takes.
    nothing = 0 if part_thr >= 0 else -torch.inf
    peaks = torch.where(part_maps == pool(part_maps), part_maps, nothing)
    return best_pixels(peaks, max_per_part, part_thr)


def draw_pixels(
    pixels: Tensor, values: Tensor, map_shape: Sequence[int], elsewhere: float = 0
) -> Tensor:
    """Return maps that hold one value at each of P pixels, and `elsewhere` at all others.

    Args:
        pixels: (P, 4) image, part, y, x.
        values: (P,).
        map_shape: (B, M, H, W) of the result.
        elsewhere: value of the other pixels.
    """
    maps = values.new_full(map_shape, elsewhere)
    maps[pixels.unbind(1)] = values
    return maps


def training_centers(part_heatmaps: Tensor, targets: OffsetTargets, max_per_part: int) -> Centers:
    """Return the pixels with non-zero S (Eq. 3) and the largest P*, the sampling in training.

    Args:
        part_heatmaps: (B, M, H, W) target part-center maps P*.
        targets: offset targets of the batch.
        max_per_part: the most pixels per part and image, 40 in the paper.
    """
    owned = draw_pixels(targets.pixels, targets.areas > 0, part_heatmaps.shape)
    rank = torch.where(owned, part_heatmaps, -torch.inf)
    return best_pixels(rank, max_per_part, -torch.inf)


def best_pixels(rank: Tensor, count: int, threshold: float) -> Centers:
    """Return the pixels of every part map with the highest values.

    Args:
        rank: (B, M, H, W); -inf where a pixel must not be chosen.
        count: the most pixels per part.
        threshold: only pixels with a value above it are valid.

    Returns:
        T = M·min(count, H·W) centers.
    """
    b, m, h, w = rank.shape
    scores, index = rank.flatten(2).topk(min(count, h * w), dim=-1)
    index = index.reshape(b, -1)
    y = torch.div(index, w, rounding_mode='floor')
    scores = scores.reshape(b, -1)
    # 0 rather than -inf for padding, so that what is computed from it stays finite.
    return Centers(
        torch.stack((index - y * w, y), dim=-1),
        scores.masked_fill(scores == -torch.inf, 0),
        scores > threshold,
    )


def read_offsets(
    offsets: Tensor, centers_hm: Tensor, num_parts: int, part_order: Tensor | None = None
) -> Tensor:
    """Read the offsets at every center from the maps of its own part: (B, T, K, 2) map pixels.

    Args:
        offsets: (B, M·2K, H, W); channel order part, keypoint, then x, y.
        centers_hm: (B, T, 2) integer pixels, T = M·t, ordered by part.
        num_parts: M.
        part_order: (M,) or (B, M) the part from whose maps the centers of each part read; by
            default their own.
    """
    (b, channels), t, device = offsets.shape[:2], centers_hm.shape[1], offsets.device
    if part_order is None:
        part_order = torch.arange(num_parts, device=device)
    per_part = channels // num_parts
    part = part_order[..., None].expand(*part_order.shape, t // num_parts).flatten(-2)
    channel = part[..., None] * per_part + torch.arange(per_part, device=device)
    x, y = centers_hm[..., None].unbind(dim=2)
    # Not by one flat index, for which channels-last maps would have to be copied.
    image = torch.arange(b, device=device)[:, None, None]
    return offsets[image, channel, y, x].view(b, t, per_part // 2, 2)


def project_offsets(
    features: Tensor, weight: Tensor, bias: Tensor, num_parts: int, part_order: Tensor | None = None
) -> Tensor:
    """Compute what `read_offsets` would read from the offset branch's maps: (B, T, K, 2).

    A 1×1 convolution at a few pixels is a matrix product. This saves the whole offset maps, most
    of what the branches compute.

    Args:
        features: (B, T, C) at the centers, T = M·t, ordered by part.
        weight: (M·2K, C, 1, 1) of the branch.
        bias: (M·2K,) of the branch.
        num_parts: M.
        part_order: (M,) as in `read_offsets`.
    """
    weight = weight.flatten(1).unflatten(0, (num_parts, -1))
    bias = bias.unflatten(0, (num_parts, 1, -1))
    if part_order is not None:
        weight, bias = weight[part_order], bias[part_order]
    offsets = features.unflatten(1, (num_parts, -1)) @ weight.mT + bias
    # Tensor.unflatten is not annotated.
    by_keypoint: Tensor = offsets.flatten(1, 2).unflatten(-1, (-1, 2))
    return by_keypoint


def score_keypoints(score_maps: Tensor, poses_hm: Tensor, pose_scores: Tensor) -> Tensor:
    """Score every keypoint as r · H_k[P_k] (Algorithm 1): (B, T, K).

    Args:
        score_maps: (B, K, H, W) the keypoint score maps H.
        poses_hm: (B, T, K, 2); keypoints outside [0, W-1] × [0, H-1] score 0.
        pose_scores: (B, T) the part-center score r of each pose.
    """
    last = map_size(score_maps, poses_hm.dtype) - 1
    inside = ((poses_hm >= 0) & (poses_hm <= last)).all(dim=-1)
    # Every keypoint reads its own channel, so channels become the batch.
    points = poses_hm.transpose(1, 2).flatten(0, 1)
    values = sample_bilinear(score_maps.flatten(0, 1)[:, None], points)
    values = values.view(*score_maps.shape[:2], -1).transpose(1, 2)
    return pose_scores[..., None] * values * inside


class ProposalSampler(nn.Module):
    """Choose the pixels that propose poses: by the targets in training, by peaks in inference.

    Args:
        max_train_per_part: pixels per part and image that train the refinement.
        training_rule: chooses them, called as `training_centers`; the head passes the one of its
            convention.
    """

    def __init__(
        self,
        max_train_per_part: int = 40,
        training_rule: Callable[[Tensor, OffsetTargets, int], Centers] = training_centers,
    ):
        super().__init__()
        check_number('max_train_per_part', max_train_per_part, 1, whole=True)
        self.max_train_per_part, self.training_rule = max_train_per_part, training_rule

    def sample(self, part_heatmaps: Tensor, targets: OffsetTargets) -> Centers:
        """Choose what trains the refinement by the training rule, see `training_centers`."""
        return self.training_rule(part_heatmaps, targets, self.max_train_per_part)

    def propose(self, part_maps: Tensor, max_per_part: int, part_thr: float) -> Centers:
        """Find the peaks of predicted part maps, see `find_peaks`."""
        return find_peaks(part_maps, max_per_part, part_thr)
