"""Training targets: part centres, heatmaps (Eq. 1), offset maps (Eq. 2), person areas (Eq. 3).

Equation numbers are those of PINet's supplement. All coordinates are map pixels (`_hm`: network
input divided by the stride, pixel centres at integers, (x, y) last); areas are input pixels²
(`_in`). Shape shorthand: N persons, K keypoints, M parts, H×W map. Whole maps of a crowd are 13 MB,
and fresh memory costs more than what is computed: callers hand over zeroed maps to draw on, and
intermediate arrays stay small.
"""

from typing import NamedTuple

import numpy as np

# The product of two such factors is still a normal float32 number.
_LEAST = np.float32(2e-19)
_PIECE = 256  # windows that are drawn at once: half a megabyte of indices, which a cache holds


class ClaimedPixels(NamedTuple):
    """The P pixels that carry an offset target, one row each: Ω before unlabelled keypoints."""

    part: np.ndarray
    y: np.ndarray
    x: np.ndarray
    person: np.ndarray


class OffsetTargets(NamedTuple):
    """What P pixels of one picture shall say about the person whose part centre they stand for.

    Attributes:
        pixels: (P, 3) int64: part, y, x, sorted so.
        offsets: (P, K, 2) float32 map pixels, pixel - keypoint.
        weights: (P, K) float32, 1/√S where the offset has a target, else 0.
        areas: (P,) float32 input pixels², the person's area S.
    """

    pixels: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray
    areas: np.ndarray


def part_centres(
    keypoints_hm: np.ndarray, labelled: np.ndarray, membership: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average the labelled keypoints of every part of every person.

    Args:
        keypoints_hm: (N, K, 2).
        labelled: (N, K) boolean, v > 0; keypoints outside the map count.
        membership: (M, K) boolean, `PartLayout.membership`.

    Returns:
        The centres (N, M, 2) in map pixels and whether each is defined, (N, M) boolean; a part
        without labelled keypoints has no centre and reads (0, 0).
    """
    used = (labelled[:, None] & membership).astype(np.float64)
    count = used.sum(axis=-1)
    centres_hm = np.einsum('nmk,nkc->nmc', used, keypoints_hm) / np.maximum(count, 1)[..., None]
    return centres_hm, count > 0


def inside_map(points_hm: np.ndarray, map_size: tuple[int, int]) -> np.ndarray:
    """Tell which points (..., 2) lie in [0, W) × [0, H) of a map of size (w, h): (...) boolean."""
    x, y = points_hm[..., 0], points_hm[..., 1]
    return np.asarray((x >= 0) & (x < map_size[0]) & (y >= 0) & (y < map_size[1]))


def draw_gaussians(
    heatmaps: np.ndarray, points_hm: np.ndarray, drawn: np.ndarray, sigma: float, spread: float = 1
) -> None:
    """Draw Eq. 1, exp(-d² / σ²), for every point; where persons overlap the larger value stays.

    A Gaussian is written in the square window floor(x - 3σ - 1) to ceil(x + 3σ + 2), the end
    excluded, alike in y. There it is above 0, also where float32 has no number as small.

    Args:
        heatmaps: (J, H, W) float32, J = channels, in one piece of memory; drawn upon.
        points_hm: (N, J, 2).
        drawn: (N, J) boolean; other points leave no trace.
        sigma: σ, map pixels.
        spread: what σ² is multiplied by in the Gaussian, 1 in the paper; the window stays.

    Raises:
        ValueError: `heatmaps` are not C-contiguous.
    """
    pixels = _flat_view('heatmaps', heatmaps)
    (_, h, w), channel = heatmaps.shape, np.nonzero(drawn)[1]
    (x, gauss_x), (y, gauss_y) = (
        _window(centre, size, sigma, spread) for centre, size in zip(points_hm[drawn].T, (w, h))
    )
    first = (channel * h + y) * w + x
    window = np.arange(gauss_y.shape[1])[:, None] * w + np.arange(gauss_x.shape[1])
    for start in range(0, len(first), _PIECE):
        now = slice(start, start + _PIECE)
        cells = first[now, None, None] + window
        values = gauss_y[now, :, None] * gauss_x[now, None]
        # Windows overlap, which `at` minds; it is fast for flat indices alone.
        np.maximum.at(pixels, cells.reshape(-1), values.reshape(-1))


def _flat_view(name: str, maps: np.ndarray) -> np.ndarray:
    # Of maps in several pieces of memory, `reshape` would make a copy, which takes what is written
    # with it when it goes.
    if not maps.flags.c_contiguous:
        raise ValueError(
            f'{name} must be C-contiguous to be drawn upon; found strides {maps.strides} of the '
            f'shape {maps.shape}'
        )
    return maps.reshape(-1)


def _window(
    centre: np.ndarray, size: int, sigma: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    # One axis of D windows: the first pixel of each and its Gaussian factors (D, window), 0 where
    # the window, moved inside the map, holds more than it should.
    first, end = np.floor(centre - 3 * sigma - 1), np.ceil(centre + 3 * sigma + 2)
    width = min(int(np.ceil(6 * sigma + 3)) + 1, size)
    start = np.clip(first, 0, size - width)
    # Distances are a few pixels, for which float32 is enough: 3e-7 in the Gaussian.
    middle, low, high = (
        (each - start).astype(np.float32)[:, None] for each in (centre, first, end)
    )
    step = np.arange(width, dtype=np.float32)
    gauss = np.exp(-(((step - middle) / np.float32(sigma)) ** 2) / np.float32(spread))
    gauss = np.maximum(gauss, _LEAST) * ((step >= low) & (step < high))
    return start.astype(np.int64), gauss


def weigh_heatmaps(weights: np.ndarray, heatmaps: np.ndarray, background_weight: float) -> None:
    """Write the loss weight of heatmaps: 1 in the window of a Gaussian, else `background_weight`.

    Args:
        weights: float32, written upon.
        heatmaps: the same shape, as `draw_gaussians` leaves them.
        background_weight: loss weight away from all points.
    """
    background = np.float32(background_weight)
    np.greater(heatmaps, 0, out=weights)
    weights *= 1 - background
    weights += background


def claim_pixels(
    centres_hm: np.ndarray,
    drawn: np.ndarray,
    areas_in: np.ndarray,
    map_size: tuple[int, int],
    radius: float,
) -> ClaimedPixels:
    """Find the pixels of N_k, ||(i, j) - p_k||² <= r (Eq. 2), and the one person that owns each.

    Where two persons claim a pixel of a part, the smaller takes it; of equal areas the first.

    Args:
        centres_hm: (N, M, 2).
        drawn: (N, M) boolean; other centres claim nothing.
        areas_in: (N,) input pixels².
        map_size: (w, h).
        radius: r, a squared distance in map pixels.

    Returns:
        P pixels, sorted by part, y, x.
    """
    (w, h), num_parts = map_size, centres_hm.shape[1]
    # The pixel's last claim stays, so the smallest, earliest person must come last.
    order = np.lexsort((np.arange(len(areas_in)), areas_in))[::-1]
    rank, part = np.nonzero(drawn[order])
    person = order[rank]
    centre = centres_hm[person, part]
    step = np.arange(int(2 * np.sqrt(radius)) + 1)
    first = np.ceil(centre - np.sqrt(radius))
    x = first[:, :1, None] + step
    y = first[:, 1:, None] + step[:, None]
    near = (x - centre[:, :1, None]) ** 2 + (y - centre[:, 1:, None]) ** 2 <= radius
    near &= (x >= 0) & (x < w) & (y >= 0) & (y < h)
    claim, row, column = np.nonzero(near)
    owner = np.full((num_parts, h, w), -1, dtype=np.int32)
    owner[part[claim], y[claim, row, 0].astype(np.int64), x[claim, 0, column].astype(np.int64)] = (
        person[claim]
    )
    cells = np.flatnonzero(owner >= 0)
    part, y, x = np.unravel_index(cells, owner.shape)
    return ClaimedPixels(part, y, x, owner.reshape(-1)[cells])


def pixel_offsets(
    pixels: ClaimedPixels, keypoints_hm: np.ndarray, present: np.ndarray, areas_in: np.ndarray
) -> OffsetTargets:
    """Compute the offsets (Eq. 2, pixel - keypoint), their weights 1/√S and the areas S (Eq. 3).

    Args:
        pixels: P pixels with their persons.
        keypoints_hm: (N, K, 2).
        present: (N, K) boolean: labelled and inside the map; others get weight 0.
        areas_in: (N,) positive, input pixels².
    """
    part, y, x, person = pixels
    offsets = (np.stack((x, y), axis=-1)[:, None] - keypoints_hm[person]).astype(np.float32)
    offsets[~present[person]] = 0
    weights = (present / np.sqrt(areas_in)[:, None]).astype(np.float32)
    return OffsetTargets(
        np.stack((part, y, x), axis=-1),
        offsets,
        weights[person],
        areas_in[person].astype(np.float32),
    )


def write_offsets(
    targets: OffsetTargets, offsets: np.ndarray, weights: np.ndarray, areas: np.ndarray
) -> None:
    """Write the targets of P pixels into zeroed maps.

    Args:
        targets: what stands where.
        offsets: (M·2K, H, W) float32; channel order part, keypoint, then x, y.
        weights: alike; x and y have the same.
        areas: (M, H, W) float32.

    Raises:
        ValueError: `offsets` or `weights` are not C-contiguous; nothing is written.
    """
    flat_offsets, flat_weights = _flat_view('offsets', offsets), _flat_view('weights', weights)
    (m, h, w), (part, y, x) = areas.shape, targets.pixels.T
    areas[part, y, x] = targets.areas
    # Channel after channel and pixels in order, about as memory lies.
    k = len(offsets) // (2 * m)
    channel = np.arange(2 * k)[:, None]
    cells = (2 * k * part + channel) * (h * w) + (y * w + x)
    flat_offsets[cells] = targets.offsets.reshape(-1, 2 * k).T
    flat_weights[cells] = targets.weights.T.repeat(2, axis=0)


def disc_offsets(
    centres_hm: np.ndarray,
    drawn: np.ndarray,
    keypoints_hm: np.ndarray,
    present: np.ndarray,
    areas_in: np.ndarray,
    map_size: tuple[int, int],
    radius: float,
) -> OffsetTargets:
    """Claim pixels and compute their offsets: `claim_pixels`, then `pixel_offsets`.

    Args:
        centres_hm: (N, M, 2).
        drawn: (N, M) boolean; other centres claim nothing, nor do those outside the map.
        keypoints_hm: (N, K, 2).
        present: (N, K) boolean: labelled and inside the map; others get weight 0.
        areas_in: (N,) positive, input pixels².
        map_size: (w, h).
        radius: r, a squared distance in map pixels.
    """
    drawn = drawn & inside_map(centres_hm, map_size)
    pixels = claim_pixels(centres_hm, drawn, areas_in, map_size, radius)
    return pixel_offsets(pixels, keypoints_hm, present, areas_in)
