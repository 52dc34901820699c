"""Training targets: part centers, heatmaps (Eq. 1), offset maps (Eq. 2), person areas (Eq. 3).

Equation numbers are those of PINet's supplement. All coordinates are map pixels (`_hm`: network
input divided by the stride, pixel centers at integers, (x, y) last); areas are input pixels²
(`_in`). Shape shorthand: N people, K keypoints, M parts, H×W map, P pixels with an offset target.
The maps of one image take 13 MB, and fresh memory costs more time than the arithmetic: callers pass
zeroed maps to draw on, and intermediate arrays stay small.
"""

from typing import Any, NamedTuple

import numpy as np

# The product of two such factors is still a normal float32 number.
LEAST_GAUSSIAN = np.float32(2e-19)
_PIECE = 256  # windows that are drawn at once: half a megabyte of indices, which a cache holds


class OffsetTargets(NamedTuple):
    """What the offset maps should say at P pixels, each of them about one person.

    The codec makes numpy arrays for one image; `models.losses` gathers tensors for a batch.

    Attributes:
        pixels: (P, 3) int64: part, y, x, sorted so. Of a batch (P, 4): image, part, y, x.
        offsets: (P, K, 2) float32 map pixels, pixel - keypoint.
        weights: (P, K) float32, 1/√S where the offset has a target, which makes it part of Ω,
            else 0.
        areas: (P,) float32 input pixels², the person's area S.
    """

    # np.ndarray or Tensor: a generic NamedTuple needs Python 3.11.
    pixels: Any
    offsets: Any
    weights: Any
    areas: Any


def part_centers(
    keypoints_hm: np.ndarray, labeled: np.ndarray, membership: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average the labeled keypoints of every part of every person.

    Args:
        keypoints_hm: (N, K, 2); unlabeled ones may hold anything, NaN too.
        labeled: (N, K) boolean, v > 0; keypoints outside the map count.
        membership: (M, K) boolean, `PartLayout.membership`.

    Returns:
        The centers (N, M, 2) in map pixels and whether each is defined, (N, M) boolean; a part
        without labeled keypoints has no center and reads (0, 0).
    """
    used = (labeled[:, None] & membership).astype(np.float64)
    count = used.sum(axis=-1)
    keypoints_hm = np.where(labeled[..., None], keypoints_hm, 0)  # 0 · NaN is NaN
    centers_hm = np.einsum('nmk,nkc->nmc', used, keypoints_hm) / np.maximum(count, 1)[..., None]
    return centers_hm, count > 0


def inside_map(points_hm: np.ndarray, map_size: tuple[int, int]) -> np.ndarray:
    """Return whether points (..., 2) lie in [0, W) × [0, H), for map_size (w, h): (...) boolean."""
    x, y = points_hm[..., 0], points_hm[..., 1]
    return np.asarray((x >= 0) & (x < map_size[0]) & (y >= 0) & (y < map_size[1]))


def draw_gaussians(
    heatmaps: np.ndarray, points_hm: np.ndarray, drawn: np.ndarray, sigma: float, spread: float = 1
) -> None:
    """Draw Eq. 1, exp(-d² / σ²), for every point; where people overlap, the larger value stays.

    A Gaussian is drawn in the square window from floor(x - 3σ - 1) to ceil(x + 3σ + 2), the end
    excluded, and likewise in y. In the window it is above 0 even where float32 would round it to
    0, so that `weigh_heatmaps` finds the window.

    Args:
        heatmaps: (J, H, W) float32, J = channels, C-contiguous; drawn on.
        points_hm: (N, J, 2).
        drawn: (N, J) boolean; other points leave no trace.
        sigma: σ, map pixels.
        spread: factor of σ² in the Gaussian, 1 in the paper; the window does not depend on it.

    Raises:
        ValueError: `heatmaps` are not C-contiguous.
    """
    pixels = _flat_view('heatmaps', heatmaps)
    (_, h, w), channel = heatmaps.shape, np.nonzero(drawn)[1]
    (x, gauss_x), (y, gauss_y) = (
        _window(center, size, sigma, spread) for center, size in zip(points_hm[drawn].T, (w, h))
    )
    first = (channel * h + y) * w + x
    window = np.arange(gauss_y.shape[1])[:, None] * w + np.arange(gauss_x.shape[1])
    for start in range(0, len(first), _PIECE):
        now = slice(start, start + _PIECE)
        cells = first[now, None, None] + window
        values = gauss_y[now, :, None] * gauss_x[now, None]
        # `at` handles windows that overlap; it is fast only for flat indices.
        np.maximum.at(pixels, cells.reshape(-1), values.reshape(-1))


def _flat_view(name: str, maps: np.ndarray) -> np.ndarray:
    # Of maps that are not contiguous, `reshape` makes a copy: what is written there is lost.
    if not maps.flags.c_contiguous:
        raise ValueError(
            f'{name} must be C-contiguous to be drawn on; found strides {maps.strides} and shape '
            f'{maps.shape}'
        )
    return maps.reshape(-1)


def _window(
    center: np.ndarray, size: int, sigma: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    # Along one axis, for D windows: the first pixel of each and its Gaussian factors (D, window).
    # Windows that leave the map are moved inside; the pixels that this adds have factor 0.
    first, end = np.floor(center - 3 * sigma - 1), np.ceil(center + 3 * sigma + 2)
    width = min(int(np.ceil(6 * sigma + 3)) + 1, size)
    start = np.clip(first, 0, size - width)
    # Distances are a few pixels, so float32 is enough: the Gaussian is off by at most 3e-7.
    middle, low, high = (
        (each - start).astype(np.float32)[:, None] for each in (center, first, end)
    )
    step = np.arange(width, dtype=np.float32)
    gauss = np.exp(-(((step - middle) / np.float32(sigma)) ** 2) / np.float32(spread))
    gauss = np.maximum(gauss, LEAST_GAUSSIAN) * ((step >= low) & (step < high))
    return start.astype(np.int64), gauss


def weigh_heatmaps(weights: np.ndarray, heatmaps: np.ndarray, background_weight: float) -> None:
    """Write the loss weight of heatmaps: 1 in the window of a Gaussian, else `background_weight`.

    Args:
        weights: float32, overwritten.
        heatmaps: the same shape, as `draw_gaussians` leaves them.
        background_weight: loss weight outside all windows.
    """
    background = np.float32(background_weight)
    np.greater(heatmaps, 0, out=weights)
    weights *= 1 - background
    weights += background


def claim_pixels(
    centers_hm: np.ndarray,
    drawn: np.ndarray,
    areas_in: np.ndarray,
    map_size: tuple[int, int],
    radius: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels of N_k, ||(i, j) - p_k||² <= r (Eq. 2), and the one person that owns each.

    Where two people claim a pixel of a part, the smaller one takes it; of equal ones the first.

    Args:
        centers_hm: (N, M, 2).
        drawn: (N, M) boolean; other centers claim nothing.
        areas_in: (N,) input pixels².
        map_size: (w, h).
        radius: r, a squared distance in map pixels.

    Returns:
        The pixels (P, 3): part, y, x, sorted so; and the person of each, (P,).
    """
    (w, h), num_parts = map_size, centers_hm.shape[1]
    # The last claim of a pixel stays, so the smallest and of equal ones the first person goes last.
    order = np.lexsort((np.arange(len(areas_in)), areas_in))[::-1]
    rank, part = np.nonzero(drawn[order])
    person = order[rank]
    center = centers_hm[person, part]
    step = np.arange(int(2 * np.sqrt(radius)) + 1)
    first = np.ceil(center - np.sqrt(radius))
    x = first[:, :1, None] + step
    y = first[:, 1:, None] + step[:, None]
    near = (x - center[:, :1, None]) ** 2 + (y - center[:, 1:, None]) ** 2 <= radius
    near &= (x >= 0) & (x < w) & (y >= 0) & (y < h)
    claim, row, column = np.nonzero(near)
    owner = np.full((num_parts, h, w), -1, dtype=np.int32)
    owner[part[claim], y[claim, row, 0].astype(np.int64), x[claim, 0, column].astype(np.int64)] = (
        person[claim]
    )
    cells = np.flatnonzero(owner >= 0)
    pixels = np.stack(np.unravel_index(cells, owner.shape), axis=-1)
    return pixels, owner.reshape(-1)[cells]


def pixel_offsets(
    pixels: np.ndarray,
    person: np.ndarray,
    keypoints_hm: np.ndarray,
    present: np.ndarray,
    areas_in: np.ndarray,
) -> OffsetTargets:
    """Compute the offsets (Eq. 2, pixel - keypoint), their weights 1/√S and the areas S (Eq. 3).

    Args:
        pixels: (P, 3) part, y, x.
        person: (P,) the person that owns each pixel.
        keypoints_hm: (N, K, 2); those that are not present may hold anything.
        present: (N, K) boolean: labeled and inside the map; others get weight 0.
        areas_in: (N,) positive, input pixels².
    """
    keypoints_hm = np.where(present[..., None], keypoints_hm, 0)
    offsets = (pixels[:, None, :0:-1] - keypoints_hm[person]).astype(np.float32)
    offsets[~present[person]] = 0
    weights = (present / np.sqrt(areas_in)[:, None]).astype(np.float32)
    return OffsetTargets(pixels, offsets, weights[person], areas_in[person].astype(np.float32))


def write_offsets(
    targets: OffsetTargets, offsets: np.ndarray, weights: np.ndarray, areas: np.ndarray
) -> None:
    """Write the targets of one image into zeroed maps.

    Args:
        targets: of P pixels.
        offsets: (M·2K, H, W) float32, C-contiguous; channel order part, keypoint, then x, y.
        weights: the same shape; x and y get the same weight.
        areas: (M, H, W) float32.

    Raises:
        ValueError: `offsets` or `weights` are not C-contiguous; nothing is written.
    """
    flat_offsets, flat_weights = _flat_view('offsets', offsets), _flat_view('weights', weights)
    (m, h, w), (part, y, x) = areas.shape, targets.pixels.T
    areas[part, y, x] = targets.areas
    # Channel by channel and pixels in order, which is close to the order in memory.
    k = len(offsets) // (2 * m)
    channel = np.arange(2 * k)[:, None]
    cells = (2 * k * part + channel) * (h * w) + (y * w + x)
    flat_offsets[cells] = targets.offsets.reshape(-1, 2 * k).T
    flat_weights[cells] = targets.weights.T.repeat(2, axis=0)


def disc_offsets(
    centers_hm: np.ndarray,
    drawn: np.ndarray,
    keypoints_hm: np.ndarray,
    present: np.ndarray,
    areas_in: np.ndarray,
    map_size: tuple[int, int],
    radius: float,
) -> OffsetTargets:
    """Compute the offset targets of one image: `claim_pixels`, then `pixel_offsets`.

    Args:
        centers_hm: (N, M, 2).
        drawn: (N, M) boolean; other centers claim nothing, nor do those outside the map.
        keypoints_hm: (N, K, 2).
        present: (N, K) boolean: labeled and inside the map; others get weight 0.
        areas_in: (N,) positive, input pixels².
        map_size: (w, h).
        radius: r, a squared distance in map pixels.
    """
    drawn = drawn & inside_map(centers_hm, map_size)
    pixels, person = claim_pixels(centers_hm, drawn, areas_in, map_size, radius)
    return pixel_offsets(pixels, person, keypoints_hm, present, areas_in)
