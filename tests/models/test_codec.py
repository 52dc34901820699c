"""PINetCodec: encoding against the naive loops, decoding back, and what configs can get wrong."""

import math
import warnings

from pinet_mm.method.layouts import PartLayout
from pinet_mm.models.codec import PINetCodec, build_layout
from pinet_mm.models.test_cfg import TestSettings

import numpy as np
import pytest

from studies import naive
from tests.conftest import MAP_SIZE, STRIDE

INPUT_SIZE = tuple(side * STRIDE for side in MAP_SIZE)
SHAPES = dict(heatmaps=8, heatmap_weights=8, offsets=30, offset_weights=30, areas=3)


def make_codec(layout, **options):
    return PINetCodec(
        **{**dict(input_size=INPUT_SIZE, heatmap_size=MAP_SIZE, layout=layout), **options}
    )


def naive_encode(codec, scene, **options):
    return naive.encode(*scene, codec.layout.parts, codec.heatmap_size, codec.stride, **options)


def assert_same_maps(encoded, expected):
    assert set(encoded) == set(expected)
    for name, maps in expected.items():
        assert encoded[name].dtype == np.float32
        assert encoded[name].shape == maps.shape
        np.testing.assert_allclose(encoded[name], maps, rtol=1e-6, atol=1e-6, err_msg=name)


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


def test_shifted_persons_give_shifted_maps(toy_layout):
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


def test_small_persons_get_keypoints_but_no_part_centers(toy_layout):
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


def test_persons_without_labels_or_outside_leave_no_trace(toy_layout):
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


# --- sparse offsets ------------------------------------------------------------------------------


def test_sparse_offsets_are_the_naive_loops_pixel_by_pixel(scene, toy_layout):
    codec = make_codec(toy_layout, sparse_offsets=True)
    encoded, maps = codec.encode(*scene), naive_encode(codec, scene)
    for name in ('heatmaps', 'heatmap_weights'):
        np.testing.assert_allclose(encoded.pop(name), maps[name], atol=1e-6)
    pixels = encoded['target_pixels']
    wanted = np.argwhere(maps['areas'] > 0)  # sorted by part, y, x
    assert pixels.dtype == np.int64
    np.testing.assert_array_equal(pixels, wanted.reshape(-1, 3))
    part, y, x = pixels.T
    offsets, weights = (
        maps[name].reshape(3, 5, 2, *MAP_SIZE[::-1])[part, :, :, y, x]
        for name in ('offsets', 'offset_weights')
    )
    for name, values in dict(
        target_offsets=offsets,
        target_weights=weights[..., 0],
        target_areas=maps['areas'][part, y, x],
    ).items():
        assert encoded[name].dtype == np.float32 and encoded[name].shape == values.shape
        np.testing.assert_allclose(encoded[name], values, rtol=1e-6, atol=1e-6, err_msg=name)
    assert set(encoded) == set(codec.label_mapping_table)


@pytest.mark.parametrize('convention', ['paper', 'release'])
@pytest.mark.parametrize('count', [0, 4])
def test_sparse_offsets_decode_like_whole_maps(toy_layout, convention, count):
    scene = np.random.default_rng(11).uniform(10, 80, (count, 5, 2)), None, np.full(count, 400.0)
    whole, sparse = (
        codec.decode(codec.encode(*scene))
        for codec in (
            make_codec(toy_layout, convention=convention, sparse_offsets=flag)
            for flag in (False, True)
        )
    )
    for found, wanted in zip(sparse, whole):
        np.testing.assert_array_equal(found, wanted)


# --- decode --------------------------------------------------------------------------------------


def random_layout(num_keypoints, num_parts):
    """Keypoint k belongs to part k modulo M; no mirror pairs."""
    metainfo = dict(
        keypoint_id2name={k: f'point{k}' for k in range(num_keypoints)},
        sigmas=[0.08] * num_keypoints,
    )
    parts = {f'part{m}': list(range(m, num_keypoints, num_parts)) for m in range(num_parts)}
    return PartLayout.from_metainfo(metainfo, parts)


def separate_persons(num_keypoints, grid, side, rng):
    """Persons in the cells of a grid, each in the middle three fifths of its cell."""
    corners = np.stack(np.meshgrid(*(np.arange(count) * side for count in grid)), axis=-1)
    corners = corners.reshape(-1, 1, 2)
    return corners + rng.uniform(0.2 * side, 0.8 * side, (len(corners), num_keypoints, 2))


@pytest.mark.parametrize('num_keypoints, num_parts', [(5, 1), (5, 3), (14, 3), (17, 6), (133, 6)])
def test_decode_inverts_encode(num_keypoints, num_parts):
    keypoints = separate_persons(num_keypoints, (3, 2), 160, np.random.default_rng(8))
    codec = PINetCodec((480, 320), (120, 80), random_layout(num_keypoints, num_parts))
    decoded, scores = codec.decode(codec.encode(keypoints, area=np.full(6, 9000.0)))
    assert decoded.shape == keypoints.shape and scores.shape == keypoints.shape[:2]
    assert 0.5 < scores.min() and scores.max() <= 1
    nearest = np.abs(decoded[:, None] - keypoints).max(axis=(2, 3)).argmin(axis=1)
    assert sorted(nearest) == list(range(6))
    np.testing.assert_allclose(decoded, keypoints[nearest], atol=1e-3)


@pytest.mark.parametrize(
    'default, num_parts, count',
    [
        (dict(), 3, 3),
        (dict(max_per_part=2), 1, 2),
        (dict(part_thr=2.0), 3, 0),
        (dict(oks_thr=1.0), 3, 9),  # nobody is the same person as anybody
    ],
)
def test_decode_takes_the_defaults_of_a_test_cfg(monkeypatch, default, num_parts, count):
    defaults = {**vars(TestSettings()), **default}
    monkeypatch.setattr(TestSettings.__init__, '__defaults__', tuple(defaults.values()))
    keypoints = separate_persons(6, (3, 1), 160, np.random.default_rng(12))
    codec = PINetCodec((480, 160), (120, 40), random_layout(6, num_parts))
    decoded, _ = codec.decode(codec.encode(keypoints, area=np.full(3, 9000.0)))
    assert len(decoded) == count


def test_decode_sees_two_persons_at_one_place_through_their_parts(toy_layout):
    # The same hands, other feet: one part proposes one of them, the other part both.
    points = np.array(
        [
            [[40, 20], [36, 40], [44, 40], [16, 70], [20, 72.0]],
            [[60, 20], [36, 40], [44, 40], [80, 70], [84, 72.0]],
        ]
    )
    codec = make_codec(toy_layout)
    decoded, _ = codec.decode(codec.encode(points, area=np.array([900.0, 900.0])))
    for person in points:
        assert np.abs(decoded - person).max(axis=(1, 2)).min() < 1e-3


def test_decode_of_empty_maps(toy_layout):
    codec = make_codec(toy_layout)
    keypoints, scores = codec.decode(codec.encode(np.zeros((0, 5, 2)), area=np.zeros(0)))
    assert keypoints.shape == (0, 5, 2) and scores.shape == (0, 5)


# --- other layouts -------------------------------------------------------------------------------


def test_whole_body_of_133_keypoints():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMPose tells that it found its own file
        layout = build_layout(
            dict(metainfo='configs/_base_/datasets/coco_wholebody.py', parts=dict(person='all'))
        )
    codec = make_codec(layout)
    rng = np.random.default_rng(9)
    keypoints, visible = rng.uniform(-10, 110, (2, 133, 2)), rng.integers(0, 2, (2, 133))
    area = np.array([500.0, 400.0])
    assert_same_maps(
        codec.encode(keypoints, visible, area), naive_encode(codec, (keypoints, visible, area))
    )


@pytest.mark.parametrize('num_parts', [1, 6])
def test_other_numbers_of_parts(num_parts):
    codec = make_codec(random_layout(13, num_parts))
    rng = np.random.default_rng(num_parts)
    keypoints, visible = rng.uniform(-10, 110, (3, 13, 2)), rng.integers(0, 2, (3, 13))
    area = np.array([500.0, 400.0, 500.0])
    encoded = codec.encode(keypoints, visible, area)
    assert encoded['offsets'].shape == (num_parts * 26, *MAP_SIZE[::-1])
    assert_same_maps(encoded, naive_encode(codec, (keypoints, visible, area)))


def test_another_stride(toy_layout):
    codec = make_codec(toy_layout, input_size=(52, 42))
    assert codec.stride == 2
    rng = np.random.default_rng(10)
    scene = rng.uniform(0, 45, (2, 5, 2)), np.ones((2, 5)), np.array([70.0, 80.0])
    assert_same_maps(codec.encode(*scene), naive_encode(codec, scene))


def test_layout_from_a_config(toy_metainfo, toy_layout):
    config = dict(
        metainfo=toy_metainfo, parts=dict(feet=[3, 4]), sigmas=[0.1] * 5, skeleton=[(0, 1)]
    )
    layout = build_layout(config)
    assert (layout.parts, layout.skeleton) == (((3, 4),), ((0, 1),))
    assert layout.sigmas == (0.1,) * 5
    assert set(config) == {'metainfo', 'parts', 'sigmas', 'skeleton'}
    assert build_layout(toy_layout) is toy_layout


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(convention='papers'), r"convention must be one of \('paper'.*; found 'papers'"),
        (dict(sigma=0), 'sigma must be above 0 and radius at least 0; found 0 and 2.0'),
        (dict(sigma=-2), 'sigma must be above 0 and radius at least 0; found -2 and 2.0'),
        (dict(radius=-1), 'sigma must be above 0 and radius at least 0; found 2.0 and -1'),
        (dict(input_size=(105, 84)), r'whole multiple of heatmap_size.*\(105, 84\) and \(26, 21\)'),
        (dict(input_size=(104, 63)), r'the same in both axes; found \(104, 63\) and \(26, 21\)'),
        (dict(input_size=(13, 21)), r'whole multiple of heatmap_size.*\(13, 21\) and \(26, 21\)'),
    ],
)
def test_wrong_options(toy_layout, options, message):
    with pytest.raises(ValueError, match=message):
        make_codec(toy_layout, **options)


@pytest.mark.parametrize(
    'layout, found',
    [
        (dict(metainfo='coco.py'), r"\['metainfo'\]"),
        (dict(parts=dict(person='all')), r"\['parts'\]"),
        (dict(metainfo='coco.py', parts={}, edges=[]), r"\['edges', 'metainfo', 'parts'\]"),
    ],
)
def test_wrong_layout_keys(layout, found):
    with pytest.raises(ValueError, match=f'layout takes the keys .*metainfo.*; found {found}'):
        build_layout(layout)


@pytest.mark.parametrize('shape', [(2, 4, 2), (2, 5, 3), (5, 2), (2, 6, 2)])
def test_wrong_number_of_keypoints(toy_layout, shape):
    with pytest.raises(ValueError, match=r'keypoints must have the shape \(N, 5, 2\).*found \('):
        make_codec(toy_layout).encode(np.zeros(shape), area=np.ones(shape[0]))


@pytest.mark.parametrize('area, found', [(None, 'None'), (np.ones(3), '3'), (np.ones(0), '0')])
def test_missing_areas(toy_layout, area, found):
    message = f'area must hold one number for each of the 2 people; found {found}'
    with pytest.raises(ValueError, match=message):
        make_codec(toy_layout).encode(np.zeros((2, 5, 2)), np.ones((2, 5)), area)
