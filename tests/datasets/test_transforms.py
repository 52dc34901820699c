"""Flips and masks: where points and masks go; crop, flip, targets and mask together."""

from pinet_mm import RandomCropAffine, RandomInputFlip, ValidHeatmapMask

import numpy as np
import pytest
from mmpose.datasets.transforms import GenerateTarget, PackPoseInputs
from pycocotools import mask as coco_mask

from tests.helpers import toys  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from tests.helpers.crops import CROP, crop_results, find_dot, image_of_dots
from tests.helpers.toys import FIVE_FLIPS, codec_config

# --- RandomInputFlip -----------------------------------------------------------------------------


def test_flip_of_a_wide_input_takes_the_keypoints_along():
    image = np.zeros((32, 96, 3), np.uint8)
    image[10, 70] = 255
    keypoints = np.array([[[70.0, 10.0], [5.0, 20.0]]])
    results = RandomInputFlip(prob=1.0)(
        dict(
            img=image,
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
    """The mask of an image with these invalid regions; by default it is its own input."""
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


def test_outside_of_the_image_is_not_valid():
    # The image stands 10 px to the right of and 6 px above the input's corner.
    mask = masked(warp=[[1, 0, 10], [0, 1, -6]])
    wanted = np.ones((16, 24), dtype=bool)
    wanted[:, :3] = False  # input x = 0, 4, 8
    wanted[15:] = False  # input y = 60 shows the image's row 66; the last row is 63
    np.testing.assert_array_equal(mask, wanted)


def test_invalid_regions_move_with_the_image():
    mask = masked([run_lengths(BLOCK)], warp=[[2, 0, -40], [0, 2, -8]], size=(64, 64))
    # x_in = 2x - 40: 20 … 49 becomes 0 … 58; y_in = 2y - 8: 10 … 30 becomes 12 … 52.
    wanted = np.ones((16, 16), dtype=bool)
    wanted[3:14, :15] = False
    np.testing.assert_array_equal(mask, wanted)


def test_flipped_image_has_a_flipped_mask():
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
def test_image_targets_and_mask_agree(seed, flip):
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
    results['img'] = image_of_dots(shape, points[0])
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

    # Every map pixel on its way back into the image.
    ys, xs = np.mgrid[:48, :48] * 4
    xs = 191 - xs if flip else xs
    there = np.stack((xs, ys), axis=-1) - warp[:, 2]
    x, y = np.moveaxis(there @ np.linalg.inv(warp[:, :2]).T, -1, 0)
    margin = np.minimum(np.minimum(x, shape[1] - 1 - x), np.minimum(y, shape[0] - 1 - y))
    valid = mask[0].numpy()
    assert valid[margin > 0].all() and not valid[margin < -1].any()
    assert (margin < -1).sum() > 50


def test_image_without_people_goes_through():
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
