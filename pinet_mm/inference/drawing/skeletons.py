"""People drawn onto images, each in a color of their own. Needs numpy and OpenCV only.

N people, K keypoints; coordinates are pixels of the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from ...onnx_runner import MEAN
from ..people import AUTO, Threshold, lowest_score, person_boxes, person_scores
from .sheets import person_color
from .tags import DARK, Tag, draw_tags, tag_of

LINE_PER_SIDE = 1 / 400  # width of a limb over the image's long side
NOBODY = (210, 210, 210)  # RGB, of people without an identity beside those who have one
FOREHEAD = 0.1  # of a person's size, above the highest keypoint, where no tag stands
FAR = 2**14  # px; OpenCV draws no lines to points much farther away


@dataclass(frozen=True)
class Style:
    """How people are drawn.

    Attributes:
        pose_thr: people with a lower score are not drawn, see `lowest_score`.
        keypoint_thr: keypoints with a lower score are not drawn.
        hollow: keypoints that score less than this part of their person's mean are drawn as rings,
            their limbs thin: they are likely hidden.
        boxes: whether people's boxes are drawn.
        tags: whether the score, and the identity of tracked people, stand above each person.
        line_width: of a limb, px; by default it grows with the image.
    """

    pose_thr: Threshold = AUTO
    keypoint_thr: float = 0.015
    hollow: float = 0.5
    boxes: bool = False
    tags: bool = False
    line_width: int | None = None

    def for_scores(self, score_kind: str = MEAN) -> 'Style':
        """Return the same with a number as `pose_thr`, that for these scores."""
        return replace(self, pose_thr=lowest_score(self.pose_thr, score_kind))


PLAIN = Style()


def draw_people(
    image: np.ndarray, people: Any, skeleton: Sequence[Sequence[int]], style: Style = PLAIN
) -> None:
    """Draw people into an image, the best last and so on top.

    Args:
        image: (H, W, 3) uint8 BGR; changed in place.
        people: a mapping of arrays such as `pred_instances`, or, of annotations, with
            `keypoints_visible` (N, K) for scores; `colors` (N, 3), RGB, are used if there are any.
        skeleton: limbs, as pairs of indices of keypoints.
        style: how they are drawn; its threshold is by default that of mean keypoint scores, since
            people do not tell what their scores are.
    """
    style, scores = style.for_scores(), _scores_of(people)
    order = np.argsort(-scores, kind='stable') if scores is not None else range(_count(people))
    shown = [i for i in order if scores is None or scores[i] >= style.pose_thr]
    width = style.line_width or max(2, round(max(image.shape[:2]) * LINE_PER_SIDE))
    visible = _visible(people)
    for rank in reversed(range(len(shown))):
        i = shown[rank]
        color = _color(people, i, rank)
        if style.boxes:
            low, high = np.round(np.reshape(person_boxes(people)[i], (2, 2))).astype(int).tolist()
            cv2.rectangle(image, low, high, color, max(width // 2, 1), cv2.LINE_AA)
        _draw_person(image, people['keypoints'][i], visible[i], skeleton, style, width, color)
    if style.tags:
        tags = [
            Tag(
                tag_of(people, i, None if scores is None else scores[i]),
                _top_of(people['keypoints'][i], visible[i], style),
                _color(people, i, rank),
            )
            for rank, i in enumerate(shown)
        ]
        draw_tags(image, tags, width)


def _scores_of(people: Any) -> np.ndarray | None:
    if 'bbox_scores' not in people and 'keypoint_scores' not in people:
        return None  # annotated people have none
    return person_scores(people)


def _count(people: Any) -> int:
    return len(people['keypoints'])


def _visible(people: Any) -> np.ndarray:
    for name in ('keypoints_visible', 'keypoint_scores'):
        if name in people:
            return np.asarray(people[name])
    return np.ones(np.shape(people['keypoints'])[:2])


def _color(people: Any, i: int, index: int) -> tuple[int, ...]:
    if 'colors' in people:
        rgb = people['colors'][i]
    elif 'track_ids' in people and np.max(people['track_ids'], initial=-1) >= 0:
        identity = int(people['track_ids'][i])
        rgb = person_color(identity) if identity >= 0 else NOBODY
    else:
        rgb = person_color(index)
    return tuple(int(value) for value in reversed(list(rgb)))


def _top_of(keypoints: np.ndarray, scores: np.ndarray, style: Style) -> tuple[float, float]:
    # Above the eyes of whoever stands; of those keypoints that are drawn, if there are any.
    drawn = _is_drawn(keypoints, scores, style)
    points = np.nan_to_num(keypoints[drawn] if drawn.any() else keypoints).clip(-FAR, FAR)
    x, y = points[points[:, 1].argmin()]
    return float(x), float(y - FOREHEAD * np.ptp(points, axis=0).max())


def _is_drawn(keypoints: np.ndarray, scores: np.ndarray, style: Style) -> np.ndarray:
    return (scores >= style.keypoint_thr) & np.isfinite(keypoints).all(axis=-1)


def _draw_person(
    image: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    skeleton: Sequence[Sequence[int]],
    style: Style,
    width: int,
    color: tuple[int, ...],
) -> None:
    drawn = _is_drawn(keypoints, scores, style)
    solid = scores >= style.hollow * max(float(scores.mean()), 0)
    points = np.clip(np.nan_to_num(keypoints), -FAR, FAR).round().astype(int).tolist()
    limbs = [(i, j) for i, j in skeleton if drawn[i] and drawn[j]]
    for dark in (True, False):
        for i, j in limbs:
            thick = width if solid[i] and solid[j] else max(width // 2, 1)
            cv2.line(
                image,
                points[i],
                points[j],
                DARK if dark else color,
                thick + 2 * dark,
                cv2.LINE_AA,
            )
    radius = width + 1
    for k in np.flatnonzero(drawn):
        cv2.circle(image, points[k], radius + 1, DARK, -1, cv2.LINE_AA)
        cv2.circle(image, points[k], radius, color, -1, cv2.LINE_AA)
        if not solid[k]:
            cv2.circle(image, points[k], max(radius - 2, 1), DARK, -1, cv2.LINE_AA)


def draw_poses(
    image: np.ndarray,
    instances: Any,
    dataset_meta: Mapping,
    pose_thr: float | str = AUTO,
    keypoint_thr: float = 0.015,
    min_side: int = 480,
    style: Style | None = None,
) -> np.ndarray:
    """Draw the skeletons of all people of an image, each in its own color.

    Args:
        image: (H, W, 3) uint8 BGR; small images are enlarged so that limbs can be told apart.
        instances: see `draw_people`.
        dataset_meta: MMPose metainfo, for the skeleton.
        pose_thr: people with a lower score are not drawn.
        keypoint_thr: keypoints with a lower score are not drawn.
        min_side: images whose long side is shorter are enlarged to it.
        style: how people are drawn; replaces the two thresholds.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    zoom = max(1.0, min_side / max(image.shape[:2]))
    canvas = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    people = {name: np.asarray(value) for name, value in instances.items()}
    for name in {'keypoints', 'bboxes'} & set(people):
        people[name] = people[name] * zoom
    style = style or Style(pose_thr, keypoint_thr)
    draw_people(canvas, people, dataset_meta['skeleton_links'], style)
    return canvas


def draw_skeletons(
    image: np.ndarray,
    answer: Any,
    pose_thr: float | str = AUTO,
    keypoint_thr: float = 0.015,
    min_side: int = 480,
) -> np.ndarray:
    """Draw the people of an image with their tags, as overlays show them.

    Args:
        image: (H, W, 3) uint8 BGR; small images are enlarged so that limbs can be told apart.
        answer: an `Answer`, what was found in it.
        pose_thr: people with a lower score are not drawn.
        keypoint_thr: keypoints with a lower score are not drawn, nor their limbs.
        min_side: images whose long side is shorter are enlarged to it.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    style = Style(pose_thr, keypoint_thr, tags=True).for_scores(answer.score_kind)
    meta = dict(skeleton_links=answer.skeleton)
    return draw_poses(image, answer.pred_instances, meta, min_side=min_side, style=style)
