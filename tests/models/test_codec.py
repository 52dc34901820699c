"""PINetCodec: encoding against the naive loops, and by hand."""

import math

import numpy as np
import pytest

from tests.helpers.codecs import assert_same_maps, make_codec, naive_encode
from tests.helpers.maps import MAP_SIZE, STRIDE

SHAPES = dict(heatmaps=8, heatmap_weights=8, offsets=30, offset_weights=30, areas=3)


def one_person(layout, points_in):
    """Encode a single person with an area of 100 px² whose keypoints are labeled."""
    return make_codec(layout).encode(
        np.array([points_in], dtype=float), np.ones((1, 5)), np.array([100.0])
    )


# --- encode --------------------------------------------------------------------------------------


def test_encode_is_the_naive_loops(scene, toy_layout):
    codec = make_codec(toy_layout)
    assert_same_maps(codec.encode(*scene), naive_encode(codec, scene))


def test_encode_with_other_numbers_is_the_naive_loops(scene, toy_layout):
    codec = make_codec(toy_layout, sigma=1.3, radius=5.0, background_weight=0.4, min_area=600.0)
    expected = naive_encode(codec, scene, sigma=1.3, radius=5.0, background=0.4, min_area=600.0)
    assert_same_maps(codec.encode(*scene), expected)


def test_encode_by_hand(toy_layout):
    # Map pixels: nose (5, 3), hands (4, 5) and (8, 5), feet (5, 12) and (8, 13).
    encoded = one_person(toy_layout, [[20, 12], [16, 20], [32, 20], [20, 48], [32, 52]])
    heatmaps = encoded['heatmaps']
    peaks = [np.unravel_index(channel.argmax(), channel.shape)[::-1] for channel in heatmaps]
    assert peaks[:5] == [(5, 3), (4, 5), (8, 5), (5, 12), (8, 13)]
    assert peaks[6] == (6, 5)  # the hands' center
    assert heatmaps[0, 3, 5] == 1 and heatmaps[0, 4, 7] == pytest.approx(math.exp(-5 / 4))
    # The feet's center is (6.5, 12.5): four pixels at a distance² of 0.5.
    assert heatmaps[7, 12:14, 6:8].ravel() == pytest.approx([math.exp(-1 / 8)] * 4)
    assert (encoded['areas'][2] > 0).sum() == 4 and encoded['areas'][2, 12, 6] == 100
    # Hands (part 1) at pixel (7, 4): pixel - keypoint; channels are part, keypoint, x and y.
    offsets = encoded['offsets'].reshape(3, 5, 2, 21, 26)
    assert offsets[1, :, :, 4, 7].tolist() == [[2, 1], [3, -1], [-1, -1], [2, -8], [-1, -9]]
    weights = encoded['offset_weights'].reshape(3, 5, 2, 21, 26)
    assert weights[1, :, :, 4, 7] == pytest.approx(0.1)
    assert not offsets[1, :, :, 4, 8].any() and not weights[1, :, :, 4, 8].any()


def test_a_target_of_exactly_zero_counts(toy_layout):
    encoded = one_person(toy_layout, [[20, 12], [20, 12], [20, 12], [40, 40], [40, 40]])
    offsets, weights = (
        encoded[name].reshape(3, 5, 2, 21, 26)[0, 0, :, 3, 5]
        for name in ('offsets', 'offset_weights')
    )
    assert offsets.tolist() == [0, 0]
    assert weights == pytest.approx(0.1)


def test_shifted_people_give_shifted_maps(toy_layout):
    points = np.random.default_rng(0).uniform(36, 52, (5, 2))
    encoded = one_person(toy_layout, points)
    shifted = one_person(toy_layout, points + np.array([2, -1]) * STRIDE)
    for name in SHAPES:
        moved = np.roll(encoded[name], (-1, 2), axis=(1, 2))
        np.testing.assert_allclose(shifted[name], moved, atol=1e-5, err_msg=name)


def test_the_smaller_person_takes_the_whole_pixel(toy_layout):
    # Same place: the small person lacks a foot, whose offsets must not come from the large one.
    points = np.tile(np.random.default_rng(1).uniform(30, 60, (1, 5, 2)), (2, 1, 1))
    visible = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]])
    encoded = make_codec(toy_layout).encode(points, visible, np.array([900.0, 400.0]))
    weights = encoded['offset_weights'].reshape(3, 5, 2, 21, 26)
    hands = encoded['areas'][1] > 0
    assert set(encoded['areas'][1][hands]) == {400}
    assert weights[1, 0][:, hands] == pytest.approx(1 / 20)
    assert not weights[1, 4].any()
    # The feet's center of the small person is its only foot, so the parts' centers differ.
    assert set(encoded['areas'][2][encoded['areas'][2] > 0]) >= {400}
    assert encoded['heatmaps'][4].max() > 0.7  # the large person's foot is still on its score map


def test_small_people_get_keypoints_but_no_part_centers(toy_layout):
    points = np.random.default_rng(2).uniform(20, 60, (1, 5, 2))
    for area, drawn in ((1023.9, False), (1024.0, True)):
        encoded = make_codec(toy_layout, min_area=32**2).encode(points, area=np.array([area]))
        assert encoded['heatmaps'][:5].max(axis=(1, 2)).min() > 0.7
        for name in ('offset_weights', 'areas'):
            assert encoded[name].any() == drawn
        assert encoded['heatmaps'][5:].any() == drawn
        assert (encoded['heatmap_weights'][5:] == 1).any() == drawn


def test_area_zero_counts_as_one_pixel(toy_layout):
    points = np.random.default_rng(3).uniform(20, 60, (2, 5, 2))
    codec = make_codec(toy_layout)
    encoded = codec.encode(points, area=np.array([0.0, 0.25]))
    assert set(np.unique(encoded['areas'])) == set(np.unique(encoded['offset_weights'])) == {0, 1}
    assert_same_maps(encoded, codec.encode(points, area=np.array([1.0, 1.0])))


def test_nobody_gives_empty_maps(toy_layout):
    encoded = make_codec(toy_layout).encode(np.zeros((0, 5, 2)), np.zeros((0, 5)), np.zeros(0))
    for name, channels in SHAPES.items():
        assert encoded[name].shape == (channels, *MAP_SIZE[::-1])
        assert encoded[name].dtype == np.float32
        expected = np.float32(0.1 if name == 'heatmap_weights' else 0)
        assert (encoded[name] == expected).all()


def test_people_without_labels_or_outside_leave_no_trace(toy_layout):
    codec, points = make_codec(toy_layout), np.random.default_rng(4).uniform(20, 60, (3, 5, 2))
    alone = codec.encode(points[:1], np.ones((1, 5)), np.array([700.0]))
    points[2] -= 200
    visible = np.array([[1] * 5, [0] * 5, [1] * 5])
    assert_same_maps(codec.encode(points, visible, np.array([700.0, 10.0, 10.0])), alone)


def test_all_keypoints_are_labeled_by_default(toy_layout):
    points, area = np.random.default_rng(5).uniform(10, 80, (3, 5, 2)), np.array([90.0, 80.0, 99.0])
    codec = make_codec(toy_layout)
    assert_same_maps(codec.encode(points, area=area), codec.encode(points, np.ones((3, 5)), area))


def test_any_positive_visibility_is_a_label(toy_layout):
    points, area = np.random.default_rng(6).uniform(10, 80, (1, 5, 2)), np.array([90.0])
    codec = make_codec(toy_layout)
    occluded = codec.encode(points, np.array([[2, 1, 0.5, 0, 1]]), area)
    assert_same_maps(occluded, codec.encode(points, np.array([[1, 1, 1, 0, 1]]), area))


def test_encode_leaves_its_inputs_alone(scene, toy_layout):
    kept = [np.array(array) for array in scene]
    make_codec(toy_layout, min_area=500).encode(*scene)
    for array, before in zip(scene, kept):
        np.testing.assert_array_equal(array, before)


def test_float32_keypoints_and_lists_of_areas(toy_layout):
    points = np.random.default_rng(7).uniform(10, 80, (2, 5, 2)).astype(np.float32)
    codec = make_codec(toy_layout)
    expected = codec.encode(points.astype(np.float64), np.ones((2, 5)), np.array([50.0, 60.0]))
    assert_same_maps(codec.encode(points, np.ones((2, 5), np.float32), [50, 60]), expected)
