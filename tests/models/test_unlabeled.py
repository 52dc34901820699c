"""What stands where no keypoint is labeled never counts: NaN, infinity, huge numbers."""

import warnings

import numpy as np
import pytest

from tests.helpers.toys import build_codec

VARIANTS = dict(whole=dict(), sparse=dict(sparse_offsets=True), release=dict(convention='release'))
every_variant = pytest.mark.parametrize('options', VARIANTS.values(), ids=VARIANTS)
every_junk = pytest.mark.parametrize('junk', [np.nan, np.inf, -1e300, 3.4e38, 77.0])

# Two people in input pixels of stride 4; one of the first's hands and two of the second's
# keypoints are not labeled.
POINTS = np.array(
    [
        [[64, 16], [40, 40], [80, 40], [48, 96], [72, 96]],
        [[20, 24], [8, 44], [36, 40], [16, 80], [32, 84]],
    ],
    dtype=np.float64,
)
LABELS = np.array([[1, 0, 1, 1, 1], [0, 1, 1, 1, 0]], dtype=np.float64)
AREA = np.array([900.0, 400.0])


def encode(options, points, labels):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return build_codec(**options).encode(points, labels, AREA)


def assert_identical(found, wanted):
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@every_variant
@every_junk
def test_targets_are_those_of_zeros(options, junk):
    zeros, filled = (np.where(LABELS[..., None] > 0, POINTS, value) for value in (0, junk))
    assert_identical(encode(options, filled, LABELS), encode(options, zeros, LABELS))


@every_variant
@pytest.mark.parametrize('junk', [np.nan, np.inf])
def test_labeled_keypoints_that_are_no_numbers_count_as_unlabeled(options, junk):
    broken = np.where(LABELS[..., None] > 0, POINTS, junk)
    assert_identical(encode(options, broken, np.ones((2, 5))), encode(options, POINTS, LABELS))


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_the_center_is_that_of_the_labeled_hand(options):
    # Without the first person's left hand the center of its hands is the right one: (80, 40) / 4.
    broken = np.where(LABELS[..., None] > 0, POINTS, np.nan)
    hands = encode(options, broken, LABELS)['heatmaps'][6]
    assert hands[10, 20] == 1 and hands[10, 15] < 0.1
    # The second's are both labeled: ((8, 44) + (36, 40)) / 8 = (5.5, 10.5).
    assert hands[10, 5] == hands[11, 6] == hands[10:12, 5:7].max() > 0.8


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_a_labeled_keypoint_beyond_all_images_has_no_target(options):
    far = POINTS.copy()
    far[0, 1] = 1e300
    found, near = encode(options, far, np.ones((2, 5))), encode(options, POINTS, np.ones((2, 5)))
    assert all(np.isfinite(array).all() for array in found.values())
    # Of its person the left hand and the hands' center are lost; the rest of the heatmaps stays.
    same = [0, 2, 3, 4, 5, 7]
    np.testing.assert_array_equal(found['heatmaps'][same], near['heatmaps'][same])
    assert found['heatmaps'][1, 10, 10] == found['heatmaps'][6, 10, 15] == 0
