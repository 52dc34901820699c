"""The results of inference: records in plain numbers, their JSON document, a report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from ..atomic import write_whole
from .drawing import person_scores

SCHEMA = 'pinet_mm.predictions/1'  # docs/predictions.md says what it holds


class Report(NamedTuple):
    """Outcome of `infer`.

    Attributes:
        json: the file that it wrote.
        unreadable: files that are not images.
        pictures: how many images were read.
        seconds: that they took.
        best_scores: the score of the best person of each image, 0 where there is none.
    """

    json: Path
    unreadable: list[str]
    pictures: int
    seconds: float
    best_scores: Sequence[float] = ()


def to_record(sample: PoseDataSample, name: str) -> dict:
    """Return a sample's people as plain numbers, in pixels of the original image.

    Args:
        sample: what `predict` yields.
        name: of the image's file.

    Returns:
        `file`, `width`, `height` and `persons`, the best first, each with `score`, `bbox` (x1, y1,
        x2, y2) and `keypoints`, a list of [x, y, score].
    """
    people, (height, width) = sample.pred_instances, sample.metainfo['ori_shape'][:2]
    scores, boxes = person_scores(people), person_boxes(people)
    keypoints = np.concatenate((people.keypoints, people.keypoint_scores[..., None]), axis=-1)
    persons = [
        dict(
            score=round(float(scores[i]), 4),
            bbox=boxes[i].round(2).tolist(),
            keypoints=keypoints[i].round(4).tolist(),
        )
        for i in np.argsort(-scores, kind='stable')
    ]
    return dict(file=name, width=int(width), height=int(height), persons=persons)


def person_boxes(people: InstanceData) -> np.ndarray:
    """Return the boxes (N, 4; x1, y1, x2, y2) of people, around their keypoints if there are none.

    Args:
        people: `pred_instances` of any bottom-up model, in pixels of the image.
    """
    if 'bboxes' in people:
        return people.bboxes
    lowest, highest = people.keypoints.min(axis=1), people.keypoints.max(axis=1)
    return np.concatenate((lowest, highest), axis=-1)


def best_score(record: Mapping) -> float:
    """Return the score of the best person of a record, 0 without any."""
    return max((person['score'] for person in record['persons']), default=0.0)


def write_document(
    path: Path, dataset_meta: Mapping, records: Sequence[Mapping], unreadable: Sequence[str]
) -> None:
    """Write the JSON that docs/predictions.md describes.

    Args:
        path: the file.
        dataset_meta: MMPose metainfo, for keypoint names and skeleton.
        records: of the images, see `to_record`, each with the name of its `overlay`, or None.
        unreadable: files that are no images.
    """
    names = dataset_meta['keypoint_id2name']
    document = dict(
        schema=SCHEMA,
        keypoint_names=[names[i] for i in range(len(names))],
        skeleton=[list(map(int, link)) for link in dataset_meta['skeleton_links']],
        pictures=records,
        unreadable=unreadable,
    )
    write_whole(path, json.dumps(document, indent=1))
