"""PINetCodec: decoding gives back what was encoded, whole or sparse."""

from pinet_mm.models.codec import PINetCodec
from pinet_mm.models.test_cfg import TestSettings

import numpy as np
import pytest

from tests.helpers.codecs import make_codec, naive_encode, random_layout
from tests.helpers.maps import MAP_SIZE

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


def separate_persons(num_keypoints, grid, side, rng):
    """People in the cells of a grid, each in the middle three fifths of its cell."""
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


def test_decode_sees_two_people_at_one_place_through_their_parts(toy_layout):
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
