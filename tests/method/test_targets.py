"""Claimed pixels and offset targets against plain loops, and by hand."""

from pinet_mm.method.targets import (
    claim_pixels,
    pixel_offsets,
    write_offsets,
)

import numpy as np
import pytest

from tests.helpers.maps import MAP_SIZE
from tests.helpers.points import random_points


def offset_maps(claimed, keypoints, present, areas, shape):
    targets = pixel_offsets(*claimed, keypoints, present, areas)
    assert [array.dtype for array in targets] == [np.int64] + [np.float32] * 3
    offsets, weights = np.zeros((2, shape[0] * 2 * keypoints.shape[1], *shape[1:]), np.float32)
    area_maps = np.zeros(shape, np.float32)
    write_offsets(targets, offsets, weights, area_maps)
    return offsets, weights, area_maps


def naive_owners(centers, drawn, areas, map_size, radius):
    """(M, H, W): person that owns each pixel, -1 for nobody."""
    owner = np.full((centers.shape[1], *map_size[::-1]), -1)
    for m, y, x in np.ndindex(*owner.shape):
        near = [
            (areas[n], n)
            for n in range(len(centers))
            if drawn[n, m] and (x - centers[n, m, 0]) ** 2 + (y - centers[n, m, 1]) ** 2 <= radius
        ]
        owner[m, y, x] = min(near)[1] if near else -1
    return owner


def owners(claimed, map_size, num_parts):
    pixels, person = claimed
    owner = np.full((num_parts, *map_size[::-1]), -1)
    owner[tuple(pixels.T)] = person
    return owner


def claim(centers, areas, radius=2.0, drawn=None, map_size=MAP_SIZE):
    centers = np.asarray(centers, dtype=float)
    drawn = np.ones(centers.shape[:2], dtype=bool) if drawn is None else drawn
    return claim_pixels(centers, drawn, np.asarray(areas, dtype=float), map_size, radius)


# --- neighborhoods ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'radius, shape',
    [
        (0, ['.....', '.....', '..#..', '.....', '.....']),
        (1, ['.....', '..#..', '.###.', '..#..', '.....']),
        (2, ['.....', '.###.', '.###.', '.###.', '.....']),
        (4, ['..#..', '.###.', '#####', '.###.', '..#..']),
        (5, ['.###.', '#####', '#####', '#####', '.###.']),
    ],
)
def test_neighborhood_of_a_whole_pixel(radius, shape):
    owner = owners(claim([[[2.0, 2.0]]], [1], radius, map_size=(5, 5)), (5, 5), 1)
    assert [''.join('.#'[pixel + 1] for pixel in row) for row in owner[0]] == shape


def test_neighborhood_between_pixels():
    # ||.||² <= 2 around (2.5, 2.5): the inner 2×2 at 0.5; the next ones are at 2.5.
    pixels, person = claim([[[2.5, 2.5]]], [1])
    assert pixels.tolist() == [[0, 2, 2], [0, 2, 3], [0, 3, 2], [0, 3, 3]]
    assert person.tolist() == [0] * 4


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('radius', [0.5, 2.0, 7.3])
def test_pixels_belong_to_the_smaller_then_the_first(seed, radius):
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-2, 14, (8, 2, 2))
    if seed % 2:
        centers = np.round(centers)
    areas, drawn = rng.choice([100.0, 200.0, 300.0], 8), rng.random((8, 2)) < 0.8
    size = (12, 11)
    claimed = claim(centers, areas, radius, drawn, size)
    np.testing.assert_array_equal(
        owners(claimed, size, 2), naive_owners(centers, drawn, areas, size, radius)
    )
    rows = claimed[0].tolist()
    assert rows == sorted(map(list, set(map(tuple, rows))))


def test_the_smaller_person_wins_whatever_the_order():
    centers = [[[5.0, 5.0]], [[6.0, 5.0]], [[7.0, 5.0]]]
    owner = owners(claim(centers, [30, 20, 30]), MAP_SIZE, 1)[0]
    assert owner[5, 3:10].tolist() == [-1, 0, 1, 1, 1, 2, -1]
    owner = owners(claim(centers[::-1], [30, 20, 30]), MAP_SIZE, 1)[0]
    assert owner[5, 3:10].tolist() == [-1, 2, 1, 1, 1, 0, -1]


def test_of_equal_areas_the_first_person_wins():
    owner = owners(claim([[[5.0, 5.0]], [[6.0, 5.0]]], [20, 20]), MAP_SIZE, 1)[0]
    assert owner[5, 3:9].tolist() == [-1, 0, 0, 0, 1, -1]
    owner = owners(claim([[[6.0, 5.0]], [[5.0, 5.0]]], [20, 20]), MAP_SIZE, 1)[0]
    assert owner[5, 3:9].tolist() == [-1, 1, 0, 0, 0, -1]


# --- offsets -------------------------------------------------------------------------------------


def test_offsets_by_hand():
    claimed = claim([[[3.0, 2.0]]], [16], map_size=(8, 6))
    keypoints = np.array([[[3.0, 2.0], [5.5, 0.25], [40.0, 2.0]]])
    present = np.array([[True, True, False]])
    offsets, weights, areas = offset_maps(claimed, keypoints, present, np.array([16.0]), (1, 6, 8))
    assert offsets.shape == weights.shape == (6, 6, 8) and areas.shape == (1, 6, 8)
    assert offsets.dtype == weights.dtype == areas.dtype == np.float32
    # At the center pixel keypoint 0 has a target of exactly 0, which counts.
    assert offsets[:, 2, 3].tolist() == [0, 0, -2.5, 1.75, 0, 0]
    assert weights[:, 2, 3].tolist() == [0.25, 0.25, 0.25, 0.25, 0, 0]
    assert offsets[:, 1, 4].tolist() == [1, -1, -1.5, 0.75, 0, 0]
    assert areas[0, 1, 4] == 16
    # Outside the neighborhood there is nothing.
    assert offsets[:, 2, 5].tolist() == weights[:, 2, 5].tolist() == [0] * 6
    assert (weights[0] > 0).sum() == (areas > 0).sum() == 9


@pytest.mark.parametrize('seed', range(4))
def test_offsets_are_the_naive_loops(seed):
    rng = np.random.default_rng(seed)
    centers, keypoints = rng.uniform(-1, 20, (5, 2, 2)), random_points(rng, 5, 3)
    present, areas = rng.random((5, 3)) < 0.6, rng.uniform(1, 900, 5)
    claimed, shape = claim(centers, areas), (2, *MAP_SIZE[::-1])
    offsets, weights, area_maps = offset_maps(claimed, keypoints, present, areas, shape)
    owner = naive_owners(centers, np.ones((5, 2)), areas, MAP_SIZE, 2.0)
    expected = np.zeros((3, 2, 3, 2, *shape[1:]))
    for m, y, x in np.argwhere(owner >= 0):
        n = owner[m, y, x]
        for k in range(3):
            if present[n, k]:
                expected[0, m, k, :, y, x] = np.array([x, y]) - keypoints[n, k]
                expected[1, m, k, :, y, x] = areas[n] ** -0.5
        expected[2, m, 0, 0, y, x] = areas[n]
    np.testing.assert_allclose(offsets, expected[0].reshape(offsets.shape), atol=1e-5)
    np.testing.assert_allclose(weights, expected[1].reshape(weights.shape), rtol=1e-6)
    np.testing.assert_allclose(area_maps, expected[2, :, 0, 0], rtol=1e-6)
    assert (owner >= 0).any()


@pytest.mark.parametrize('name', ['offsets', 'weights'])
def test_maps_that_would_lose_their_offsets_are_refused(name):
    # Channels last in memory: a flat index reaches a copy of them only.
    maps = dict.fromkeys(('offsets', 'weights'), np.zeros((4, 6, 8), np.float32))
    maps[name] = np.zeros((6, 8, 4), np.float32).transpose(2, 0, 1)
    claimed = claim([[[3.0, 2.0]]], [16], map_size=(8, 6))
    targets = pixel_offsets(
        *claimed, np.array([[[5.0, 4.0], [1.0, 1.0]]]), np.ones((1, 2), bool), np.array([16.0])
    )
    areas = np.zeros((1, 6, 8), np.float32)
    message = rf'^{name} must be C-contiguous .* strides \(4, 128, 16\) and shape \(4, 6, 8\)$'
    with pytest.raises(ValueError, match=message):
        write_offsets(targets, maps['offsets'], maps['weights'], areas)
    assert not areas.any()
