"""An image with both models' poses side by side, and a legend below.

Shape shorthand: P people, K keypoints.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from mmengine.structures import InstanceData

from ..inference.drawing.sheets import FONT, person_color, side_by_side
from ..inference.drawing.skeletons import draw_poses
from .judging import Comparison, Persons, View

PANE = (480, 640)  # px, lowest and highest long side of a drawing
EXTRA_COLOR = (200, 200, 200)  # of poses that show none of the annotated people; RGB
MISSED_COLOR = (255, 255, 255)
GAP = 6  # px
DASH = 8  # px
LEGEND_HEIGHT = 30  # px
SAMPLE = 34  # px, the length of the line before a text of the legend
TEXT = (0.5, (230, 230, 230))  # size, BGR


def draw(
    image: np.ndarray, comparison: Comparison, names: Sequence[str], dataset_meta: Mapping
) -> np.ndarray:
    """Draw both models' poses side by side; whom a model missed is drawn in white dashes.

    A person has one color on both sides. Poses that show no annotated person are gray. A legend
    below says so.

    Args:
        image: (H, W, 3) uint8 BGR.
        comparison: what the models did with it.
        names: the models'.
        dataset_meta: MMPose metainfo, for the skeleton.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    side = max(image.shape[:2])
    zoom = float(np.clip(side, *PANE)) / side
    canvas = cv2.resize(
        image,
        None,
        fx=zoom,
        fy=zoom,
        interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC,
    )
    panes = [_draw_view(canvas, view, comparison, zoom, dataset_meta) for view in comparison.views]
    titles = [
        f'{name}\n{_verdict(view, comparison.persons)}'
        for name, view in zip(names, comparison.views)
    ]
    drawn = side_by_side(panes, titles, GAP)
    return np.vstack((drawn, draw_legend(drawn.shape[1], comparison.persons is not None)))


def _draw_view(
    canvas: np.ndarray, view: View, comparison: Comparison, zoom: float, dataset_meta: Mapping
) -> np.ndarray:
    people = comparison.people
    colors = np.array([person_color(i) for i in range(len(people.keypoints))] + [EXTRA_COLOR])
    poses = InstanceData(
        **dict(
            view.poses.items(),
            colors=colors[view.shown],
            keypoints=view.poses.keypoints * zoom,
        )
    )
    pane = draw_poses(canvas, poses, dataset_meta, pose_thr=-np.inf, min_side=1)
    for person in view.missed:
        keypoints = people.keypoints[person] * zoom
        _dash(pane, keypoints, people.labeled[person], dataset_meta['skeleton_links'])
    return pane


def _dash(
    image: np.ndarray, keypoints: np.ndarray, labeled: np.ndarray, skeleton: Sequence
) -> None:
    # Draws the labeled part of a skeleton (K, 2) into an image.
    limbs = [keypoints[list(limb)] for limb in skeleton if labeled[list(limb)].all()]
    for width, color in ((5, (0, 0, 0)), (2, MISSED_COLOR)):  # dark below, to stand out anywhere
        for start, end in limbs:
            _dashed_line(image, start, end, color, width)
        for x, y in keypoints[labeled].round().astype(int).tolist():
            cv2.circle(image, (x, y), 1, color, width, cv2.LINE_AA)


def _dashed_line(
    image: np.ndarray, start: np.ndarray, end: np.ndarray, color: tuple, width: int
) -> None:
    count = max(round(float(np.hypot(*(end - start))) / DASH), 1)
    points = np.linspace(start, end, count + 1).round().astype(int).tolist()
    for number, (first, second) in enumerate(pairwise(points)):
        if number % 2 == 0:
            cv2.line(image, first, second, color, width, cv2.LINE_AA)


def draw_legend(width: int, annotated: bool) -> np.ndarray:
    """Draw what the lines mean: (LEGEND_HEIGHT, width, 3) uint8 BGR, white on black.

    Args:
        width: px; texts get smaller where it is not enough.
        annotated: the models are compared with annotations, not with each other.
    """
    texts = ['found: one color per person, on both sides']
    texts.append('missed by this model' if annotated else 'found by the other model only')
    texts += ['pose of nobody annotated'] if annotated else []
    size, color = TEXT
    lengths = [cv2.getTextSize(text, FONT, size, 1)[0][0] for text in texts]
    fit = min(1.0, (width - (SAMPLE + 26) * len(texts)) / sum(lengths))
    strip, x, y = np.zeros((LEGEND_HEIGHT, width, 3), np.uint8), 8, LEGEND_HEIGHT // 2
    for number, (text, length) in enumerate(zip(texts, lengths)):
        _draw_sample(strip, number, np.array([x, y]), np.array([x + SAMPLE, y]))
        where = (x + SAMPLE + 8, y + 5)
        cv2.putText(strip, text, where, FONT, max(size * fit, 0.1), color, 1, cv2.LINE_AA)
        x += SAMPLE + round(length * fit) + 26
    return strip


def _draw_sample(strip: np.ndarray, number: int, start: np.ndarray, end: np.ndarray) -> None:
    # Before a text: the colors of two people, dashes, or the color of nobody.
    if number == 1:
        _dashed_line(strip, start, end, MISSED_COLOR, 2)
        return
    colors = (EXTRA_COLOR, EXTRA_COLOR) if number else (person_color(0), person_color(1))
    middle = (start + end) // 2
    for first, second, color in ((start, middle, colors[0]), (middle, end, colors[1])):
        cv2.line(strip, first.tolist(), second.tolist(), color[::-1], 3)


def _verdict(view: View, persons: Persons | None) -> str:
    if persons is None:
        return f"{len(view.poses)} poses, misses {len(view.missed)} of the other's"
    total = len(persons.boxes)
    return f'found {total - len(view.missed)} of {total} ({len(view.poses)} poses)'
