"""MMPose's metric as our configs use it, and MinKeypointsCocoDataset, on a few people."""

import json
import logging

from pinet_mm import MinKeypointsCocoDataset
from pinet_mm.datasets import datasets

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.evaluation.metrics import CocoMetric
from mmpose.registry import DATASETS

from tests.helpers import toys  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from tests.helpers.toys import build_in_mmpose

KINDS = {'keypoints': ('coco', 17), 'keypoints_crowd': ('crowdpose', 14)}


def person(number, image, num_keypoints, labeled=None):
    """A large annotated person whose keypoints spread over its box."""
    labeled = num_keypoints if labeled is None else labeled
    rng = np.random.default_rng(number)
    points = rng.uniform(20, 180, (num_keypoints, 2)).round(1)
    visible = np.arange(num_keypoints) < labeled
    keypoints = np.concatenate((points * visible[:, None], 2 * visible[:, None]), axis=-1)
    return dict(
        id=number,
        image_id=image,
        category_id=1,
        iscrowd=0,
        area=12000.0,
        bbox=[20, 20, 160, 160],
        num_keypoints=int(labeled),
        keypoints=keypoints.flatten().tolist(),
    )


def write_annotations(path, persons, images=(1, 2)):
    content = dict(
        images=[
            dict(id=i, file_name=f'{i}.jpg', width=200, height=200, crowdIndex=0.4 * i - 0.35)
            for i in images
        ],
        annotations=persons,
        categories=[dict(id=1, name='person')],
    )
    path.write_text(json.dumps(content))
    return str(path)


def make_metric(iou_type, tmp_path):
    """A metric for two images of one person each, and these people's keypoints."""
    name, k = KINDS[iou_type]
    persons = [person(n, n, k) for n in (1, 2)]
    metric = CocoMetric(
        ann_file=write_annotations(tmp_path / 'truth.json', persons),
        iou_type=iou_type,
        use_area=iou_type == 'keypoints',
        nms_mode='none',
        score_mode='keypoint',
    )
    metric.dataset_meta = parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{name}.py'))
    return metric, [np.array(p['keypoints']).reshape(1, k, 3)[..., :2] for p in persons]


def evaluate(metric, found):
    """Evaluate one array of poses (N, K, 2) for each image, all with score 0.9."""
    for number, poses in enumerate(found, start=1):
        scores = np.full(poses.shape[:2], 0.9)
        boxes = np.concatenate((poses.min(axis=1), poses.max(axis=1)), axis=-1)
        instances = dict(
            keypoints=poses, keypoint_scores=scores, bboxes=boxes, bbox_scores=scores.mean(axis=1)
        )
        metric.process(
            [], [dict(id=[number], img_id=number, pred_instances=instances, gt_instances={})]
        )
    return metric.evaluate(len(found))


@pytest.mark.parametrize('iou_type', KINDS)
def test_perfect_detections(iou_type, tmp_path):
    metric, truth = make_metric(iou_type, tmp_path)
    values = evaluate(metric, truth)
    assert values['coco/AP'] == values['coco/AP .5'] == values['coco/AR'] == pytest.approx(1)


@pytest.mark.parametrize('iou_type', KINDS)
def test_no_detection_at_all_is_ap_0(iou_type, tmp_path):
    metric, truth = make_metric(iou_type, tmp_path)
    values = evaluate(metric, [poses[:0] for poses in truth])
    assert values['coco/AP'] == values['coco/AP .75'] == values['coco/AR'] == 0


@pytest.mark.parametrize('iou_type', KINDS)
def test_one_of_two_people_found(iou_type, tmp_path):
    metric, truth = make_metric(iou_type, tmp_path)
    values = evaluate(metric, [truth[0], truth[1][:0]])
    assert values['coco/AR'] == pytest.approx(0.5)
    # 51 of the 101 recall steps, 0 … 0.5, are reached with precision 1.
    assert values['coco/AP'] == pytest.approx(51 / 101)


@pytest.mark.parametrize('iou_type', KINDS)
def test_wrong_detections_are_ap_0(iou_type, tmp_path):
    metric, truth = make_metric(iou_type, tmp_path)
    assert evaluate(metric, [poses + 500 for poses in truth])['coco/AP'] == 0


def test_crowdpose_metrics_by_difficulty(tmp_path):
    # Crowd indices 0.05 and 0.45: an easy and a medium image; only the medium one is found.
    metric, truth = make_metric('keypoints_crowd', tmp_path)
    values = evaluate(metric, [truth[0][:0], truth[1]])
    assert values['coco/AP(E)'] == 0 and values['coco/AP(M)'] == pytest.approx(1)


def make_dataset(tmp_path, **options):
    """Images 1 … 4 with 5 + 6, 4 + 6, 17 and 0 labeled keypoints; 5 without people."""
    labeled = [(1, 5), (1, 6), (2, 4), (2, 6), (3, 17), (4, 0)]
    persons = [person(n, image, 17, count) for n, (image, count) in enumerate(labeled, start=1)]
    path = write_annotations(tmp_path / 'train.json', persons, images=(1, 2, 3, 4, 5))
    dataset = MinKeypointsCocoDataset(
        ann_file=path, data_mode='bottomup', data_prefix=dict(img='train/'), **options
    )
    return [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))]


def test_images_with_few_keypoints_are_left_out_of_training(tmp_path):
    assert make_dataset(tmp_path, min_keypoints=11) == [1, 3]
    assert make_dataset(tmp_path, min_keypoints=10) == [1, 2, 3]
    assert make_dataset(tmp_path, min_keypoints=12) == [3]


def test_images_need_one_keypoint_by_default(tmp_path):
    assert make_dataset(tmp_path) == [1, 2, 3]


def test_testing_keeps_every_image(tmp_path):
    assert sorted(make_dataset(tmp_path, min_keypoints=11, test_mode=True)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize('name, k', [('CrowdPoseDataset', 14), ('OCHumanDataset', 17)])
def test_other_datasets_train_on_every_image_with_a_person(name, k, tmp_path):
    # People of one image keep the file's order, which decides between equal areas.
    persons = [
        person(9, 2, k),
        person(3, 1, k, 0),
        person(7, 2, k, 1),
        person(8, 2, k, 0),
        person(2, 4, k, 4),
    ]
    persons[2]['iscrowd'] = 1
    path = write_annotations(tmp_path / 'train.json', persons, images=(1, 2, 3, 4))
    dataset = build_in_mmpose(
        DATASETS,
        dict(type=name, ann_file=path, data_mode='bottomup', data_prefix=dict(img='train/')),
    )
    found = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert {image['img_id']: image['id'] for image in found} == {1: [3], 2: [9, 7, 8], 4: [2]}
    for image in found:
        for key in ('keypoints', 'area', 'raw_ann_info'):
            assert len(image[key]) == len(image['id'])


# --- excluded images -----------------------------------------------------------------------------


def coco_of(tmp_path, names, **options):
    persons = [person(n, n, 17) for n in (1, 2)]
    (tmp_path / 'shared.json').write_text(json.dumps(names))
    return MinKeypointsCocoDataset(
        ann_file=write_annotations(tmp_path / 'truth.json', persons),
        data_prefix=dict(img=str(tmp_path / 'images')),
        data_mode='bottomup',
        exclude=str(tmp_path / 'shared.json'),
        metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
        pipeline=[],
        **options,
    )


def test_excluded_images_are_not_trained_on_but_evaluated(tmp_path):
    assert [each['img_id'] for each in coco_of(tmp_path, ['1.jpg'])] == [2]
    whole = coco_of(tmp_path, ['./1.jpg'], test_mode=True)
    assert [each['img_id'] for each in whole] == [1, 2]


@pytest.mark.parametrize(
    'names, count, level',
    [
        (['1.jpg'], 1, logging.INFO),
        (['images/1.jpg', '7.jpg'], 0, logging.WARNING),  # of another folder
        ([], 0, logging.INFO),
    ],
)
def test_how_many_images_a_list_excludes_is_said(names, count, level, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(datasets, 'print_log', lambda *words: said.append(words))
    coco_of(tmp_path, names)
    text = (
        f'{tmp_path}/shared.json excludes {count} of the 2 images of {tmp_path}/truth.json from '
        'the training'
    )
    assert said == [(text, 'current', level)]
    coco_of(tmp_path, names, test_mode=True)
    assert len(said) == 1, 'all images are evaluated'


def test_lists_of_no_image_and_no_lists(tmp_path):
    assert len(coco_of(tmp_path, [])) == len(coco_of(tmp_path, ['7.jpg'])) == 2
    with pytest.raises(ValueError, match=r'shared\.json must hold a list of image paths'):
        coco_of(tmp_path, dict(a=1))
