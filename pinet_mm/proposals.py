"""Pose proposals: peaks of the part-centre maps, the pose that each proposes, and its score.

A part map's pixel p proposes the pose p - O(p). All coordinates are map pixels (`_hm`, (x, y)
last, pixel centres at integers). Shape shorthand: B pictures, M parts, K keypoints, C channels,
H×W map, T = M·t proposals a picture, ordered by part. Everything goes through as one batch; what
a picture lacks of t proposals a part is filled up and marked invalid.
"""

from typing import Callable, NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Centres(NamedTuple):
    """T part-centre pixels for each of B pictures, ordered by part, then by score.

    Attributes:
        xy_hm: (B, T, 2) integer map pixels.
        scores: (B, T) value of the part map there, 0 where the filling is no peak or target.
        valid: (B, T) boolean; the rest only fills up the batch.
    """

    xy_hm: Tensor
    scores: Tensor
    valid: Tensor


def pool_kernel(h: int, w: int) -> int:
    """Side of the window in which a peak must be the maximum: 3, larger on large maps."""
    side = (h + w) / 2
    return 7 if side > 300 else 5 if side > 200 else 3


def find_peaks(part_maps: Tensor, max_per_part: int, part_thr: float) -> Centres:
    """Take the best local maxima of every part map (test-time sampling of the supplement).

    Args:
        part_maps: (B, M, H, W) predicted part-centre maps.
        max_per_part: how many peaks a part may have.
        part_thr: only peaks with a score above it are valid.

    Returns:
        T = M·min(max_per_part, H·W) centres.
    """
    h, w = part_maps.shape[-2:]
    kernel = pool_kernel(h, w)
    pooled = F.max_pool2d(part_maps, kernel, stride=1, padding=kernel // 2)
    peaks = part_maps.masked_fill(part_maps != pooled, -torch.inf)
    return _best_pixels(peaks, max_per_part, part_thr)


def training_centres(part_heatmaps: Tensor, areas: Tensor, max_per_part: int) -> Centres:
    """Take the pixels with an offset target and the largest P* (training sampling).

    Args:
        part_heatmaps: (B, M, H, W) target part-centre maps P*.
        areas: (B, M, H, W) the weight map S of Eq. 3; non-zero where offsets have a target.
        max_per_part: how many pixels of a part are taken, 40 in the paper.
    """
    rank = torch.where(areas > 0, part_heatmaps, -torch.inf)
    return _best_pixels(rank, max_per_part, -torch.inf)


def _best_pixels(rank: Tensor, count: int, threshold: float) -> Centres:
    b, m, h, w = rank.shape
    scores, index = rank.flatten(2).topk(min(count, h * w), dim=-1)
    index = index.reshape(b, -1)
    y = torch.div(index, w, rounding_mode='floor')
    scores = scores.reshape(b, -1)
    # 0 rather than -inf for the filling, so that what is computed from it stays finite.
    return Centres(torch.stack((index - y * w, y), dim=-1),
                   scores.masked_fill(scores == -torch.inf, 0), scores > threshold)


def read_offsets(offsets: Tensor, centres_hm: Tensor, num_parts: int,
                 part_order: Optional[Tensor] = None) -> Tensor:
    """Read the offsets of every centre's own part: (B, T, K, 2) map pixels.

    Args:
        offsets: (B, M·2K, H, W); channel order part, keypoint, then x, y.
        centres_hm: (B, T, 2) integer pixels, T = M·t, ordered by part.
        num_parts: M.
        part_order: (M,) the part whose channels the centres of each part read; by default its
            own.
    """
    (b, channels, h, w), t = offsets.shape, centres_hm.shape[1]
    if part_order is None:
        part_order = torch.arange(num_parts, device=offsets.device)
    per_part = channels // num_parts
    first = part_order[:, None].expand(-1, t // num_parts).reshape(t, 1) * per_part
    channel = first + torch.arange(per_part, device=offsets.device)
    pixel = centres_hm[..., 1] * w + centres_hm[..., 0]
    index = channel * (h * w) + pixel[..., None]
    return offsets.flatten(1).gather(1, index.flatten(1)).view(b, t, per_part // 2, 2)


def sample_pixels(maps: Tensor, centres_hm: Tensor) -> Tensor:
    """Read maps (B, C, H, W) at integer pixels (B, T, 2): (B, T, C)."""
    w = maps.shape[-1]
    index = (centres_hm[..., 1] * w + centres_hm[..., 0])[:, None]
    return maps.flatten(2).gather(2, index.expand(-1, maps.shape[1], -1)).transpose(1, 2)


def sample_bilinear(maps: Tensor, points_hm: Tensor) -> Tensor:
    """Read maps (B, C, H, W) bilinearly at (B, ..., 2) map pixels: (B, ..., C).

    Pixels outside the map count as 0, so that a point within one pixel of the border blends into
    it. Gradients reach the maps and the points.
    """
    size = points_hm.new_tensor((maps.shape[-1], maps.shape[-2]))
    # grid_sample without align_corners reads pixel i at (2i + 1) / size - 1.
    grid = (2 * points_hm + 1) / size - 1
    values = F.grid_sample(maps, grid.flatten(1, -2)[:, :, None], align_corners=False)
    return values[..., 0].transpose(1, 2).reshape(*points_hm.shape[:-1], maps.shape[1])


def score_keypoints(score_maps: Tensor, poses_hm: Tensor, pose_scores: Tensor,
                    stride: Optional[int] = None) -> Tensor:
    """Score every keypoint as r · H_k[P_k] (Algorithm 1): (B, T, K).

    Args:
        score_maps: (B, K, H, W) the keypoint score maps H.
        poses_hm: (B, T, K, 2); keypoints outside [0, W-1] × [0, H-1] score 0.
        pose_scores: (B, T) the part-centre score r of each pose.
        stride: not used; the release's rule needs it.
    """
    h, w = score_maps.shape[-2:]
    last = poses_hm.new_tensor((w - 1, h - 1))
    inside = ((poses_hm >= 0) & (poses_hm <= last)).all(dim=-1)
    # Every keypoint reads its own channel: channels become the batch.
    points = poses_hm.transpose(1, 2).flatten(0, 1)
    values = sample_bilinear(score_maps.flatten(0, 1)[:, None], points)
    values = values.view(*score_maps.shape[:2], -1).transpose(1, 2)
    return pose_scores[..., None] * values * inside


class ProposalSampler(nn.Module):
    """Choose the pixels whose poses go on: by the targets in training, by the peaks in testing.

    Args:
        max_train_per_part: pixels a part and picture that train the refinement.
        training_rule: chooses them, called as `training_centres`; the head hands over that of
            its convention.
    """

    def __init__(self, max_train_per_part: int = 40, training_rule: Callable = training_centres):
        super().__init__()
        if max_train_per_part < 1:
            raise ValueError('max_train_per_part must be at least 1; found '
                             f'{max_train_per_part}')
        self.max_train_per_part, self.training_rule = max_train_per_part, training_rule

    def sample(self, part_heatmaps: Tensor, areas: Tensor) -> Centres:
        """Sample training centres by the training rule, see `training_centres`."""
        return self.training_rule(part_heatmaps, areas, self.max_train_per_part)

    def propose(self, part_maps: Tensor, max_per_part: int, part_thr: float) -> Centres:
        """Find the peaks of predicted part maps, see `find_peaks`."""
        return find_peaks(part_maps, max_per_part, part_thr)
