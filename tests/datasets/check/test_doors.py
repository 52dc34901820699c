"""Every mutation at every door: training, evaluation, fusion, comparison.

What is refused is refused everywhere, with file, record and field. What is handled trains and
evaluates as the file that was meant: nobody is lost, and perfect poses have AP 1.
"""

import json

from pinet_mm.comparison.annotations import Annotations
from pinet_mm.datasets.check import KINDS, AnnotationError, Level
from pinet_mm.datasets.evaluation import average_precision
from pinet_mm.runner.annotations import check_annotations

import pytest
from mmengine.config import Config
from mmpose.datasets.datasets import CocoDataset

from tests.helpers import mutations
from tests.helpers.mutations import BYTES, CONTENT, NAMES, UNREADABLE, valid

SIGMAS = [0.05] * 5
METAINFO = dict(
    dataset_name='toy',
    paper_info={},
    joint_weights=[1.0] * 5,
    sigmas=SIGMAS,
    keypoint_info={
        i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='') for i, name in enumerate(NAMES)
    },
    skeleton_info={},
)
# Faults that take an annotation out of the file; the others keep all five people.
LEFT_OUT = {'category-undescribed', 'image-unknown', 'nothing-there', 'other-category'}
# They say that the keypoints are wrong, which no door can put right.
OTHER_PLACES = {'keypoints-outside', 'keypoint-names'}

REFUSED = [
    each for each in CONTENT if each.kind and KINDS[each.kind].level is Level.REFUSED
] + UNREADABLE
HANDLED = [each for each in (*CONTENT, *BYTES) if each not in REFUSED]
every_refused = pytest.mark.parametrize('mutation', REFUSED, ids=[each.name for each in REFUSED])
every_handled = pytest.mark.parametrize('mutation', HANDLED, ids=[each.name for each in HANDLED])


def is_left_out(mutation):
    """Whether one of the five people is no person any more."""
    return mutation.kind in LEFT_OUT or mutation.name == 'keypoints are []'  # and no box


def config(folder):
    dataset = dict(type='CocoDataset', data_root=str(folder), ann_file='a.json', metainfo=METAINFO)
    return Config(
        dict(
            work_dir=str(folder / 'work'),
            train_dataloader=dict(dataset=dataset),
            test_dataloader=dict(dataset=dict(dataset)),
            test_evaluator=dict(type='CocoMetric', ann_file=str(folder / 'a.json')),
        )
    )


def train(folder):
    check_annotations(config(folder), 'train_dataloader')


def evaluate(folder):
    check_annotations(config(folder), 'test_dataloader')


def fuse(folder):
    (folder / 'poses.json').write_text(json.dumps(perfect_poses()))
    return average_precision(folder / 'poses.json', folder / 'a.json', SIGMAS, names=NAMES)


def compare(folder):
    return Annotations(folder / 'a.json', 5, NAMES)


def perfect_poses():
    """The annotated keypoints of the valid file as results."""
    return [
        dict(
            image_id=each['image_id'],
            category_id=1,
            score=0.9,
            keypoints=[value if i % 3 < 2 else 0.9 for i, value in enumerate(each['keypoints'])],
        )
        for each in valid()['annotations']
    ]


@pytest.mark.parametrize('door', [train, evaluate, fuse, compare])
@every_refused
def test_every_door_refuses_what_loses_data(mutation, door, tmp_path):
    if door in (fuse, compare) and mutation.kind == 'image-size':
        pytest.skip('these doors need no sizes')
    mutations.write(tmp_path / 'a.json', mutation)
    with pytest.raises(AnnotationError) as caught:
        door(tmp_path)
    assert str(tmp_path / 'a.json') in str(caught.value)
    assert not (tmp_path / 'work').exists()


@every_handled
def test_training_sees_everybody(mutation, tmp_path):
    mutations.write(tmp_path / 'a.json', mutation)
    cfg = config(tmp_path)
    check_annotations(cfg, 'train_dataloader')
    dataset = CocoDataset(
        ann_file=cfg.train_dataloader.dataset.ann_file,
        data_root=str(tmp_path),
        metainfo=METAINFO,
        data_mode='bottomup',
        pipeline=[],
    )
    images = [dataset[i] for i in range(len(dataset))]
    persons = sum(len(each['keypoints']) for each in images)
    assert persons == 5 - is_left_out(mutation)


@every_handled
def test_perfect_poses_have_ap_1(mutation, tmp_path):
    mutations.write(tmp_path / 'a.json', mutation)
    found = fuse(tmp_path)
    # The pose of somebody who is not there is a wrong one among four right ones; a keypoint that
    # the mutation moved is not where the valid file has it.
    moved = mutation.kind in OTHER_PLACES or mutation.name == 'a keypoint a pixel outside'
    assert found['AP'] == pytest.approx(1) or is_left_out(mutation) or moved
    assert moved or found['AP'] > 0.6


@every_handled
def test_comparing_knows_everybody(mutation, tmp_path):
    mutations.write(tmp_path / 'a.json', mutation)
    truth = compare(tmp_path)
    persons = sum(len(truth.persons(image).keypoints) for image in truth.images)
    unlabeled = mutation.kind == 'keypoints-missing' and not is_left_out(mutation)
    crowd = mutation.name == 'iscrowd is true'
    assert persons == 5 - is_left_out(mutation) - unlabeled - crowd
