"""Merged datasets: what a source does not label teaches nothing, from the file to the gradient.

Keypoints are the toys' five, head, left_hand, right_hand, left_foot, right_foot (0 … 4); the parts
of layout 'three' are head (0), hands (1, 2) and feet (3, 4), so that channels of heatmaps are
0 … 4 for keypoints and 5, 6, 7 for parts.
"""

import json
import re
import warnings
from pathlib import Path

from pinet_mm import LabeledCocoDataset, RandomInputFlip
from pinet_mm.datasets.transforms import LabelConverter

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.datasets.transforms.common_transforms import GenerateTarget
from mmpose.datasets.transforms.converting import KeypointConverter
from mmpose.registry import DATASETS, TRANSFORMS

from tests.helpers.toys import (
    FIVE,
    build_codec,
    build_head,
    build_in_mmpose,
    codec_config,
    five_metainfo,
)

VARIANTS = dict(whole=dict(), sparse=dict(sparse_offsets=True), release=dict(convention='release'))
every_variant = pytest.mark.parametrize('options', VARIANTS.values(), ids=VARIANTS)


# --- encode --------------------------------------------------------------------------------------

# Two persons, all keypoints annotated, in input pixels of stride 4.
POINTS = np.array(
    [
        [[64, 16], [40, 40], [80, 40], [48, 96], [72, 96]],
        [[20, 24], [8, 44], [36, 40], [16, 80], [32, 84]],
    ],
    dtype=np.float32,
)
AREA = np.array([900.0, 400.0])


def labels(*places):
    return np.isin(np.arange(5), places)


def channels_on(encoded):
    """Channels with any heatmap weight above 0; the weights of the others are 0 throughout."""
    weights = np.asarray(encoded['heatmap_weights'])
    return np.flatnonzero(weights.any(axis=(1, 2))).tolist()


def assert_identical(found, wanted):
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@every_variant
@pytest.mark.parametrize(
    'labeled, wanted',
    [
        (labels(0, 1), [0, 1, 5, 6]),  # one hand of two: the part of the hands is taught
        (labels(1, 2, 3, 4), [1, 2, 3, 4, 6, 7]),
        (labels(4), [4, 7]),
        (labels(), []),
    ],
)
def test_unlabeled_channels_weigh_nothing(options, labeled, wanted):
    encoded = build_codec(**options).encode(POINTS, np.ones((2, 5)), AREA, labeled)
    assert channels_on(encoded) == wanted


@every_variant
def test_other_channels_are_those_of_the_same_persons_without_these_keypoints(options):
    codec, labeled = build_codec(**options), labels(0, 1)
    found = codec.encode(POINTS, np.ones((2, 5)), AREA, labeled)
    wanted = codec.encode(POINTS, np.tile(labeled, (2, 1)), AREA)
    wanted['heatmap_weights'][[2, 3, 4, 7]] = 0
    assert_identical(found, wanted)


@every_variant
def test_nothing_declared_is_all_labeled(options):
    codec = build_codec(**options)
    plain = codec.encode(POINTS, np.ones((2, 5)), AREA)
    assert channels_on(plain) == list(range(8))
    assert_identical(codec.encode(POINTS, np.ones((2, 5)), AREA, labels(0, 1, 2, 3, 4)), plain)
    assert_identical(codec.encode(POINTS, np.ones((2, 5)), AREA, None, np.ones((2, 5))), plain)


@every_variant
def test_nobody_in_the_image_still_teaches_the_labeled_background(options):
    nobody = np.zeros((0, 5, 2)), np.zeros((0, 5)), np.zeros(0)
    encoded = build_codec(**options).encode(*nobody, labels(0, 3, 4))
    assert channels_on(encoded) == [0, 3, 4, 5, 7]
    # 0.1 is the codec's weight of the background
    np.testing.assert_array_equal(encoded['heatmap_weights'][[0, 3, 4, 5, 7]], np.float32(0.1))


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_the_center_of_a_partly_labeled_part_is_the_mean_of_what_is_labeled(options):
    # Head (64, 16) and left foot (48, 96), at weight zero the other three: mean (56, 56).
    codec = build_codec('one', **options)
    encoded = codec.encode(POINTS[:1], np.ones((1, 5)), AREA[:1], labels(0, 3))
    assert channels_on(encoded) == [0, 3, 5]
    part = encoded['heatmaps'][5]
    assert np.unravel_index(part.argmax(), part.shape) == (14, 14) and part.max() == 1
    weights = encoded['offset_weights'].reshape(5, 2, 32, 32)[:, :, 14, 14]
    np.testing.assert_array_equal(weights > 0, np.repeat([[1], [0], [0], [1], [0]], 2, axis=1))
    offsets = encoded['offsets'].reshape(5, 2, 32, 32)[[0, 3], :, 14, 14]
    np.testing.assert_allclose(offsets, [[-2, 10], [2, -10]])


def test_weights_of_a_keypoint_converter_say_the_same():
    codec = build_codec()
    weights = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 1, 1]])
    encoded = codec.encode(POINTS, np.ones((2, 5)), AREA, None, weights)
    assert channels_on(encoded) == [0, 3, 4, 5, 7]
    encoded = codec.encode(POINTS, np.ones((2, 5)), AREA, labels(1), weights)
    assert channels_on(encoded) == [1, 6]
    nobody = np.zeros((0, 5, 2)), np.zeros((0, 5)), np.zeros(0)
    assert channels_on(codec.encode(*nobody, None, np.zeros((0, 5)))) == list(range(8))


@pytest.mark.parametrize('labeled', [np.ones(4, bool), np.ones((2, 5), bool)])
def test_labels_of_another_length_are_refused(labeled):
    with pytest.raises(ValueError, match=r'labeled_keypoints must have the shape \(5,\)'):
        build_codec().encode(POINTS, np.ones((2, 5)), AREA, labeled)


# --- loss ----------------------------------------------------------------------------------------


def make_sample(options, labeled):
    results = dict(
        keypoints=POINTS,
        keypoints_visible=np.ones((2, 5)),
        area=AREA,
        heatmap_mask=np.ones((1, 32, 32), dtype=bool),
        input_size=(128, 128),
        input_center=np.array([64, 64]),
        input_scale=np.array([128, 128]),
        labeled_keypoints=labeled,
        img=np.zeros((128, 128, 3), dtype=np.uint8),
    )
    results = GenerateTarget(codec_config(**options))(results)
    return PackPoseInputs()(results)['data_samples']


def branch_gradients(options, labeled):
    """Largest gradient into each channel of the two heatmap branches, weights and biases."""
    head = build_head(layers=0)
    features = torch.randn(len(labeled), 12, 32, 32, generator=torch.Generator().manual_seed(0))
    loss = head.loss([features], [make_sample(options, each) for each in labeled])['loss_heatmap']
    loss.backward()
    branches = head.score_branch, head.part_branch
    gradients = [
        torch.cat((branch.weight.grad.flatten(1), branch.bias.grad[:, None]), dim=1)
        for branch in branches
    ]
    return torch.cat(gradients).abs().amax(dim=1)


@every_variant
def test_no_gradient_reaches_unlabeled_channels(options):
    found = branch_gradients(options, [labels(0, 1)])
    assert (found[[2, 3, 4, 7]] == 0).all() and (found[[0, 1, 5, 6]] > 1e-6).all()
    assert (branch_gradients(options, [None]) > 1e-6).all()


def test_another_image_of_the_batch_teaches_what_it_labels():
    found = branch_gradients(dict(), [labels(0, 1), labels(3, 4)])
    assert (found[2] == 0) and (found[[0, 1, 3, 4, 5, 6, 7]] > 1e-6).all()


def test_the_mean_stays_over_everything():
    # 8 channels of 32×32 pixels, of which 4 count, all predicted 0 where the target is `heatmaps`.
    sample = make_sample(dict(), labels(0, 1))
    head = build_head(layers=0)
    for branch in (head.score_branch, head.part_branch):
        torch.nn.init.zeros_(branch.weight)
        torch.nn.init.zeros_(branch.bias)
    loss = head.loss([torch.zeros(1, 12, 32, 32)], [sample])['loss_heatmap']
    fields = sample.gt_fields
    on = [0, 1, 5, 6]
    total = (fields.heatmaps[on] ** 2 * fields.heatmap_weights[on]).sum()
    assert loss.item() == pytest.approx(total.item() / (8 * 32 * 32), rel=1e-5)


# --- flip ----------------------------------------------------------------------------------------


def flip(direction='horizontal', prob=1.0, **more):
    return RandomInputFlip(prob=prob, direction=direction)(
        dict(
            img=np.zeros((32, 96, 3), np.uint8),
            img_shape=(32, 96),
            input_size=(96, 32),
            keypoints=np.zeros((1, 5, 2)),
            keypoints_visible=np.ones((1, 5)),
            flip_indices=[0, 2, 1, 4, 3],
            **more,
        )
    )


def test_flip_swaps_left_and_right():
    # head, left_hand and left_foot become head, right_hand and right_foot.
    before = labels(0, 1, 3)
    found = flip(labeled_keypoints=before, keypoints_visible_weights=np.array([[1, 1, 0, 0, 0]]))
    assert found['labeled_keypoints'].tolist() == [True, False, True, False, True]
    assert found['keypoints_visible_weights'].tolist() == [[1, 0, 1, 0, 0]]
    assert before.tolist() == [True, True, False, True, False], 'the loaded array is another'
    assert (
        flip('vertical', labeled_keypoints=before)['labeled_keypoints'].tolist()
        == found['labeled_keypoints'].tolist()
    )


@pytest.mark.parametrize('options', [dict(prob=0.0), dict(direction='diagonal')])
def test_without_a_swap_of_keypoints_labels_stay(options):
    found = flip(**options, labeled_keypoints=labels(0, 1, 3))
    assert found['labeled_keypoints'].tolist() == [True, True, False, True, False]


def test_flip_without_labels_adds_none():
    assert 'labeled_keypoints' not in flip()
    assert flip(labeled_keypoints=None)['labeled_keypoints'] is None


# --- dataset -------------------------------------------------------------------------------------


def person(number, image, *keypoints, **more):
    """An annotated person of (x, y, v) keypoints."""
    return dict(
        dict(
            id=number,
            image_id=image,
            category_id=1,
            iscrowd=0,
            area=900.0,
            bbox=[4, 4, 90, 110],
            num_keypoints=len(keypoints),
            keypoints=[value for keypoint in keypoints for value in keypoint],
        ),
        **more,
    )


def write(tmp_path, persons, names=None, sources=('a',), categories=None):
    """Write an annotation file with an image 128×128 for each source, numbered from 1."""
    images = [
        dict(id=number, file_name=f'{number}.jpg', width=128, height=128, source=source)
        for number, source in enumerate(sources, start=1)
    ]
    if categories is None:
        categories = [dict(dict(id=1, name='person'), **(dict(keypoints=names) if names else {}))]
    path = tmp_path / 'merged.json'
    path.write_text(json.dumps(dict(images=images, annotations=persons, categories=categories)))
    return str(path)


def load(path, **options):
    return LabeledCocoDataset(
        ann_file=path,
        metainfo=five_metainfo(),
        data_prefix=dict(img=str(path).rpartition('/')[0]),
        **options,
    )


def labeled_by_image(dataset):
    """Image id -> names of labeled keypoints."""
    found = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert all(info['labeled_keypoints'].dtype == bool for info in found)
    return {
        info['img_id']: [FIVE[i] for i in np.flatnonzero(info['labeled_keypoints'])]
        for info in found
    }


WHOLE = [(10 * i + 5, 10 * i + 6, 2) for i in range(5)]


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


def test_testing_keeps_images_without_persons(tmp_path):
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


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(labeled_keypoints=['head']), r"must be like dict\(field=.*; found \['head'\]"),
        (dict(labeled_keypoints=dict(a=['head'])), 'must be like'),
        (dict(labeled_keypoints=dict(field='source')), 'must be like'),
        (dict(labeled_keypoints=dict(field=3, a=['head'])), 'must be like'),
        (
            dict(labeled_keypoints=dict(field='source', a='head')),
            r"labeled_keypoints\['a'\] must be a list of keypoint names; found 'head'",
        ),
        (dict(labeled_keypoints=dict(field='source', a=[])), r'must be a list .* found \[\]'),
        (
            dict(labeled_keypoints=dict(field='source', a=['head', 'tail', 0])),
            r"labeled_keypoints\['a'\] names the unknown keypoints \['tail', 0\]; known are ",
        ),
        (
            dict(labeled_keypoints=dict(field='origin', a=['head'])),
            r"merged.json: no image record has the field 'origin'; found the fields .*'source'",
        ),
        (
            dict(labeled_keypoints=dict(field='tags', a=['head'])),
            r"the field 'tags' of image records must be a string or number; found \['x'\]",
        ),
        (dict(where='a'), r"where must be like dict\(source='mpii'\).*; found 'a'"),
        (dict(where={3: 'a'}), 'where must be like'),
        (dict(where=dict()), r'where must hold at least one value of each field; found \{\}'),
        (dict(where=dict(source=[])), 'where must hold at least one value'),
        (dict(where=dict(origin='a')), "no image record has the field 'origin'"),
        (
            dict(where=dict(source='z')),
            r"where=\{'source': \['z'\]\} leaves none of the 2 images of .*merged.json; "
            r"found \{'source': \['a', 'b'\]\}",
        ),
        (dict(where=dict(source='a'), test_mode=True), 'is for training'),
        (dict(data_mode='topdown'), "needs data_mode='bottomup'; found 'topdown'"),
    ],
)
def test_wrong_settings_are_named(tmp_path, options, message):
    path = write(tmp_path, [person(1, 1, *WHOLE)], list(FIVE), sources=('a', 'b'))
    content = json.loads(open(path).read())
    content['images'][1]['tags'] = ['x']
    with open(path, 'w') as file:
        json.dump(content, file)
    with pytest.raises(ValueError, match=message):
        load(path, **options)


def test_settings_are_checked_before_any_file_is_read():
    with pytest.raises(ValueError, match='unknown keypoints'):
        load('nowhere.json', labeled_keypoints=dict(field='source', a=['tail']), lazy_init=True)


@pytest.mark.parametrize(
    'names, count, message',
    [
        (
            ['head', 'tail'],
            2,
            r'merged.json: category 1 must name keypoints of the metainfo, each once;'
            r" expected some of \['head', 'left_hand', .*\], found "
            r"\['head', 'tail'\], of which \['tail'\] are unknown",
        ),
        (['head', 'head'], 2, r"each once; .* found \['head', 'head'\]$"),
        (
            ['head', 'left_hand'],
            3,
            r'merged.json: annotation 7 must hold 3 numbers for each of the 2 '
            r"keypoints \['head', 'left_hand'\]; found 9 numbers",
        ),
        (['head', 'left_hand'], 5, 'found 15 numbers'),
        (None, 4, 'for each of the 5 keypoints .* found 12 numbers'),
        (list(FIVE), 4, 'for each of the 5 keypoints .* found 12 numbers'),
    ],
)
def test_files_that_contradict_themselves_are_named(tmp_path, names, count, message):
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path, [person(7, 1, *WHOLE[:count])], names))


def test_a_value_that_no_image_has_is_warned_of(tmp_path):
    path = write(tmp_path, [person(1, 1, *WHOLE)], list(FIVE), sources=('a', 'b'))
    with pytest.warns(UserWarning, match=r"lists \['bb'\], which no image .* found \['a', 'b'\]"):
        load(path, labeled_keypoints=dict(field='source', a=['head'], bb=['head']))
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        load(path, labeled_keypoints=dict(field='source', b=['head']), where=dict(source='a'))


# --- KeypointConverter, CombinedDataset ----------------------------------------------------------


def test_labels_follow_a_converter():
    converter = KeypointConverter(4, [((0, 1), 3), (2, 0), ((1, 3), 1)])
    found = {
        places: LabelConverter(converter)(dict(labeled_keypoints=labels(*places)))[
            'labeled_keypoints'
        ].tolist()
        for places in ((0, 1, 2, 3, 4), (0, 2, 3), (1, 3))
    }
    # Target 0 is source 2; target 1 needs 1 and 3, target 3 needs 0 and 1; nothing is target 2.
    assert found == {
        (0, 1, 2, 3, 4): [True, True, False, True],
        (0, 2, 3): [True] + [False] * 3,
        (1, 3): [False, True, False, False],
    }


def converting(pairs):
    return dict(type='KeypointConverter', num_keypoints=5, mapping=pairs)


@pytest.fixture
def merged(tmp_path):
    """A combined dataset of the five toy keypoints, and which images its indices are.

    Its members: images 1 (source a: head and hands) and 2 (source b: everything) of one file;
    the same file with left and right exchanged by a converter; and a plain MMPose dataset whose
    converter maps three keypoints to head, left and right foot.
    """
    path = write(
        tmp_path,
        [person(number, number, *POINTS_V) for number in (1, 2)],
        list(FIVE),
        sources=('a', 'b'),
    )
    other = tmp_path / 'other'
    other.mkdir()
    plain = write(other, [person(1, 1, *POINTS_V[:3])], ['top', 'left', 'right'])
    for file in (tmp_path / '1.jpg', tmp_path / '2.jpg', other / '1.jpg'):
        cv2.imwrite(str(file), np.full((128, 128, 3), 100, np.uint8))
    ours = dict(
        type='LabeledCocoDataset',
        ann_file=path,
        metainfo=five_metainfo(),
        data_prefix=dict(img=f'{tmp_path}/'),
        labeled_keypoints=dict(field='source', a=['head', 'left_hand', 'right_foot']),
    )
    three = dict(
        dataset_name='three',
        paper_info={},
        skeleton_info={},
        joint_weights=[1.0] * 3,
        sigmas=[0.1] * 3,
        keypoint_info={
            i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='')
            for i, name in enumerate(['top', 'left', 'right'])
        },
    )
    members = [
        dict(ours, where=dict(source='a')),
        dict(ours, where=dict(source='b')),
        dict(
            ours,
            where=dict(source='a'),
            pipeline=[converting([(0, 0), (1, 2), (2, 1), (3, 4), (4, 3)])],
        ),
        dict(
            type='CocoDataset',
            data_mode='bottomup',
            ann_file=plain,
            metainfo=three,
            data_prefix=dict(img=f'{other}/'),
            pipeline=[converting([(0, 0), (1, 3), (2, 4)])],
        ),
    ]

    def build(flip_prob):
        pipeline = [
            dict(type='LoadImage'),
            dict(
                type='RandomCropAffine',
                input_size=(128, 128),
                scale_factor=(1.0, 1.0),
                shift_factor=0.0,
                rotate_factor=0.0,
            ),
            dict(type='RandomInputFlip', prob=flip_prob),
            dict(type='GenerateTarget', encoder=codec_config(sparse_offsets=True)),
            dict(type='ValidHeatmapMask'),
            dict(type='PackPoseInputs'),
        ]
        return build_in_mmpose(
            DATASETS,
            dict(
                type='CombinedDataset',
                metainfo=five_metainfo(),
                datasets=members,
                pipeline=pipeline,
            ),
        )

    return build


POINTS_V = [(64, 16, 2), (40, 40, 2), (80, 40, 2), (48, 96, 2), (72, 96, 2)]


@pytest.mark.parametrize(
    'flip_prob, wanted',
    [
        (0.0, [[0, 1, 4, 5, 6, 7], list(range(8)), [0, 2, 3, 5, 6, 7], [0, 3, 4, 5, 7]]),
        (1.0, [[0, 2, 3, 5, 6, 7], list(range(8)), [0, 1, 4, 5, 6, 7], [0, 3, 4, 5, 7]]),
    ],
)
def test_members_of_a_combined_dataset_teach_what_they_label(merged, flip_prob, wanted):
    dataset = merged(flip_prob)
    fields = [dataset[i]['data_samples'].gt_fields for i in range(4)]
    assert [channels_on(dict(heatmap_weights=field.heatmap_weights)) for field in fields] == wanted
    for field, on in zip(fields, wanted):
        # Every labeled keypoint has its person, others none.
        assert np.flatnonzero(field.heatmaps.amax(dim=(1, 2)) > 0.5).tolist() == on


def test_such_a_batch_trains(merged):
    dataset = merged(0.0)
    head = build_head(layers=1)
    samples = pseudo_collate([dataset[i] for i in (0, 3)])['data_samples']
    generator = torch.Generator().manual_seed(0)
    losses = head.loss([torch.randn(2, 12, 32, 32, generator=generator)], samples)
    sum(losses.values()).backward()
    # Neither labels the right hand alone: image 1 the left, the other member none.
    gradient = torch.cat((head.score_branch.bias.grad, head.part_branch.bias.grad))
    assert gradient[2] == 0 and (gradient[[0, 1, 3, 4, 5, 6, 7]] != 0).all()
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_the_example_of_the_docs(tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    (code,) = re.findall(
        r'```python\n(# merged.*?)```', (root / 'docs/custom_dataset.md').read_text(), flags=re.S
    )
    base = root / 'configs' / 'pinet_hrnet_coco.py'
    (tmp_path / 'config.py').write_text(f'_base_ = [{str(base)!r}]\n{code}')
    settings = Config.fromfile(tmp_path / 'config.py').train_dataloader.dataset
    (tmp_path / 'data' / 'merged').mkdir(parents=True)
    people = [
        person(number, number, *[(i + 50, i + 60, 2) for i in range(17)]) for number in (1, 2, 3, 4)
    ]
    write(tmp_path / 'data' / 'merged', people, sources=('coco', 'mpii', 'lspet', 'mpii'))
    (tmp_path / 'data/merged/merged.json').rename(tmp_path / 'data/merged/train.json')
    (tmp_path / 'data/merged/images').mkdir()
    for number in (1, 2, 3, 4):
        cv2.imwrite(
            str(tmp_path / f'data/merged/images/{number}.jpg'), np.zeros((128, 128, 3), np.uint8)
        )
    metainfo = settings.metainfo.from_file
    settings.metainfo.from_file = str(root / metainfo)
    for step in settings.pipeline:
        if 'encoder' in step:
            step.encoder.layout.metainfo = str(root / metainfo)
    monkeypatch.chdir(tmp_path)
    dataset = build_in_mmpose(DATASETS, settings)
    assert dataset.lens == [5, 3]
    # nose, eyes, ears and the head, which is the first part, after 17 keypoints
    faceless = [channel for channel in range(20) if channel not in (0, 1, 2, 3, 4, 17)]
    for index, wanted in ((0, list(range(20))), (5, faceless), (7, faceless)):
        weights = dataset[index]['data_samples'].gt_fields.heatmap_weights
        assert channels_on(dict(heatmap_weights=weights)) == wanted
