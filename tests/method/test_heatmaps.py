"""Heatmap targets against plain loops over people, keypoints and pixels, and by hand."""

import math

from pinet_mm.method import targets
from pinet_mm.method.targets import (
    draw_gaussians,
    inside_map,
    part_centers,
    weigh_heatmaps,
)

import numpy as np
import pytest

from studies import naive
from tests.helpers.maps import MAP_SIZE
from tests.helpers.points import random_points


def gaussian_heatmaps(points, drawn, map_size, sigma, background):
    heatmaps = np.zeros((points.shape[1], *map_size[::-1]), dtype=np.float32)
    draw_gaussians(heatmaps, points, drawn, sigma)
    weights = np.full_like(heatmaps, np.nan)
    weigh_heatmaps(weights, heatmaps, background)
    return heatmaps, weights


def naive_gaussians(points, drawn, map_size, sigma, background):
    shape = (points.shape[1], *map_size[::-1])
    maps = dict(heatmaps=np.zeros(shape), heatmap_weights=np.full(shape, background))
    for n, j in np.argwhere(drawn):
        naive.draw(maps, j, points[n, j], sigma)
    return maps['heatmaps'], maps['heatmap_weights']


# --- part centers and the map's extent -----------------------------------------------------------


@pytest.mark.parametrize('seed', range(5))
def test_part_centers_are_means_over_labeled_keypoints(seed, toy_layout):
    rng = np.random.default_rng(seed)
    points, labeled = random_points(rng, 6, 5), rng.random((6, 5)) < 0.5
    centers, defined = part_centers(points, labeled, toy_layout.membership)
    assert centers.shape == (6, 3, 2) and defined.shape == (6, 3)
    for n, m in np.ndindex(6, 3):
        expected = naive.part_center(points[n], labeled[n], toy_layout.parts[m])
        assert defined[n, m] == (expected is not None)
        assert centers[n, m] == pytest.approx(expected or (0, 0), abs=1e-12)


def test_keypoints_outside_the_map_count_for_the_center():
    points = np.array([[[-10.0, 4.0], [16.0, 8.0]]])
    centers, defined = part_centers(points, np.array([[True, True]]), np.array([[True, True]]))
    assert centers.tolist() == [[[3.0, 6.0]]] and defined.tolist() == [[True]]


def test_what_is_not_labeled_may_be_anything():
    points = np.array([[[np.nan, np.inf], [16.0, 8.0]], [[np.nan, 0], [1e300, 1e300]]])
    labeled, whole = np.array([[False, True], [False, False]]), np.array([[True, True]])
    centers, defined = part_centers(points, labeled, whole)
    assert centers.tolist() == [[[16.0, 8.0]], [[0.0, 0.0]]]
    assert defined.tolist() == [[True], [False]]


def test_inside_map_takes_the_first_pixel_and_not_the_size():
    points = np.array([[0, 0], [3.999, 2.999], [4, 0], [0, 3], [-1e-9, 1], [1, -1e-9]])
    assert inside_map(points, (4, 3)).tolist() == [True, True, False, False, False, False]
    assert inside_map(np.zeros((0, 5, 2)), (4, 3)).shape == (0, 5)


# --- Gaussians -----------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('sigma', [0.1, 1.0, 1.7, 2.0])  # at 0.1 float32 has no digits for it
def test_gaussians_are_the_naive_loops(seed, sigma):
    rng = np.random.default_rng(seed)
    points, drawn = random_points(rng, 5, 3), rng.random((5, 3)) < 0.7
    points[:2] = np.round(points[:2])  # windows whose sides are whole numbers
    heatmaps, weights = gaussian_heatmaps(points, drawn, MAP_SIZE, sigma, 0.3)
    expected_heatmaps, expected_weights = naive_gaussians(points, drawn, MAP_SIZE, sigma, 0.3)
    np.testing.assert_allclose(heatmaps, expected_heatmaps, atol=1e-6)
    np.testing.assert_array_equal(weights, expected_weights.astype(np.float32))


def test_more_gaussians_than_a_piece():
    rng = np.random.default_rng(0)
    points, drawn = random_points(rng, 60, 7), np.ones((60, 7), dtype=bool)
    assert drawn.sum() > targets._PIECE
    heatmaps, _ = gaussian_heatmaps(points, drawn, MAP_SIZE, 1.5, 0.1)
    expected, _ = naive_gaussians(points, drawn, MAP_SIZE, 1.5, 0.1)
    np.testing.assert_allclose(heatmaps, expected, atol=1e-6)


def test_maps_in_pieces_are_refused():
    heatmaps = np.zeros((2, 8, 6), np.float32).transpose(0, 2, 1)
    with pytest.raises(
        ValueError,
        match=r'heatmaps must be C-contiguous .* found strides '
        r'\(192, 4, 24\) and shape \(2, 6, 8\)',
    ):
        draw_gaussians(heatmaps, np.zeros((1, 2, 2)), np.ones((1, 2), bool), 2.0)


@pytest.mark.parametrize('sigma', [1e-12, 1e-3])
def test_a_narrow_gaussian_is_its_middle(sigma):
    with np.errstate(all='raise', under='ignore'):
        heatmaps, _ = gaussian_heatmaps(
            np.array([[[10.0, 9.0]]]), np.array([[True]]), (30, 20), sigma, 0.1
        )
    assert heatmaps[0, 9, 10] == 1
    assert 0 < heatmaps[0, 9, 11] < 1e-18


def test_gaussian_by_hand():
    heatmaps, weights = gaussian_heatmaps(
        np.array([[[10.0, 9.0]]]), np.array([[True]]), (30, 20), 2.0, 0.1
    )
    assert heatmaps[0, 9, 10] == 1
    assert heatmaps[0, 9, 11] == pytest.approx(math.exp(-1 / 4))
    assert heatmaps[0, 7, 9] == pytest.approx(math.exp(-5 / 4))
    # The window: 10 - 6 - 1 = 3 to 10 + 6 + 2 = 18, the end excluded; in y 2 to 17.
    in_window = np.zeros((20, 30), dtype=bool)
    in_window[2:17, 3:18] = True
    np.testing.assert_array_equal(heatmaps[0] > 0, in_window)
    np.testing.assert_array_equal(weights[0], np.where(in_window, 1, 0.1).astype(np.float32))


@pytest.mark.parametrize('size', [(5, 4), (16, 3), (1, 1), (40, 9)])
def test_maps_smaller_than_a_window(size):
    rng = np.random.default_rng(0)
    points, drawn = rng.uniform((0, 0), size, (3, 2, 2)), np.ones((3, 2), dtype=bool)
    heatmaps, weights = gaussian_heatmaps(points, drawn, size, 2.0, 0.1)
    expected_heatmaps, expected_weights = naive_gaussians(points, drawn, size, 2.0, 0.1)
    np.testing.assert_allclose(heatmaps, expected_heatmaps, atol=1e-6)
    np.testing.assert_array_equal(weights, expected_weights.astype(np.float32))


@pytest.mark.parametrize('background', [0, 1e-9, 1 / 3, 0.5, 0.7, 0.999, 1, 1.5])
def test_weights_are_exact(background):
    weights = np.empty(4, dtype=np.float32)
    weigh_heatmaps(weights, np.array([0, 1, 1e-38, 0], dtype=np.float32), background)
    assert weights.tolist() == [np.float32(background), 1, 1, np.float32(background)]


def test_overlapping_gaussians_take_the_larger_value():
    points = np.array([[[10.0, 10.0]], [[13.0, 10.0]]])
    one, other = (
        gaussian_heatmaps(points[[i]], np.array([[True]]), (26, 21), 2.0, 0.1)[0] for i in range(2)
    )
    both = gaussian_heatmaps(points, np.array([[True], [True]]), (26, 21), 2.0, 0.1)[0]
    np.testing.assert_array_equal(both, np.maximum(one, other))


def test_channels_are_separate():
    points = np.array([[[5.0, 5.0], [15.0, 12.0]]])
    heatmaps, weights = gaussian_heatmaps(points, np.array([[False, True]]), MAP_SIZE, 2.0, 0.1)
    assert not heatmaps[0].any() and (weights[0] == np.float32(0.1)).all()
    assert np.unravel_index(heatmaps[1].argmax(), heatmaps[1].shape) == (12, 15)
