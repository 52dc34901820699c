"""Training data by the release's rules: its own numbers, and units."""

from pinet_mm import (
    RandomInputFlip,
    ReleaseCrop,
    ReleaseHeatmapMask,
    ReleasePersons,
    ValidHeatmapMask,
)

import numpy as np
import pytest
from scipy.stats import kstest

from tests.helpers.golden_arrays import folders
from tests.helpers.regions import INPUT, KINDS, block, person, run_lengths

# --- the authors' own numbers --------------------------------------------------------------------


@pytest.fixture(scope='module')
def golden():
    with np.load(folders()['compact'] / 'geometry.npz') as arrays:
        return dict(arrays)


@pytest.mark.parametrize('case', range(12))
def test_the_crop_is_the_releases(golden, case, monkeypatch):
    x, y, scale, angle = golden['aug_cx_cy_scale_rot'][case]
    monkeypatch.setattr(
        ReleaseCrop, 'draw', lambda self, size: (np.array([x, y]), 200 * scale, angle)
    )
    results = ReleaseCrop((INPUT, INPUT))(
        dict(
            img=np.zeros((50, 60, 3), np.uint8),
            img_shape=(50, 60),
            keypoints=golden['aug_joints_in'][case],
            area=np.array([1.0, 30.1 * 20.3]),
        )
    )
    close = dict(rtol=1e-13, atol=3e-13)
    np.testing.assert_allclose(results['warp_mat'], golden['aug_matrix_input'][case], **close)
    np.testing.assert_allclose(results['warp_mat'] / 4, golden['aug_matrix_map'][case], **close)
    np.testing.assert_allclose(results['keypoints'] / 4, golden['aug_joints_map'][case], **close)
    np.testing.assert_array_equal(
        results['area'], np.array([1.0, 30.1 * 20.3]) * golden['aug_area_factor'][case]
    )
    assert results['keypoints'].dtype == results['area'].dtype == np.float64


@pytest.mark.parametrize('name', ['coco', 'crowdpose'])
def test_the_flip_is_the_releases(golden, name):
    joints, wanted, index = (golden[f'flip_{name}_{key}'] for key in ('in', 'out', 'index'))
    assert index.tolist() == KINDS[name][1]
    results = RandomInputFlip(prob=1.0, keypoint_stride=4)(
        dict(
            img=np.zeros((INPUT, INPUT, 3), np.uint8),
            img_shape=(INPUT, INPUT),
            input_size=(INPUT, INPUT),
            flip_indices=index.tolist(),
            keypoints=joints[..., :2] * 4,
            keypoints_visible=joints[..., 2],
        )
    )
    np.testing.assert_allclose(results['keypoints'] / 4, wanted[..., :2], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(results['keypoints_visible'], wanted[..., 2])


# --- ReleasePersons ------------------------------------------------------------------------------


def loaded(*persons):
    """What MMPose loads for people of two keypoints, here always in single precision."""
    labels = np.float32([person['keypoints'] for person in persons]).reshape(-1, 2, 3)
    return dict(
        raw_ann_info=list(persons),
        area=np.ones(len(persons), np.float32),
        keypoints=labels[..., :2],
        keypoints_visible=np.minimum(labels[..., 2], 1),
        invalid_segs=['what MMPose takes'],
    )


def test_people_are_read_in_double_precision():
    results = ReleasePersons()(loaded(person(), person((1, 2, 1, 3.3, 4, 2), (0, 0, 7, 5))))
    assert results['area'].dtype == results['keypoints'].dtype == np.float64
    np.testing.assert_array_equal(results['area'], [30.1 * 20.3, 35])
    np.testing.assert_array_equal(
        results['keypoints'], [[[20.1, 30.7], [0, 0]], [[1, 2], [3.3, 4]]]
    )
    np.testing.assert_array_equal(results['keypoints_visible'], [[1, 0], [1, 1]])
    assert results['invalid_segs'] == []


@pytest.mark.parametrize(
    'crowd, count, is_someone, is_ignored',
    [(0, 1, True, False), (0, 0, True, True), (1, 1, True, True), (1, 0, False, True)],
)
def test_crowds_and_people_without_labels(crowd, count, is_someone, is_ignored):
    odd = person(iscrowd=crowd, num_keypoints=count, segmentation=[[1, 2, 3, 4, 5, 6]])
    results = loaded(person(), odd, person())
    found = ReleasePersons()(dict(results))
    assert found['invalid_segs'] == [odd['segmentation']] * is_ignored
    np.testing.assert_array_equal(found['keypoints_visible'], [[1, 0], [is_someone, 0], [1, 0]])
    found = ReleasePersons(ignored_regions=False)(dict(results))
    assert found['invalid_segs'] == []


def test_labels_are_counted_where_their_number_is_missing():
    nobody = person([0] * 6, segmentation='region')
    assert ReleasePersons()(loaded(person(), nobody))['invalid_segs'] == ['region']


def test_nobody():
    results = ReleasePersons()(loaded())
    assert results['area'].shape == (0,) and results['keypoints'].shape == (0, 2, 2)


# --- ReleaseCrop ---------------------------------------------------------------------------------


@pytest.mark.parametrize('size', [(61, 40), (50, 75)])
def test_release_crops_move_by_whole_pixels(size):
    np.random.seed(0)
    draws = [ReleaseCrop((32, 32)).draw(size) for _ in range(1500)]
    middles, sides, angles = (np.array(values) for values in zip(*draws))
    for values, low, high in ((sides / min(size), 0.75, 1.5), (angles, -30, 30)):
        assert low <= values.min() and values.max() <= high
        assert kstest((values - low) / (high - low), 'uniform').pvalue > 1e-3
    shifts = middles - np.array(size) / 2
    np.testing.assert_array_equal(shifts, np.round(shifts))
    # As np.random.randint draws between ± 0.2 of the side: cut to whole numbers, without the end.
    reach = (0.2 * sides + 1e-9).astype(int)[:, None]
    assert (shifts >= -reach).all() and (shifts < reach).all()
    assert (shifts == -reach).any(axis=0).all() and (shifts == reach - 1).any(axis=0).all()


def test_release_crops_have_factors():
    np.random.seed(0)
    crop = ReleaseCrop((32, 32), scale_factor=(0.5, 0.5), shift_factor=0.1, rotate_factor=0.0)
    draws = [crop.draw((90, 60)) for _ in range(200)]
    assert {(side, angle) for _, side, angle in draws} == {(30, 0)}
    assert {tuple(middle) for middle, _, _ in draws} == {
        (x, y) for x in range(42, 48) for y in range(27, 33)
    }
    with pytest.raises(ValueError, match=r'must be square.*found \(64, 32\)'):
        ReleaseCrop((64, 32))


def test_release_crop_of_a_tiny_image():
    # 0.2 of the crop's side is less than a pixel.
    middle, side, _ = ReleaseCrop((32, 32)).draw((3, 2))
    assert middle.tolist() == [1.5, 1] and side <= 3


def test_outside_of_the_image_is_black():
    np.random.seed(3)
    results = ReleaseCrop((128, 128), scale_factor=(3.0, 3.0))(
        dict(img=np.full((60, 80, 3), 200, np.uint8), img_shape=(60, 80))
    )
    assert set(np.unique(results['img'])) >= {0, 200} and results['img'][0, 0].max() == 0


# --- ReleaseHeatmapMask --------------------------------------------------------------------------


@pytest.mark.parametrize('share, valid', [(15, False), (16, True)])
def test_half_a_pixel_is_valid_under_release(share, valid):
    # Input row 8 shows the image `share` / 32 below row 8, of which only row 9 is valid: half of
    # 255 is rounded up, above one half.
    results = dict(
        heatmaps=np.zeros((8, 16, 16)),
        img_shape=(64, 64),
        input_size=(64, 64),
        warp_mat=np.array([[1, 0, 0], [0, 1, -share / 32]]),
        invalid_segs=[run_lengths(block(8, 0, 9, 64, (64, 64)))],
    )
    assert ReleaseHeatmapMask()(dict(results))['heatmap_mask'][0, 2, 5] == valid
    assert not ValidHeatmapMask()(dict(results))['heatmap_mask'][0, 2, 5]


def test_the_mask_is_mirrored_on_the_map():
    results = dict(
        heatmaps=np.zeros((8, 16, 16)),
        img_shape=(64, 64),
        input_size=(64, 64),
        warp_mat=np.eye(3)[:2],
        flip=True,
        flip_direction='horizontal',
        invalid_segs=[run_lengths(block(12, 20, 13, 21, (64, 64)))],
    )
    mask = ReleaseHeatmapMask()(results)['heatmap_mask']
    wanted = np.ones((1, 16, 16), dtype=bool)
    wanted[0, 3, 15 - 5] = False
    assert mask.dtype == bool and mask.flags.c_contiguous
    np.testing.assert_array_equal(mask, wanted)
