"""Training targets: part centres, heatmaps (Eq. 1), offset maps (Eq. 2), person areas (Eq. 3).

Equation numbers are those of PINet's supplement. All coordinates are map pixels (`_hm`: network
input divided by the stride, pixel centres at integers, (x, y) last); areas are input pixels²
(`_in`). Shape shorthand: N persons, K keypoints, M parts, H×W map. Nothing here loops over
persons, keypoints or pixels.
"""

from typing import NamedTuple, Tuple

import numpy as np


class ClaimedPixels(NamedTuple):
    """The P pixels that carry an offset target, one row each: Ω before unlabelled keypoints."""

    part: np.ndarray
    y: np.ndarray
    x: np.ndarray
    person: np.ndarray


def part_centres(keypoints_hm: np.ndarray, labelled: np.ndarray,
                 membership: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
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


def inside_map(points_hm: np.ndarray, map_size: Tuple[int, int]) -> np.ndarray:
    """Tell which points (..., 2) lie in [0, W) × [0, H) of a map of size (w, h): (...) boolean."""
    return ((points_hm >= 0) & (points_hm < np.asarray(map_size))).all(axis=-1)


def gaussian_heatmaps(points_hm: np.ndarray, drawn: np.ndarray, map_size: Tuple[int, int],
                      sigma: float, background_weight: float,
                      spread: float = 1) -> Tuple[np.ndarray, np.ndarray]:
    """Draw Eq. 1, exp(-d² / σ²), for every point; where persons overlap the larger value stays.

    A Gaussian is written in the square window floor(x - 3σ - 1) to ceil(x + 3σ + 2), the end
    excluded, alike in y. There the loss weight is 1, elsewhere `background_weight`.

    Args:
        points_hm: (N, J, 2), J = channels.
        drawn: (N, J) boolean; other points leave no trace.
        map_size: (w, h).
        sigma: σ, map pixels.
        background_weight: loss weight away from all points.
        spread: what σ² is multiplied by in the Gaussian, 1 in the paper; the window stays.

    Returns:
        Heatmaps and loss weights, both (J, H, W) float32.
    """
    (w, h), num_channels = map_size, points_hm.shape[1]
    heatmaps = np.zeros((num_channels, h, w), dtype=np.float32)
    weights = np.full((num_channels, h, w), background_weight, dtype=np.float32)
    channel = np.nonzero(drawn)[1]
    (xs, gauss_x, use_x), (ys, gauss_y, use_y) = (
        _window(centre, size, sigma, spread) for centre, size in zip(points_hm[drawn].T, (w, h)))
    use = use_y[:, :, None] & use_x[:, None]
    cells = ((channel[:, None] * h + ys)[:, :, None] * w + xs[:, None])[use]
    values = (gauss_y[:, :, None] * gauss_x[:, None])[use].astype(np.float32)
    np.maximum.at(heatmaps.reshape(-1), cells, values)
    weights.reshape(-1)[cells] = 1
    return heatmaps, weights


def _window(centre: np.ndarray, size: int, sigma: float, spread: float):
    # One axis of the window: positions, Gaussian factor and validity, each (points, window).
    first, end = np.floor(centre - 3 * sigma - 1), np.ceil(centre + 3 * sigma + 2)
    position = first[:, None] + np.arange(int(np.ceil(6 * sigma + 3)) + 1)
    gauss = np.exp(-((position - centre[:, None]) / sigma)**2 / spread)
    use = (position >= 0) & (position < np.minimum(end, size)[:, None])
    return position.astype(np.int64), gauss, use


def claim_pixels(centres_hm: np.ndarray, drawn: np.ndarray, areas_in: np.ndarray,
                 map_size: Tuple[int, int], radius: float) -> ClaimedPixels:
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
    near = (x - centre[:, :1, None])**2 + (y - centre[:, 1:, None])**2 <= radius
    near &= (x >= 0) & (x < w) & (y >= 0) & (y < h)
    claim, row, column = np.nonzero(near)
    owner = np.full((num_parts, h, w), -1, dtype=np.int64)
    owner[part[claim], y[claim, row, 0].astype(np.int64),
          x[claim, 0, column].astype(np.int64)] = person[claim]
    pixels = np.nonzero(owner >= 0)
    return ClaimedPixels(*pixels, owner[pixels])


def offset_maps(pixels: ClaimedPixels, keypoints_hm: np.ndarray, present: np.ndarray,
                areas_in: np.ndarray, map_shape: Tuple[int, int, int]) -> Tuple[np.ndarray, ...]:
    """Write the offsets (Eq. 2, pixel - keypoint), their weights 1/√S and the areas S (Eq. 3).

    Args:
        pixels: P pixels with their persons.
        keypoints_hm: (N, K, 2).
        present: (N, K) boolean: labelled and inside the map; others get weight 0.
        areas_in: (N,) positive, input pixels².
        map_shape: (M, H, W).

    Returns:
        offsets (M·2K, H, W), weights (M·2K, H, W), areas (M, H, W), all float32. Channel order:
        part, keypoint, then x, y.
    """
    (m, h, w), k = map_shape, keypoints_hm.shape[1]
    part, y, x, person = pixels
    offsets = np.zeros((m, k, 2, h, w), dtype=np.float32)
    weights = np.zeros(offsets.shape, dtype=np.float32)  # zeros_like would touch every page
    areas = np.zeros(map_shape, dtype=np.float32)
    use = present[person][:, :, None]
    position = np.stack((x, y), axis=-1)[:, None]
    offsets[part, :, :, y, x] = np.where(use, position - keypoints_hm[person], 0)
    weights[part, :, :, y, x] = use / np.sqrt(areas_in[person])[:, None, None]
    areas[part, y, x] = areas_in[person]
    return offsets.reshape(-1, h, w), weights.reshape(-1, h, w), areas


def disc_offsets(centres_hm: np.ndarray, drawn: np.ndarray, keypoints_hm: np.ndarray,
                 present: np.ndarray, areas_in: np.ndarray, map_size: Tuple[int, int],
                 radius: float) -> Tuple[np.ndarray, ...]:
    """Claim pixels and write their offsets: `claim_pixels`, then `offset_maps`.

    Args:
        centres_hm: (N, M, 2).
        drawn: (N, M) boolean; other centres claim nothing, nor do those outside the map.
        keypoints_hm: (N, K, 2).
        present: (N, K) boolean: labelled and inside the map; others get weight 0.
        areas_in: (N,) positive, input pixels².
        map_size: (w, h).
        radius: r, a squared distance in map pixels.

    Returns:
        offsets (M·2K, H, W), weights (M·2K, H, W), areas (M, H, W), all float32.
    """
    drawn = drawn & inside_map(centres_hm, map_size)
    pixels = claim_pixels(centres_hm, drawn, areas_in, map_size, radius)
    return offset_maps(pixels, keypoints_hm, present, areas_in,
                       (drawn.shape[1], *map_size[::-1]))
