"""Crops, flips, masks and persons: what is drawn, where points and masks go."""

from pinet_mm import RandomCropAffine, RandomInputFlip, ReleaseCrop, ValidHeatmapMask

import numpy as np
import pytest
from mmpose.datasets.transforms import GenerateTarget, PackPoseInputs
from pycocotools import mask as coco_mask
from scipy.stats import kstest

from tests.helpers import toys  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from tests.helpers.toys import FIVE_FLIPS, codec_config

CROP = dict(
    input_size=(128, 128),
    scale_factor=(0.75, 1.5),
    scale_type='short',
    shift_factor=0.2,
    rotate_factor=30.0,
)


def crop_results(shape, keypoints=None, **more):
    """What the loader hands to the transforms for a black picture of (h, w) pixels."""
    results = dict(img=np.zeros((*shape, 3), dtype=np.uint8), img_shape=shape)
    if keypoints is not None:
        results.update(keypoints=keypoints, keypoints_visible=np.ones(keypoints.shape[:2]))
    return dict(results, **more)


def picture_of_dots(shape, points):
    """A picture of one Gaussian dot, σ = 1.5 px, for each point."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    dots = [np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 4.5) for x, y in points]
    return np.repeat(np.uint8(250 * np.max(dots, axis=0))[..., None], 3, axis=-1)


def find_dot(picture, near, reach=11):
    """Centre of brightness in the window around a point."""
    x, y = np.round(near).astype(int)
    window = picture[y - reach : y + reach + 1, x - reach : x + reach + 1, 0].astype(float)
    ys, xs = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.array([(xs * window).sum(), (ys * window).sum()]) / window.sum()


# --- RandomCropAffine ----------------------------------------------------------------------------


def drawn_crops(shape, count=1500, size=32, **options):
    """Crop sides and shifts in picture pixels, angles in degrees, warps of many draws."""
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
def test_keypoints_follow_the_picture(seed, crop):
    np.random.seed(seed)
    points = np.array([[[45.0, 50.0], [75.0, 50.0], [60.0, 72.0]]])
    results = crop_results((110, 120), points.astype(np.float32))
    results['img'] = picture_of_dots((110, 120), points[0])
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
def test_crop_of_a_picture_without_people(crop):
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


# --- RandomInputFlip -----------------------------------------------------------------------------


def test_flip_of_a_wide_input_takes_the_keypoints_along():
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[10, 70] = 255
    keypoints = np.array([[[70.0, 10.0], [5.0, 20.0]]])
    results = RandomInputFlip(prob=1.0)(
        dict(
            img=picture,
            img_shape=(32, 96),
            input_size=(96, 32),
            keypoints=keypoints,
            keypoints_visible=np.array([[1.0, 0.0]]),
            flip_indices=[1, 0],
        )
    )
    # Left and right change places: the second keypoint is now the dot, 96 - 1 - 70 = 25.
    assert results['img'][10, 25].all() and results['img'].sum() == 3 * 255
    np.testing.assert_array_equal(results['keypoints'], [[[90, 20], [25, 10]]])
    np.testing.assert_array_equal(results['keypoints_visible'], [[0, 1]])
    assert results['input_size'] == (96, 32)


def test_flip_as_the_release_does():
    keypoints = np.array([[[70.0, 10.0], [5.0, 20.0]]], dtype=np.float32)
    results = dict(
        img=np.zeros((32, 96, 3), np.uint8),
        img_shape=(32, 96),
        input_size=(96, 32),
        keypoints=keypoints,
        keypoints_visible=np.ones((1, 2)),
        flip_indices=[0, 1],
    )
    flipped = RandomInputFlip(prob=1.0, keypoint_stride=4)(dict(results))['keypoints']
    # On the map x / 4 goes to 24 - 1 - x / 4.
    np.testing.assert_array_equal(flipped / 4, [[[23 - 17.5, 2.5], [23 - 1.25, 5]]])
    assert flipped.dtype == np.float32
    kept = RandomInputFlip(prob=0.0, keypoint_stride=4)(dict(results))['keypoints']
    np.testing.assert_array_equal(kept, keypoints)
    with pytest.raises(ValueError, match='keypoint_stride must be at least 1; found 0'):
        RandomInputFlip(prob=1.0, keypoint_stride=0)


# --- ValidHeatmapMask ----------------------------------------------------------------------------


def masked(segmentations=(), warp=None, shape=(64, 96), size=(96, 64), **more):
    """The mask of a picture with these invalid regions; by default it is its own input."""
    warp = np.float32([[1, 0, 0], [0, 1, 0]]) if warp is None else np.float32(warp)
    heatmaps = np.zeros((8, size[1] // 4, size[0] // 4), dtype=np.float32)
    return ValidHeatmapMask()(
        dict(
            heatmaps=heatmaps,
            img_shape=shape,
            input_size=size,
            invalid_segs=list(segmentations),
            warp_mat=warp,
            **more,
        )
    )['heatmap_mask'][0]


def region(*slices, shape=(64, 96)):
    inside = np.zeros(shape, dtype=np.uint8, order='F')
    inside[slices] = 1
    return inside


def run_lengths(inside):
    """COCO's uncompressed run lengths: columns, starting with zeros."""
    flat = inside.flatten(order='F')
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *ends, len(flat)]).tolist()
    return dict(size=list(inside.shape), counts=[0] * int(flat[0]) + counts)


def as_text(packed):
    return dict(packed, counts=packed['counts'].decode())


BLOCK = region(slice(10, 31), slice(20, 50))
POLYGON = [[19.5, 9.5, 49.5, 9.5, 49.5, 30.5, 19.5, 30.5]]


@pytest.mark.parametrize(
    'segmentation',
    [run_lengths(BLOCK), coco_mask.encode(BLOCK), as_text(coco_mask.encode(BLOCK)), POLYGON],
)
def test_invalid_regions_in_every_notation(segmentation):
    mask = masked([None, segmentation, []])
    wanted = np.ones((16, 24), dtype=bool)
    # Map pixels whose input pixel 4i is in 10 … 30 by 20 … 49.
    wanted[3:8, 5:13] = False
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, wanted)


def test_several_invalid_regions():
    first, second = region(slice(0, 8), slice(0, 8)), region(slice(40, 64), slice(80, 96))
    mask = masked([run_lengths(first), coco_mask.encode(second)])
    wanted = np.ones((16, 24), dtype=bool)
    wanted[:2, :2] = wanted[10:, 20:] = False
    np.testing.assert_array_equal(mask, wanted)


@pytest.mark.parametrize('segmentations', [[], [None], [[]], [None, []]])
def test_without_invalid_regions_all_is_valid(segmentations):
    assert masked(segmentations).all()


def test_regions_may_be_missing():
    results = dict(heatmaps=np.zeros((8, 16, 24)), img_shape=(64, 96), input_size=(96, 64))
    assert ValidHeatmapMask()(results)['heatmap_mask'].all()


@pytest.mark.parametrize(
    'x, y, hit', [(8, 12, True), (9, 12, False), (8, 13, False), (7, 11, False), (92, 60, True)]
)
def test_map_pixel_i_is_read_at_input_pixel_4i(x, y, hit):
    mask = masked([run_lengths(region(slice(y, y + 1), slice(x, x + 1)))])
    wanted = np.ones((16, 24), dtype=bool)
    if hit:
        wanted[y // 4, x // 4] = False
    np.testing.assert_array_equal(mask, wanted)


def test_outside_of_the_picture_is_not_valid():
    # The picture stands 10 px to the right of and 6 px above the input's corner.
    mask = masked(warp=[[1, 0, 10], [0, 1, -6]])
    wanted = np.ones((16, 24), dtype=bool)
    wanted[:, :3] = False  # input x = 0, 4, 8
    wanted[15:] = False  # input y = 60 shows the picture's row 66; the last row is 63
    np.testing.assert_array_equal(mask, wanted)


def test_invalid_regions_move_with_the_picture():
    mask = masked([run_lengths(BLOCK)], warp=[[2, 0, -40], [0, 2, -8]], size=(64, 64))
    # x_in = 2x - 40: 20 … 49 becomes 0 … 58; y_in = 2y - 8: 10 … 30 becomes 12 … 52.
    wanted = np.ones((16, 16), dtype=bool)
    wanted[3:14, :15] = False
    np.testing.assert_array_equal(mask, wanted)


def test_flipped_picture_has_a_flipped_mask():
    # Input column 96 - 1 - 87 = 8.
    one = [run_lengths(region(slice(12, 13), slice(87, 88)))]
    mask = masked(one, flip=True, flip_direction='horizontal')
    assert (~mask).sum() == 1 and not mask[3, 2]
    assert masked(one, flip=False, flip_direction=None).all()


def test_mask_of_another_stride():
    results = dict(
        heatmaps=np.zeros((8, 32, 48)),
        img_shape=(64, 96),
        input_size=(96, 64),
        invalid_segs=[run_lengths(region(slice(6, 7), slice(10, 11)))],
    )
    mask = ValidHeatmapMask()(results)['heatmap_mask'][0]
    assert mask.shape == (32, 48) and (~mask).sum() == 1 and not mask[3, 5]


# --- both, with MMPose's own transforms ----------------------------------------------------------


@pytest.mark.parametrize('seed, flip', [(0, 0.0), (1, 1.0), (2, 1.0)])
def test_picture_targets_and_mask_agree(seed, flip):
    np.random.seed(seed)
    shape = (90, 120)
    points = np.array([[[60, 45], [45, 36], [75, 36], [50, 60], [70, 60]]], dtype=np.float32)
    results = crop_results(
        shape,
        points,
        area=np.array([900.0], dtype=np.float32),
        bbox=np.array([[40, 30, 80, 65]], dtype=np.float32),
        flip_indices=FIVE_FLIPS,
        invalid_segs=[None],
        id=[1],
        img_id=1,
    )
    results['img'] = picture_of_dots(shape, points[0])
    options = dict(CROP, input_size=(192, 192))
    for transform in (
        RandomCropAffine(**options),
        RandomInputFlip(prob=flip),
        GenerateTarget(encoder=codec_config('three', (192, 192))),
        ValidHeatmapMask(),
    ):
        results = transform(results)
    warp = results['warp_mat'].astype(float)
    mask = PackPoseInputs()(dict(results))['data_samples'].gt_fields.heatmap_mask
    assert mask.shape == (1, 48, 48)

    # A keypoint's heatmap is highest where its dot is.
    for heatmap, point in zip(results['heatmaps'], results['keypoints'][0]):
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        dot = find_dot(results['img'], point)
        np.testing.assert_allclose(dot, point, atol=0.1)
        assert np.abs(dot / 4 - (x, y)).max() <= 0.55

    # Every map pixel on its way back into the picture.
    ys, xs = np.mgrid[:48, :48] * 4
    xs = 191 - xs if flip else xs
    there = np.stack((xs, ys), axis=-1) - warp[:, 2]
    x, y = np.moveaxis(there @ np.linalg.inv(warp[:, :2]).T, -1, 0)
    margin = np.minimum(np.minimum(x, shape[1] - 1 - x), np.minimum(y, shape[0] - 1 - y))
    valid = mask[0].numpy()
    assert valid[margin > 0].all() and not valid[margin < -1].any()
    assert (margin < -1).sum() > 50


def test_picture_without_people_goes_through():
    results = crop_results(
        (90, 120),
        np.zeros((0, 5, 2), dtype=np.float32),
        area=np.zeros(0, dtype=np.float32),
        bbox=np.zeros((0, 4), dtype=np.float32),
        flip_indices=FIVE_FLIPS,
    )
    for transform in (
        RandomCropAffine(**CROP),
        RandomInputFlip(prob=1.0),
        GenerateTarget(encoder=codec_config('three')),
        ValidHeatmapMask(),
        PackPoseInputs(),
    ):
        results = transform(results)
    fields = results['data_samples'].gt_fields
    assert (fields.heatmaps == 0).all() and (fields.offset_weights == 0).all()
