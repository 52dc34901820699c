"""Poses matched with annotated people as COCO's evaluation does it: by `COCOeval` itself.

All coordinates are in pixels of the image. Shape shorthand: N poses, P people, K keypoints.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

# COCO's protocol counts this many poses per image.
MAX_POSES = 20


class Persons(NamedTuple):
    """An image's annotated people who have labeled keypoints.

    Attributes:
        keypoints: (P, K, 2).
        labeled: (P, K) boolean.
        areas: (P,) as annotated or, if they are not, 0.53 of the box.
        boxes: (P, 4) x1, y1, x2, y2.
        crowd_index: the image's, if it is annotated.
    """

    keypoints: np.ndarray
    labeled: np.ndarray
    areas: np.ndarray
    boxes: np.ndarray
    crowd_index: float | None = None


def match_poses(
    truth: COCO,
    entries: Sequence[dict],
    sigmas: Sequence[float],
    iou_type: str = 'keypoints',
    use_area: bool = True,
    every_area: bool = False,
    max_poses: int = MAX_POSES,
) -> COCOeval:
    """Match poses with annotated people at each of COCO's OKS thresholds.

    In an image the best poses take, from the best to the worst, the free person most like them.

    Args:
        truth: the annotations.
        entries: poses in COCO's result format, ranked by `score`.
        sigmas: K OKS sigmas.
        iou_type: 'keypoints' or 'keypoints_crowd'.
        use_area: OKS with the annotated areas; else with 0.53 of the boxes, as on CrowdPose.
        every_area: match within COCO's ranges of areas too, not only among all people.
        max_poses: how many poses of an image count; the others are left out.

    Returns:
        The evaluation, ready for `accumulate`; `evalImgs` holds the matches of each image.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # xtcocotools reports every step
        poses = _load(truth, [dict(entry) for entry in entries])
        matches = COCOeval(truth, poses, iou_type, np.asarray(sigmas), use_area)
        if not every_area:
            matches.params.areaRng, matches.params.areaRngLbl = matches.params.areaRng[:1], ['all']
        matches.params.maxDets = [max_poses]
        matches.evaluate()
    return matches


def _load(truth: COCO, entries: list[dict]) -> COCO:
    # COCO's loader writes into the entries, and refuses an empty list.
    return truth.loadRes(entries) if entries else _dataset(**dict(truth.dataset, annotations=[]))


def shown_persons(
    keypoints: np.ndarray, scores: np.ndarray, persons: Persons, sigmas: Sequence[float]
) -> np.ndarray:
    """Find whom each pose of an image shows: the person it is matched with at OKS 0.5.

    Args:
        keypoints: (N, K, 2) of the poses.
        scores: (N,) that rank them.
        persons: the image's.
        sigmas: K OKS sigmas.

    Returns:
        (N,) index of the person, or -1 for none; poses after the best 20 have -1.
    """
    shown = np.full(len(keypoints), -1)
    if not len(keypoints) or not len(persons.keypoints):
        return shown
    triples = np.concatenate((keypoints, np.ones_like(keypoints[..., :1])), axis=-1)
    entries = [
        dict(image_id=1, category_id=1, keypoints=pose.ravel().tolist(), score=float(score))
        for pose, score in zip(triples, scores)
    ]
    (match,) = match_poses(_truth_of(persons), entries, sigmas).evalImgs
    # COCO's numbers of poses and people count from 1; an unmatched pose has the person -1.
    owners = match['dtMatches'][0]
    shown[np.array(match['dtIds']) - 1] = np.where(owners > 0, owners - 1, -1)
    return shown


def _truth_of(persons: Persons) -> COCO:
    triples = np.concatenate((persons.keypoints, persons.labeled[..., None]), axis=-1)
    lows, highs = persons.boxes[:, :2], persons.boxes[:, 2:]
    annotations = [
        dict(
            id=i,
            image_id=1,
            category_id=1,
            iscrowd=0,
            area=float(area),
            bbox=box.tolist(),
            num_keypoints=int(labeled.sum()),
            keypoints=pose.ravel().tolist(),
        )
        for i, (pose, labeled, area, box) in enumerate(
            zip(triples, persons.labeled, persons.areas, np.hstack((lows, highs - lows))), 1
        )
    ]
    return _dataset([dict(id=1)], annotations, [dict(id=1, name='person')])


def _dataset(images: list, annotations: list, categories: list, **more: object) -> COCO:
    dataset = COCO()
    dataset.dataset = dict(more, images=images, annotations=annotations, categories=categories)
    with contextlib.redirect_stdout(io.StringIO()):
        dataset.createIndex()
    return dataset


def person_oks(
    poses: np.ndarray,
    keypoints: np.ndarray,
    labeled: np.ndarray,
    areas: np.ndarray,
    sigmas: Sequence[float],
) -> np.ndarray:
    """Compute the OKS of poses with annotated people as COCO's evaluation does: (N, P).

    Only labeled keypoints count; the area is the person's.

    Args:
        poses: (N, K, 2).
        keypoints: (P, K, 2) of the people.
        labeled: (P, K) boolean, at least one of each person.
        areas: (P,) pixels².
        sigmas: K OKS sigmas.
    """
    terms = oks_terms(poses[:, None], keypoints, areas, sigmas)
    # By selection: what is not labeled may be NaN.
    return terms.sum(axis=-1, where=labeled) / labeled.sum(axis=-1)


def oks_terms(
    poses: np.ndarray, keypoints: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]
) -> np.ndarray:
    """Compute the terms whose mean over a person's labeled keypoints is OKS: (..., K).

    Args:
        poses: (..., K, 2) what was found.
        keypoints: (..., K, 2) what is annotated.
        areas: (...) of the annotated people, pixels².
        sigmas: K OKS sigmas.
    """
    squared = np.square(poses - keypoints).sum(axis=-1)
    # COCO's spacing: annotated areas may be 0.
    return np.exp(
        -squared / (2 * np.square(2 * np.asarray(sigmas)) * (areas[..., None] + np.spacing(1)))
    )
