"""What the authors' official implementation computes where it differs from the supplement.

Each function replaces one of `method.targets`, `method.proposals` or `method.reading`; `table` says
which of the two is used. Coordinates are map pixels (`_hm`, pixel centers at integers, (x, y)
last), areas input pixels² (`_in`). Shape shorthand: N people, K keypoints, M parts, P pixels, B
images, C channels, H×W map, T proposals per image.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..method.proposals import Centers, draw_pixels
from ..method.reading import map_size, sample_grid, sample_pixels
from ..method.targets import OffsetTargets, pixel_offsets


def square_offsets(
    centers_hm: np.ndarray,
    drawn: np.ndarray,
    keypoints_hm: np.ndarray,
    present: np.ndarray,
    areas_in: np.ndarray,
    map_size: tuple[int, int],
    radius: float,
) -> OffsetTargets:
    """Compute offset targets at the pixels in [c - r, c + r), in x and y, around a center c.

    c is the center truncated toward 0, so a center in (-1, 0) counts as pixel 0. Where people
    claim the same pixel, they write in the order of their annotations, each keypoint by keypoint
    as `_overwritten` allows: the first claim of every pixel, then the second of all that have one,
    and so on.

    Args:
        centers_hm: (N, M, 2).
        drawn: (N, M) boolean; other centers claim nothing.
        keypoints_hm: (N, K, 2); those that are not present may hold anything.
        present: (N, K) boolean: labeled and inside the map; others get weight 0.
        areas_in: (N,) positive, float64.
        map_size: (w, h).
        radius: r, whole map pixels, half the side of the square.

    Returns:
        All claimed pixels; the area is that of the last person who wrote there, 0 where nobody
        did.
    """
    keypoints_hm = np.where(present[..., None], keypoints_hm, 0)
    cells, person = _claims(centers_hm, drawn, map_size, int(radius))
    order = np.argsort(cells, kind='stable')
    cells, person = cells[order], person[order]
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    places = np.unravel_index(cells[first], (drawn.shape[1], *map_size[::-1]))
    pixels = np.stack(places, axis=-1)
    targets = pixel_offsets(pixels, person[first], keypoints_hm, present, areas_in)
    # A pixel stays free if whoever claims it writes no keypoint there.
    targets.areas[~present[person[first]].any(axis=-1)] = 0
    claims = np.diff(first, append=len(cells))
    for turn in range(1, claims.max(initial=0)):
        pixel = np.flatnonzero(claims > turn)
        _contest(targets, pixel, person[first[pixel] + turn], keypoints_hm, present, areas_in)
    return targets


def _contest(
    targets: OffsetTargets,
    pixel: np.ndarray,
    person: np.ndarray,
    keypoints_hm: np.ndarray,
    present: np.ndarray,
    areas_in: np.ndarray,
) -> None:
    # Let the next person at each pixel overwrite what the rule allows.
    (pixels, offsets, weights, memory), area = targets, areas_in[person, None]
    stored = (offsets[pixel] != 0).any(axis=-1)
    write = _overwritten(stored, present[person], memory[pixel, None], area)
    position = pixels[pixel, None, :0:-1]
    offsets[pixel] = np.where(write[..., None], position - keypoints_hm[person], offsets[pixel])
    weights[pixel] = np.where(write, 1 / np.sqrt(area), weights[pixel])
    memory[pixel] = np.where(write.any(axis=-1), area[:, 0], memory[pixel])


def _claims(centers_hm: np.ndarray, drawn: np.ndarray, map_size: tuple[int, int], r: int):
    # Every pixel of every square, person by person: flat index (part, y, x), and the person.
    w, h = map_size
    corners = np.trunc(centers_hm) - r
    person, part = np.nonzero(
        drawn & ((corners >= -r) & (corners < np.array(map_size) - r)).all(axis=-1)
    )
    step = np.arange(2 * r)
    x, y = corners[person, part].astype(np.int64).T[..., None] + step
    inside = ((y >= 0) & (y < h))[:, :, None] & ((x >= 0) & (x < w))[:, None]
    cells = ((part[:, None] * h + y) * w)[:, :, None] + x[:, None]
    return cells[inside], np.repeat(person, inside.sum(axis=(1, 2)))


def _overwritten(
    stored: np.ndarray, present: np.ndarray, memory: np.ndarray, area_in: np.ndarray
) -> np.ndarray:
    """Return which keypoints a person writes at a pixel: (P, K) boolean.

    The rule for one keypoint: the stored offset stays if it is not exactly (0, 0) and the area
    memory, the float32 area of whoever last wrote any keypoint of this part here, is below the
    person's float64 area. The person's first write sets the memory that its later keypoints meet.

    Args:
        stored: (P, K) boolean, an offset other than (0, 0) is stored.
        present: (P, K) boolean, the keypoints of the person who claims the pixel.
        memory: (P, 1) float32 area memory before this person.
        area_in: (P, 1) float64, the person's area.
    """
    smaller_before, smaller_after = memory < area_in, area_in.astype(np.float32) < area_in
    first = present & ~(stored & smaller_before)
    began = np.logical_or.accumulate(first, axis=-1)
    began = np.concatenate((np.zeros_like(began[..., :1]), began[..., :-1]), axis=-1)
    return np.where(began, present & ~(stored & smaller_after), first)


def training_centers(part_heatmaps: Tensor, targets: OffsetTargets, max_per_part: int) -> Centers:
    """Return the pixels with the largest P*/√S, for each part as many as every image has.

    A part that some image lacks gets `max_per_part` pixels in every image, targets or not.

    Args:
        part_heatmaps: (B, M, H, W) target part-center maps P*.
        targets: offset targets of the batch; the largest weight of a pixel's keypoints counts.
        max_per_part: the most pixels per part and image.
    """
    b, _, h, w = part_heatmaps.shape
    weights = draw_pixels(targets.pixels, targets.weights.amax(dim=1), part_heatmaps.shape)
    heat = part_heatmaps.flatten(2)
    rank = heat * weights.flatten(2)
    most = min(max_per_part, h * w)
    counts = [min(count or most, most) for count in (rank > 0).sum(-1).amin(0).tolist()]
    # One topk per part: which of equal pixels it takes depends on how many it is asked for.
    picks = [rank[:, part].topk(count).indices for part, count in enumerate(counts)]
    index = torch.stack([F.pad(pick, (0, most - pick.shape[1])) for pick in picks], dim=1)
    valid = torch.arange(most, device=rank.device) < rank.new_tensor(counts)[:, None]
    scores = heat.gather(2, index) * valid
    y = torch.div(index, w, rounding_mode='floor').flatten(1)
    return Centers(
        torch.stack((index.flatten(1) - y * w, y), dim=-1),
        scores.flatten(1),
        valid.flatten().expand(b, -1),
    )


def sample_stretched(maps: Tensor, points_hm: Tensor) -> Tensor:
    """Read maps (B, C, H, W) at (B, ..., 2) map pixels, off by up to half a pixel: (B, ..., C).

    Points are scaled for grid_sample with aligned corners, but read without: x becomes the pixel
    x·W/(W-1) - 1/2, which is right only in the middle of the map. Pixels outside count as 0.
    """
    size = map_size(maps, points_hm.dtype)
    grid = points_hm / ((size - 1) / 2) - 1
    return sample_grid(maps, grid)


def score_keypoints(
    score_maps: Tensor, poses_hm: Tensor, pose_scores: Tensor, stride: int
) -> Tensor:
    """Score every keypoint as r · H_k[P_k], with H_k read as if enlarged to the input's size.

    On the enlarged map the integer part of a coordinate, truncated toward 0, and the next pixel
    must exist. In map pixels, with q = 1 / stride: a keypoint scores for -q < x < W - q; above
    W-1 it reads the last pixel, below 0 it extrapolates from the first two.

    Args:
        score_maps: (B, K, H, W) the keypoint score maps H.
        poses_hm: (B, T, K, 2).
        pose_scores: (B, T) the part-center score r of each pose.
        stride: input pixels per map pixel.

    Returns:
        (B, T, K).
    """
    b, k, h, w = score_maps.shape
    size = map_size(score_maps, poses_hm.dtype)
    scores = ((poses_hm > -1 / stride) & (poses_hm < size - 1 / stride)).all(dim=-1)
    points = torch.minimum(poses_hm, size - 1).transpose(1, 2).reshape(b * k, -1, 2)
    # The first of the two pixels along each axis, also for points that score nothing, such as NaN,
    # which only whole numbers can be clamped from.
    low = torch.minimum(points.floor().long().clamp(min=0), (size.long() - 2).clamp(min=0))
    high = torch.minimum(low + 1, size.long() - 1)
    maps = score_maps.reshape(b * k, 1, h, w)
    (x, y), (x0, y0), (x1, y1) = (pixels.unbind(-1) for pixels in (points - low, low, high))
    top, bottom = (
        (1 - x) * sample_pixels(maps, torch.stack((x0, row), dim=-1))[..., 0]
        + x * sample_pixels(maps, torch.stack((x1, row), dim=-1))[..., 0]
        for row in (y0, y1)
    )
    values = ((1 - y) * top + y * bottom).view(b, k, -1).transpose(1, 2)
    return torch.where(scores, pose_scores[..., None] * values, 0)
