"""LabeledCocoDataset: keypoints by name, what sources label, which images there are."""

import json

import cv2
import numpy as np
import pytest
from mmpose.registry import TRANSFORMS

from tests.helpers.merged import WHOLE, labeled_by_image, load, person, write
from tests.helpers.toys import FIVE, build_in_mmpose, codec_config


@pytest.mark.parametrize('test_mode', [False, True])
def test_keypoints_are_brought_to_the_metainfos_order_by_name(tmp_path, test_mode):
    path = write(
        tmp_path,
        [
            person(7, 1, (11, 12, 2), (21, 22, 1), (0, 0, 0)),
            person(8, 1, (31, 32, 2), (41, 42, 2), (51, 52, 2)),
        ],
        names=['left_foot', 'head', 'right_hand'],
    )
    info = load(path, test_mode=test_mode).get_data_info(0)
    np.testing.assert_array_equal(
        info['keypoints'],
        [
            [[21, 22], [0, 0], [0, 0], [11, 12], [0, 0]],
            [[41, 42], [0, 0], [51, 52], [31, 32], [0, 0]],
        ],
    )
    np.testing.assert_array_equal(info['keypoints_visible'], [[1, 0, 0, 1, 0], [1, 0, 1, 1, 0]])
    np.testing.assert_array_equal(info['labeled_keypoints'], [True, False, True, True, False])
    assert info['raw_ann_info'][0]['keypoints'] == [21, 22, 1, 0, 0, 0, 0, 0, 0, 11, 12, 2, 0, 0, 0]


def test_all_names_in_another_order_are_all_labeled(tmp_path):
    path = write(tmp_path, [person(7, 1, *WHOLE)], names=list(FIVE[::-1]))
    info = load(path).get_data_info(0)
    np.testing.assert_array_equal(info['keypoints'][0, :, 0], [45, 35, 25, 15, 5])
    assert info['labeled_keypoints'].all()


@pytest.mark.parametrize('names', [list(FIVE), None])
def test_a_file_that_names_the_metainfos_keypoints_changes_nothing(tmp_path, names):
    persons = [person(7, 1, *WHOLE)]
    info = load(write(tmp_path, persons, names)).get_data_info(0)
    np.testing.assert_array_equal(info['keypoints'], np.array(WHOLE)[None, :, :2])
    assert json.dumps(info['raw_ann_info']) == json.dumps(persons)
    assert info['labeled_keypoints'].all()


def test_annotations_without_keypoints_are_skipped_as_in_mmpose(tmp_path):
    box = person(8, 1)
    del box['keypoints']
    assert load(write(tmp_path, [person(7, 1, *WHOLE), box])).get_data_info(0)['id'] == [7]


def test_sources_of_one_category(tmp_path):
    persons = [person(number, number, *WHOLE) for number in (1, 2, 3)]
    path = write(tmp_path, persons, list(FIVE), sources=('a', 'b', 'c'))
    setting = dict(field='source', a=['head', 'left_hand'], b=['right_foot'])
    assert labeled_by_image(load(path, labeled_keypoints=setting)) == {
        1: ['head', 'left_hand'],
        2: ['right_foot'],
        3: list(FIVE),
    }
    assert labeled_by_image(load(path)) == {1: list(FIVE), 2: list(FIVE), 3: list(FIVE)}
    unserialized = load(path, labeled_keypoints=setting, serialize_data=False)
    assert labeled_by_image(unserialized)[2] == ['right_foot']


def test_values_may_be_numbers_and_names_few(tmp_path):
    path = write(tmp_path, [person(1, 1, (1, 2, 2), (3, 4, 2))], ['head', 'left_hand'], sources=[4])
    setting = {'field': 'source', 4: ('left_hand', 'left_foot')}
    assert labeled_by_image(load(path, labeled_keypoints=setting)) == {1: ['left_hand']}


def test_all_categories_of_an_image_must_name_a_keypoint(tmp_path):
    categories = [
        dict(id=1, name='person', keypoints=['head', 'left_foot']),
        dict(id=2, name='statue', keypoints=['left_foot', 'right_foot']),
        dict(id=3, name='hand'),
    ]
    persons = [
        person(1, 1, (1, 2, 2), (3, 4, 2)),
        person(2, 1, (5, 6, 2), (7, 8, 2), category_id=2),
        person(3, 2, (5, 6, 2), (7, 8, 2), category_id=2),
        person(4, 3, *WHOLE, category_id=3),
    ]
    path = write(tmp_path, persons, sources=('a', 'b', 'c'), categories=categories)
    dataset = load(path)
    assert labeled_by_image(dataset) == {
        1: ['left_foot'],
        2: ['left_foot', 'right_foot'],
        3: list(FIVE),
    }
    np.testing.assert_array_equal(
        dataset.get_data_info(0)['keypoints'][..., 0], [[1, 0, 0, 3, 0], [0, 0, 0, 5, 7]]
    )


def test_testing_keeps_images_without_people(tmp_path):
    path = write(tmp_path, [person(1, 1, *WHOLE)], list(FIVE), sources=('a', 'b'))
    dataset = load(path, test_mode=True, labeled_keypoints=dict(field='source', b=['head']))
    assert labeled_by_image(dataset) == {1: list(FIVE), 2: ['head']}


@pytest.mark.parametrize(
    'where, wanted',
    [
        (None, [1, 2, 3, 4]),
        (dict(source='b'), [2, 3]),
        (dict(source=['a', 'c']), [1, 4]),
        (dict(source=['b', 'c'], id=[3, 4]), [3, 4]),
    ],
)
def test_where_keeps_sources(tmp_path, where, wanted):
    persons = [person(number, number, *WHOLE) for number in (1, 2, 3, 4)]
    path = write(tmp_path, persons, list(FIVE), sources=('a', 'b', 'b', 'c'))
    dataset = load(path, where=where, labeled_keypoints=dict(field='source', b=['head']))
    assert list(labeled_by_image(dataset)) == wanted


def test_where_and_min_keypoints_work_together(tmp_path):
    persons = [person(1, 1, *WHOLE), person(2, 2, *WHOLE), person(3, 2, *WHOLE)]
    path = write(tmp_path, persons, list(FIVE), sources=('a', 'b'))
    assert list(labeled_by_image(load(path, where=dict(source='b'), min_keypoints=6))) == [2]
    with pytest.raises(ValueError, match='min_keypoints=6 leaves none of the 1'):
        load(path, where=dict(source='a'), min_keypoints=6)


def test_images_of_nobody_train_as_background_if_no_keypoint_is_required(tmp_path):
    # In image 4 somebody has a box but no keypoints: MMPose leaves it out, and so it stays.
    boxed = {name: value for name, value in person(2, 4).items() if name != 'keypoints'}
    path = write(tmp_path, [person(1, 1, *WHOLE), boxed], list(FIVE), sources=('a', 'b', 'b', 'b'))
    cv2.imwrite(str(tmp_path / '2.jpg'), np.full((128, 128, 3), 100, np.uint8))
    labeled = dict(field='source', b=['head', 'left_foot'])
    assert labeled_by_image(load(path, labeled_keypoints=labeled)) == {1: list(FIVE)}
    pipeline = [
        dict(type='LoadImage'),
        dict(
            type='RandomCropAffine',
            input_size=(128, 128),
            scale_factor=(1.0, 1.0),
            shift_factor=0.0,
            rotate_factor=0.0,
        ),
        dict(type='RandomInputFlip', prob=1.0),
        dict(type='GenerateTarget', encoder=codec_config(sparse_offsets=True)),
        dict(type='ValidHeatmapMask'),
        dict(type='PackPoseInputs'),
    ]
    dataset = load(
        path,
        labeled_keypoints=labeled,
        min_keypoints=0,
        where=dict(source='b'),
        pipeline=[build_in_mmpose(TRANSFORMS, step) for step in pipeline],
    )
    assert labeled_by_image(dataset) == dict.fromkeys((2, 3), ['head', 'left_foot'])
    sample = dataset[0]['data_samples']
    assert len(sample.gt_instance_labels.target_pixels) == 0
    assert not sample.gt_fields.heatmaps.any() and sample.gt_fields.heatmap_mask.all()
    # Flipped: the right foot is what is labeled; head and feet are the parts 5 and 7.
    on = sample.gt_fields.heatmap_weights.numpy()
    np.testing.assert_allclose(on[[0, 4, 5, 7]], 0.1)
    assert not on[[1, 2, 3, 6]].any()
