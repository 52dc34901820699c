"""Annotations, predictions and results as the ablation study has them, made up."""

from pinet_mm.method.layouts import PartLayout

import numpy as np
from xtcocotools.coco import COCO

from studies.ablation import Budget, report, results, study

K = 3
LAYOUT = PartLayout(
    ('a', 'b', 'c'), ('top', 'low'), ((0,), (1, 2)), ((0, 1),), (0, 1, 2), (0.05,) * K
)


def coco(persons, crowding):
    """Annotations of images: `persons[i]` holds (K, 3) keypoints of each person of image i."""
    data = COCO()
    annotations = [
        dict(
            image_id=i,
            category_id=1,
            iscrowd=0,
            area=400.0,
            bbox=[0, 0, 20, 40],
            num_keypoints=int((np.array(points)[:, 2] > 0).sum()),
            keypoints=np.array(points, float).ravel().tolist(),
        )
        for i, image in enumerate(persons)
        for points in image
    ]
    for i, annotation in enumerate(annotations):
        annotation['id'] = i + 1
    data.dataset = dict(
        images=[
            dict(id=i, width=100, height=100, crowdIndex=index) for i, index in enumerate(crowding)
        ],
        annotations=annotations,
        categories=[dict(id=1, name='person')],
        info={},
    )
    data.createIndex()
    return data


def entry(image, points, score):
    points = np.array(points, float)
    return dict(
        image_id=image,
        category_id=1,
        score=score,
        keypoints=np.column_stack((points[:, :2], np.full(K, score))).ravel().tolist(),
    )


def far_apart(x, seen=(2, 2, 2)):
    return [(x, 10, seen[0]), (x, 30, seen[1]), (x + 4, 30, seen[2])]


# Differences


def results_of(**rows):
    """Results with AP in folds: `three_parts=[(seed, switch, folds)]`."""
    found = {}
    for name, tests in rows.items():
        for seed, switch, folds in tests:
            row = found.setdefault(
                f'{name.replace("_", "-")}/{seed}', dict(checkpoint='cid_0/epoch_1.pth', tests={})
            )
            scores = dict(all=float(np.nanmean(folds)), folds=folds)
            row['tests'][switch] = dict(
                metrics={
                    metric: scores
                    for metric in report._SCORES + results.SEEN_METRICS + results.NEAR_METRICS
                },
                images_per_second=12.6,
                poses=3.0,
            )
    return dict(
        schema=study.SCHEMA,
        budget=Budget().as_dict(),
        machine='a machine',
        skipped=dict(dekr='no operators'),
        persons=dict(all=9, near_any=4),
        rows=found,
    )
