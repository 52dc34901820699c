"""Keypoints in another order than the metainfo's, in a file that no run has checked."""

import json

from pinet_mm import LayoutCocoMetric
from pinet_mm.datasets.file_order import require_order
from pinet_mm.errors import InputError

import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from tests.helpers.changes import NAMES, reordered, valid, write_images
from tests.helpers.doors import METAINFO
from tests.helpers.mutations import CONTENT
from tests.helpers.toys import build_in_mmpose

REFUSED = 'categories: keypoints: expected {}, nose, left_hand, right_hand, left_foot, right_foot; '
IN_ORDER = REFUSED.format("the metainfo's order")


def changed(name):
    data = valid()
    next(each for each in CONTENT if each.name == name).change(data)
    return data


def built(folder, data, kind='CocoDataset'):
    write_images(folder)
    (folder / 'a.json').write_text(json.dumps(data))
    settings = dict(data_root=str(folder), ann_file='a.json', metainfo=METAINFO)
    return build_in_mmpose(DATASETS, dict(type=kind, data_mode='bottomup', **settings))


@pytest.mark.parametrize(
    'name, said',
    [
        (
            'keypoints in another order',
            IN_ORDER
            + 'found nose, right_hand, left_hand, right_foot, left_foot; pinet-mm train and '
            'pinet-mm test read them by their names; pinet-mm data check FILE --metainfo ',
        ),
        (
            'keypoints of other names in another order',
            REFUSED.format('the names of the metainfo') + 'found head, right_hand, left_hand,',
        ),
        (
            'fewer names than keypoints',
            REFUSED.format('as many names as the metainfo has keypoints')
            + 'found nose, left_hand,',
        ),
    ],
)
def test_another_order_is_refused_in_one_line(name, said):
    with pytest.raises(InputError) as caught:
        require_order(changed(name), NAMES, 'a.json')
    assert str(caught.value).startswith(f'a.json: {said}') and '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'name', ['nothing', 'names in another spelling', 'no names', 'keypoints of other names']
)
def test_the_order_of_the_metainfo_and_other_names_pass(name):
    require_order(changed(name), NAMES, 'a.json')


def test_only_categories_of_annotations_count_and_only_with_a_metainfo():
    data = valid()
    data['categories'].append(dict(id=2, name='dog', keypoints=NAMES[::-1]))
    require_order(data, NAMES, 'a.json')
    data['annotations'][1]['category_id'] = 2
    with pytest.raises(InputError, match=IN_ORDER):
        require_order(data, NAMES, 'a.json')
    require_order(data, (), 'a.json')


@pytest.mark.parametrize('kind', ['CocoDataset', 'CrowdPoseDataset', 'MinKeypointsCocoDataset'])
def test_datasets_of_mmpose_refuse_it_as_they_are_built(kind, tmp_path):
    data = valid()
    assert len(built(tmp_path, data, kind)) == 3
    reordered(data)
    with pytest.raises(InputError, match=f'a.json: {IN_ORDER}'):
        built(tmp_path, data, kind)


def test_a_dataset_that_reads_keypoints_by_their_names_takes_it(tmp_path):
    data = valid()
    right = [built(tmp_path, data)[i]['keypoints'] for i in range(3)]
    reordered(data)
    dataset = built(tmp_path, data, 'LabeledCocoDataset')
    for i, wanted in enumerate(right):
        assert (dataset[i]['keypoints'] == wanted).all()


@pytest.mark.parametrize('options', [{}, dict(sigmas=[0.05] * 5)])
def test_an_evaluator_refuses_it_before_the_first_image(options, tmp_path):
    """A dataset that reads them by their names would else be evaluated against another order."""
    data, meta = valid(), parse_pose_metainfo(METAINFO)
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(data))
    LayoutCocoMetric(str(path), **options).dataset_meta = meta
    reordered(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=f'a.json: {IN_ORDER}'):
        LayoutCocoMetric(str(path), **options).dataset_meta = meta
    converter = dict(type='KeypointConverter', num_keypoints=5, mapping=[(i, i) for i in range(5)])
    LayoutCocoMetric(str(path), gt_converter=converter, **options).dataset_meta = meta
