"""RandomCropAffine: what is drawn, and where points go."""

from pinet_mm import RandomCropAffine, ReleaseCrop

import numpy as np
import pytest
from scipy.stats import kstest

from tests.helpers import toys  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from tests.helpers.crops import CROP, crop_results, find_dot, image_of_dots


def drawn_crops(shape, count=1500, size=32, **options):
    """Crop sides and shifts in image pixels, angles in degrees, warps of many draws."""
    np.random.seed(0)
    transform = RandomCropAffine(**dict(CROP, input_size=(size, size), **options))
    warps = np.stack([transform(crop_results(shape))['warp_mat'] for _ in range(count)])
    scale = np.sqrt(np.linalg.det(warps[:, :, :2]))
    # The crop's middle is what lands in the middle of the input.
    middle = np.linalg.solve(warps[:, :, :2], (size / 2 - warps[:, :, 2])[..., None])[..., 0]
    angles = np.degrees(np.arctan2(warps[:, 1, 0], warps[:, 0, 0]))
    return size / scale, middle - np.array(shape[::-1]) / 2, angles, warps


@pytest.mark.parametrize('shape', [(40, 60), (75, 50)])
def test_crops_are_uniform_shares_of_the_short_side(shape):
    sides, shifts, angles, warps = drawn_crops(shape)
    for values, low, high in (
        (sides / min(shape), 0.75, 1.5),
        (angles, -30, 30),
        (shifts[:, 0] / sides, -0.2, 0.2),
        (shifts[:, 1] / sides, -0.2, 0.2),
    ):
        assert low - 1e-4 <= values.min() and values.max() <= high + 1e-4
        assert kstest((values - low) / (high - low), 'uniform').pvalue > 1e-3
    # Shifts, sides and angles have nothing to do with each other.
    draws = np.stack((shifts[:, 0] / sides, shifts[:, 1] / sides, sides, angles))
    assert np.abs(np.corrcoef(draws) - np.eye(4)).max() < 0.1
    # No shear and no mirror image: rotation × scale.
    turned = warps[:, :, :2] / np.sqrt(np.linalg.det(warps[:, :, :2]))[:, None, None]
    np.testing.assert_allclose(
        turned @ turned.transpose(0, 2, 1), [np.eye(2)] * len(turned), atol=1e-5
    )


@pytest.mark.parametrize('scale_type, side', [('short', 200), ('long', 400)])
def test_shifts_are_shares_of_the_crop_whatever_side_it_is_measured_by(scale_type, side):
    options = dict(scale_type=scale_type, scale_factor=(1.0, 1.0), rotate_factor=0.0)
    sides, shifts, _, _ = drawn_crops((200, 400), 300, shift_factor=0.2, **options)
    np.testing.assert_allclose(sides, side, rtol=1e-5)
    # Of 300 uniform draws the largest is within 5 % of the limit, but for one time in 10⁶.
    np.testing.assert_array_less(0.19 * side, np.abs(shifts).max(axis=0))
    np.testing.assert_array_less(np.abs(shifts).max(axis=0), 0.2001 * side)


def test_a_wide_crop_is_shifted_by_shares_of_its_width_and_height():
    np.random.seed(0)
    crop = RandomCropAffine(
        **dict(CROP, input_size=(96, 32), scale_factor=(1.0, 1.0), rotate_factor=0.0)
    )
    warps = np.stack([crop(crop_results((100, 150)))['warp_mat'] for _ in range(300)])
    # 150×50 pixels of the image at zoom 96 / 150: their middle is that of the input, (48, 16).
    middle_img = (np.array([48, 16]) - warps[:, :, 2]) / (96 / 150)
    largest = np.abs(middle_img - (75, 50)).max(axis=0)
    np.testing.assert_array_less((28.5, 9.5), largest)
    np.testing.assert_array_less(largest, (30.01, 10.01))


def test_other_factors():
    sides, shifts, angles, _ = drawn_crops(
        (50, 80), 300, scale_factor=(0.5, 0.6), shift_factor=0.05, rotate_factor=0.0
    )
    assert 25 <= sides.min() < 25.3 and 29.7 < sides.max() <= 30.001
    assert 0.045 < np.abs(shifts / sides[:, None]).max() <= 0.0501
    assert np.abs(angles).max() < 1e-4


def test_the_same_seed_draws_the_same_crop():
    def draw(seed):
        np.random.seed(seed)
        return RandomCropAffine(**CROP)(crop_results((90, 100)))['warp_mat']

    np.testing.assert_array_equal(draw(3), draw(3))
    assert np.abs(draw(3) - draw(4)).max() > 0.01


@pytest.mark.parametrize(
    'crop',
    [RandomCropAffine(**dict(CROP, input_size=(192, 192))), ReleaseCrop((192, 192))],
    ids=['paper', 'release'],
)
@pytest.mark.parametrize('seed', range(5))
def test_keypoints_follow_the_image(seed, crop):
    np.random.seed(seed)
    points = np.array([[[45.0, 50.0], [75.0, 50.0], [60.0, 72.0]]])
    results = crop_results((110, 120), points.astype(np.float32))
    results['img'] = image_of_dots((110, 120), points[0])
    results = crop(results)
    assert results['img'].shape == (192, 192, 3) and results['input_size'] == (192, 192)
    for point in results['keypoints'][0]:
        np.testing.assert_allclose(find_dot(results['img'], point), point, atol=0.1)


def test_areas_grow_with_the_square_of_the_scale():
    np.random.seed(1)
    area = np.array([100.0, 7.0], dtype=np.float32)
    square = np.array([[[50, 40], [60, 40], [60, 50], [50, 50]]], dtype=np.float32)
    results = RandomCropAffine(**CROP)(crop_results((80, 100), square, area=area))
    a, b, _, d = results['keypoints'][0]
    sides = np.linalg.norm(b - a), np.linalg.norm(d - a)
    np.testing.assert_allclose(
        results['area'], np.array([100, 7]) * np.prod(sides) / 100, rtol=1e-4
    )
    assert sides[0] != pytest.approx(10, rel=0.02)


@pytest.mark.parametrize(
    'crop', [RandomCropAffine(**CROP), ReleaseCrop((128, 128))], ids=['paper', 'release']
)
def test_crop_of_an_image_without_people(crop):
    np.random.seed(0)
    results = crop_results(
        (80, 100),
        np.zeros((0, 5, 2), dtype=np.float32),
        bbox=np.zeros((0, 4), dtype=np.float32),
        area=np.zeros(0),
    )
    results = crop(results)
    assert results['keypoints'].shape == (0, 5, 2)
    assert len(results['bbox']) == len(results['area']) == 0
    assert results['img'].shape == (128, 128, 3) and 'warp_mat' in results
