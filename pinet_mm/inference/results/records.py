"""Poses as plain numbers: records, rows of a table, COCO results. Needs numpy only.

Coordinates are pixels of the original image; people are arrays, see `people`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import InputError
from ...method.layouts import names_of
from ...onnx_runner import MEAN
from ..people import lowest_score, person_boxes, person_scores

SCHEMAS = {1: 'pinet_mm.predictions/1', 2: 'pinet_mm.predictions/2'}  # docs/predictions.md
SCHEMA = SCHEMAS[2]
_DECIMALS = {1: 4, 2: 2}  # of keypoints, px


def to_record(sample: Any, name: str, pose_thr: float | str | None = None, schema: int = 2) -> dict:
    """Return a sample's people as plain numbers, in pixels of the original image.

    Args:
        sample: what `predict` yields, or any other PoseDataSample.
        name: of the image's file.
        pose_thr: people with a lower score are left out, see `lowest_score`; by default nobody.
        schema: 2, or 1 for the form of version 0.1.

    Returns:
        `file`, `width`, `height` and `persons`, the best first, each with `score`, `bbox` (x1, y1,
        x2, y2) and `keypoints`, a list of [x, y, score]; in schema 2 also `id` where people are
        tracked, and `parts` and `stds` (pixels), those of each keypoint, where the model tells
        them.
    """
    people, (height, width) = sample.pred_instances, sample.metainfo['ori_shape'][:2]
    scores, boxes = person_scores(people), person_boxes(people)
    xy = np.asarray(people['keypoints'], dtype=np.float64).round(_DECIMALS[schema])
    each = np.asarray(people['keypoint_scores'], dtype=np.float64)[..., None].round(4)
    keypoints = np.concatenate((xy, each), axis=-1)
    if pose_thr is not None:
        pose_thr = lowest_score(pose_thr, sample.metainfo.get('score', MEAN))
    persons = []
    for i in np.argsort(-scores, kind='stable'):
        if pose_thr is not None and scores[i] < pose_thr:
            break
        person = dict(
            score=round(float(scores[i]), 4),
            bbox=boxes[i].astype(np.float64).round(2).tolist(),
            keypoints=keypoints[i].tolist(),
        )
        persons.append(person if schema == 1 else dict(_extras(people, i), **person))
    return dict(file=name, width=int(width), height=int(height), persons=persons)


def _extras(people: Any, i: int) -> dict:
    found = {}
    if 'track_ids' in people and people['track_ids'][i] >= 0:
        found['id'] = int(people['track_ids'][i])
    if 'keypoint_parts' in people:
        found['parts'] = np.asarray(people['keypoint_parts'][i]).astype(int).tolist()
    if 'keypoint_stds' in people:
        found['stds'] = np.asarray(people['keypoint_stds'][i], dtype=np.float64).round(2).tolist()
    return found


def from_record(record: Mapping, keypoints: int) -> dict[str, np.ndarray]:
    """Return the people of a record as arrays, named as in `pred_instances`.

    Args:
        record: see `to_record`.
        keypoints: K, which a record without people does not tell.

    Raises:
        InputError: somebody has another number of keypoints, or of what is said of each.
    """
    persons = record['persons']
    for i, person in enumerate(persons):
        for key in ('keypoints', 'parts', 'stds'):
            if key in person and len(person[key]) != keypoints:
                raise InputError(
                    f'{record["file"]}: person {i} has {len(person[key])} {key}; expected '
                    f'{keypoints}, as there are keypoint_names'
                )
    rows = np.array([person['keypoints'] for person in persons], dtype=np.float64)
    rows = rows.reshape(-1, keypoints, 3)
    people = dict(
        keypoints=rows[..., :2],
        keypoint_scores=rows[..., 2],
        bbox_scores=np.array([person['score'] for person in persons], dtype=np.float64),
        bboxes=np.array([person['bbox'] for person in persons], dtype=np.float64).reshape(-1, 4),
    )
    if any('id' in person for person in persons):
        people['track_ids'] = np.array([person.get('id', -1) for person in persons])
    for key in ('parts', 'stds'):
        if persons and all(key in person for person in persons):
            people[f'keypoint_{key}'] = np.array([person[key] for person in persons])
    return people


def facts(dataset_meta: Mapping) -> dict[str, Any]:
    """Return what results know of the keypoints: their names, skeleton and OKS sigmas.

    Args:
        dataset_meta: MMPose metainfo.
    """
    return dict(
        keypoint_names=list(names_of(dataset_meta)),
        keypoint_links=[(int(i), int(j)) for i, j in dataset_meta['skeleton_links']],
        keypoint_sigmas=np.asarray(dataset_meta.get('sigmas', ()), dtype=np.float64),
    )


def header(
    names: Iterable[str],
    skeleton: Iterable[Iterable[int]],
    pose_thr: float | None,
    schema: int = 2,
    score_kind: str = MEAN,
) -> dict:
    """Return what stands at the head of a document, before its records.

    Args:
        names: of the keypoints.
        skeleton: limbs, as pairs of indices into `names`.
        pose_thr: people with a lower score are left out; None if nobody is.
        schema: 2, or 1 for the form of version 0.1.
        score_kind: what the scores of people are.

    Raises:
        InputError: there is no such schema.
    """
    if schema not in SCHEMAS:
        raise InputError(
            f'the JSON schema must be {" or ".join(map(str, SCHEMAS))}; found {schema}'
        )
    found = dict(
        schema=SCHEMAS[schema],
        keypoint_names=list(names),
        skeleton=[list(map(int, link)) for link in skeleton],
    )
    return found if schema == 1 else dict(found, pose_thr=pose_thr, score_kind=score_kind)


def document_lines(
    head: Mapping,
    records: Iterable[Mapping],
    unreadable: Iterable[str],
    videos: Iterable[Mapping] = (),
) -> Iterator[str]:
    """Yield the text of a document piece by piece, a line per image.

    Args:
        head: see `header`.
        records: of the images; read once, as they are written.
        unreadable: files that are no images; read after all records.
        videos: what is known of each video; read after all records.
    """
    images = 'pictures' if head['schema'] == SCHEMAS[1] else 'images'
    yield f'{compact(head)[:-1]},\n"{images}":['
    separator = '\n'
    for record in records:
        yield separator + compact(record)
        separator = ',\n'
    yield f'\n],\n"unreadable":{compact(list(unreadable))}'
    if known := list(videos):
        yield f',\n"videos":{compact(known)}'
    yield '}\n'


def compact(value: Any) -> str:
    """Return JSON without spaces; a name that is no UTF-8 becomes escapes."""
    return json.dumps(value, separators=(',', ':'))


def to_rows(record: Mapping, names: Iterable[str]) -> Iterator[dict]:
    """Yield a row of a table for every keypoint of every person of a record.

    Args:
        record: see `to_record`; may have `frame` and `seconds`.
        names: of the keypoints.

    Yields:
        `file`, `frame`, `seconds`, `person` (0 is the best of its image), `id`, `score`, `x1`,
        `y1`, `x2`, `y2`, `keypoint`, `x`, `y`, `keypoint_score`, `part`, `std`; None where not
        known.
    """
    names = list(names)
    unknown = [None] * len(names)
    for i, person in enumerate(record['persons']):
        whose = dict(
            file=record['file'],
            frame=record.get('frame'),
            seconds=record.get('seconds'),
            person=i,
            id=person.get('id'),
            score=person['score'],
            **dict(zip(('x1', 'y1', 'x2', 'y2'), person['bbox'])),
        )
        more = zip(person.get('parts') or unknown, person.get('stds') or unknown)
        for name, (x, y, score), (part, std) in zip(names, person['keypoints'], more):
            point = dict(keypoint=name, x=x, y=y, keypoint_score=score, part=part, std=std)
            yield dict(whose, **point)


def to_coco(record: Mapping, image_id: int, category_id: int = 1) -> list[dict]:
    """Return the people of a record in COCO's result format.

    Args:
        record: see `to_record`.
        image_id: of the image in the annotation file.
        category_id: of people in the annotation file.

    Returns:
        For each person `image_id`, `category_id`, `keypoints` (x, y, score of each, in one list),
        `bbox` (x, y, width, height) and `score`.
    """
    found = []
    for person in record['persons']:
        x1, y1, x2, y2 = person['bbox']
        found.append(
            dict(
                image_id=image_id,
                category_id=category_id,
                keypoints=[number for point in person['keypoints'] for number in point],
                bbox=[x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                score=person['score'],
            )
        )
    return found
