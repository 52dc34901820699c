"""Annotations, predictions and the evaluations of configs, made up."""

import json
import math
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import METRICS

from tests.helpers.toys import build_in_mmpose

ROOT = Path(__file__).parents[2]
BOX = (100.0, 200.0, 80.0, 160.0)  # x, y, w, h of every annotated person


def dataset_of(leaf):
    return leaf.split('_')[2]


def person(k, dx=0.0, visible=2):
    """Keypoints (k, 3) of a person in the box, moved to the right."""
    x, y, w, h = BOX
    return np.stack(
        (
            x + w * np.linspace(0, 1, k) + dx,
            y + h * np.linspace(1, 0, k) ** 2,
            np.full(k, float(visible)),
        ),
        axis=-1,
    )


def write_annotations(path, persons_of, k, area=6000.0, crowd_index=None, size=500):
    """Annotate images: `persons_of` holds for each the (k, 3) keypoints of its people."""
    images = [
        dict(id=i + 1, file_name=f'{i}.png', width=size, height=size)
        for i in range(len(persons_of))
    ]
    for image, index in zip(images, crowd_index or []):
        image['crowdIndex'] = index
    annotations = [
        dict(
            image_id=i + 1,
            category_id=1,
            iscrowd=0,
            area=area,
            bbox=list(BOX),
            num_keypoints=int((points[:, 2] > 0).sum()),
            keypoints=points.ravel().tolist(),
        )
        for i, persons in enumerate(persons_of)
        for points in persons
    ]
    for i, annotation in enumerate(annotations):
        annotation['id'] = i + 1
    path.write_text(
        json.dumps(
            dict(images=images, annotations=annotations, categories=[dict(id=1, name='person')])
        )
    )


def make_prediction(i, poses, k, scores=None):
    """What a model returns for image i: poses (k, 3), of which x and y count."""
    keypoints = np.array(poses, dtype=np.float32).reshape(-1, k, 3)[..., :2]
    scores = np.full(len(keypoints), 0.5) if scores is None else np.asarray(scores)
    scores = np.repeat(scores[:, None], k, axis=1).astype(np.float32)
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
    return dict(
        id=[i],
        img_id=i + 1,
        gt_instances={},
        pred_instances=dict(
            keypoints=keypoints,
            keypoint_scores=scores,
            bboxes=boxes,
            bbox_scores=scores.mean(axis=1),
        ),
    )


def evaluate(leaf, annotations, predictions):
    """Evaluate by the `test_evaluator` of a config."""
    cfg = Config.fromfile(str(ROOT / 'configs' / f'{leaf}.py'))
    assert dict(cfg.test_evaluator, ann_file='') == dict(cfg.val_evaluator, ann_file='')
    metric = build_in_mmpose(METRICS, dict(cfg.test_evaluator, ann_file=str(annotations)))
    metric.dataset_meta = parse_pose_metainfo(
        dict(from_file=f'configs/_base_/datasets/{dataset_of(leaf)}.py')
    )
    metric.process({}, predictions)
    return {
        name.removeprefix('coco/'): float(value)
        for name, value in metric.evaluate(len(predictions)).items()
    }


# AP reads precision at recalls 0, 0.01, …, 1: with every pose right and a share of the people
# found, it is the number of these recalls up to the share, over 101.
def ap_of_share(share):
    return (math.floor(share * 100 + 1e-9) + 1) / 101
