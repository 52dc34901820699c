"""People drawn onto images, each in a color of their own. Needs numpy and OpenCV only.

N people, K keypoints; coordinates are pixels of the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .records import POSE_THR, person_boxes, person_scores
from .sheets import FONT, person_color

DARK = (0, 0, 0)  # outlines, so that people stand out anywhere
LINE_PER_SIDE = 1 / 400  # width of a limb over the image's long side


@dataclass(frozen=True)
class Style:
    """How people are drawn.

    Attributes:
        pose_thr: people with a lower score are not drawn.
        keypoint_thr: keypoints with a lower score are not drawn.
        hollow: keypoints that score less than this part of their person's mean are drawn as rings,
            their limbs thin: they are likely hidden.
        boxes: whether people's boxes are drawn.
        tags: whether the score, and the identity of tracked people, stand above each person.
        line_width: of a limb, px; by default it grows with the image.
    """

    pose_thr: float = POSE_THR
    keypoint_thr: float = 0.05
    hollow: float = 0.5
    boxes: bool = False
    tags: bool = False
    line_width: int | None = None


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
        style: how they are drawn.
    """
    scores = _scores_of(people)
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
        for rank in reversed(range(len(shown))):
            i = shown[rank]
            _draw_tag(image, people, i, scores, width, _color(people, i, rank))


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
    else:
        known = 'track_ids' in people and people['track_ids'][i] >= 0
        rgb = person_color(int(people['track_ids'][i]) if known else index)
    return tuple(int(value) for value in reversed(list(rgb)))


def _draw_person(
    image: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    skeleton: Sequence[Sequence[int]],
    style: Style,
    width: int,
    color: tuple[int, ...],
) -> None:
    drawn = (scores >= style.keypoint_thr) & np.isfinite(keypoints).all(axis=-1)
    solid = scores >= style.hollow * max(float(scores.mean()), 0)
    points = np.clip(np.nan_to_num(keypoints), -(2**14), 2**14).round().astype(int).tolist()
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


def _draw_tag(
    image: np.ndarray,
    people: Any,
    i: int,
    scores: np.ndarray | None,
    width: int,
    color: tuple[int, ...],
) -> None:
    words = []
    if 'track_ids' in people and people['track_ids'][i] >= 0:
        words.append(f'#{int(people["track_ids"][i])}')
    if scores is not None:
        words.append(f'{scores[i]:.2f}')
    if not words:
        return
    size, thick = 0.2 * width, max(width // 2, 1)
    (w, h), below = cv2.getTextSize(' '.join(words), FONT, size, thick)
    x, y = person_boxes(people)[i][:2]
    x = int(np.clip(x, 0, max(image.shape[1] - w - 4, 0)))
    y = int(np.clip(y - 2 * width, h + below + 2, image.shape[0] - 1))
    cv2.rectangle(image, (x, y - h - below - 2), (x + w + 4, y), color, -1)
    cv2.putText(image, ' '.join(words), (x + 2, y - below), FONT, size, DARK, thick, cv2.LINE_AA)


def draw_poses(
    image: np.ndarray,
    instances: Any,
    dataset_meta: Mapping,
    pose_thr: float = 0.1,
    keypoint_thr: float = 0.05,
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
    pose_thr: float = POSE_THR,
    keypoint_thr: float = 0.05,
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
    style, meta = Style(pose_thr, keypoint_thr, tags=True), dict(skeleton_links=answer.skeleton)
    return draw_poses(image, answer.pred_instances, meta, min_side=min_side, style=style)
