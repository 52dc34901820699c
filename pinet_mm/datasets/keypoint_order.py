"""Whether poses are like people, but with their keypoints in another order.

Shape shorthand: N records, K keypoints.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from ..environment.deferred import DeferredModule
from .matching import person_oks

optimize = DeferredModule('scipy.optimize')  # a quarter of a second; few evaluations need it

LEAST_OKS = 0.5  # COCO's lowest threshold
FAR = 1e30  # pixels², which can be added up, as infinity cannot
MOST_IMAGES = 100  # that are looked at


def why_order(
    pairs: Iterable[tuple[Sequence[dict], Sequence[dict]]], sigmas: Sequence[float], use_area: bool
) -> str:
    """Return that the best poses match people in another order of keypoints, or nothing.

    Args:
        pairs: people and poses of each image, as in COCO's files.
        sigmas: K OKS sigmas.
        use_area: OKS with the annotated areas; else with 0.53 of the boxes.
    """
    looked_at = list(islice(pairs, MOST_IMAGES))
    matches = [_match(people, poses, sigmas, use_area) for people, poses in looked_at]
    votes = Counter(pair for match in matches for pair in match)
    if 2 * sum(bool(match) for match in matches) <= len(looked_at):
        return ''
    moved: dict[int, int] = {}
    for (k, place), _ in votes.most_common():
        moved.setdefault(k, place)
    said = [f'{k} of the poses lies at {place}' for k, place in sorted(moved.items()) if k != place]
    if not said:
        return ''
    return (
        f'; in another order of keypoints they match: number {", ".join(said[:3])} of the people. '
        "Compare the keypoints in the annotation file's categories with the metainfo"
    )


def _match(
    people: Sequence[dict], poses: Sequence[dict], sigmas: Sequence[float], use_area: bool
) -> list[tuple[int, int]]:
    """Return which keypoint of a person lies at each of the best pose's, if they are then alike."""
    best = max(poses, key=lambda each: each['score'])
    (pose,) = keypoints_of([best])[..., :2]
    found, highest = [], LEAST_OKS
    for person, area in zip(keypoints_of(people), areas_of(people, use_area)):
        (labeled,) = np.nonzero(person[:, 2] > 0)
        if 2 * len(labeled) < len(person):
            continue  # a few keypoints can be found among those of any pose
        with np.errstate(over='ignore'):
            squared = ((pose[:, None] - person[labeled, :2]) ** 2).sum(axis=-1).clip(max=FAR)
        rows, columns = optimize.linear_sum_assignment(squared)
        truth, every = person[labeled[columns], :2], np.ones((1, len(rows)), bool)
        own = tuple(np.asarray(sigmas)[rows])
        oks = person_oks(pose[rows][None], truth[None], every, area[None], own).item()
        if oks > highest:
            highest = oks
            found = list(zip(rows.tolist(), labeled[columns].tolist()))
    return found


def keypoints_of(records: Sequence[dict]) -> np.ndarray:
    """Return (N, K, 3) keypoints of annotations or poses."""
    flat = np.array([each['keypoints'] for each in records], dtype=np.float64)
    return flat.reshape(len(records), -1, 3)


def boxes_of(people: Sequence[dict]) -> np.ndarray:
    """Return (N,) areas of the annotated boxes."""
    return np.array([each['bbox'][2] * each['bbox'][3] for each in people])


def areas_of(people: Sequence[dict], use_area: bool) -> np.ndarray:
    """Return (N,) areas by which OKS is measured; see `why_order`."""
    return np.array(
        [
            each['area'] if use_area and 'area' in each else 0.53 * box
            for each, box in zip(people, boxes_of(people))
        ]
    )
