"""An image with both models' poses, side by side."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData

from ..inference.drawing import draw_poses, mark_boxes, person_color, side_by_side
from .judging import Comparison, Persons, View

PANE = (480, 640)  # px, what the long side of a drawing lies between
EXTRA_COLOR = (200, 200, 200)  # of poses that show none of the annotated persons; RGB
MISSED, BOTH_MISSED = ('missed', (214, 0, 24)), ('missed by both', (84, 84, 84))  # tags, RGB
GAP = 6  # px


def draw(
    picture: np.ndarray, comparison: Comparison, names: Sequence[str], dataset_meta: dict
) -> np.ndarray:
    """Draw both models' poses side by side; who is missed stands in a dashed box.

    A person has one color on both sides. The box's tag is red if only this model missed them.
    Poses that show no annotated person are gray.

    Args:
        picture: (H, W, 3) uint8 BGR.
        comparison: what the models did with it.
        names: the models'.
        dataset_meta: MMPose metainfo, for the skeleton.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    side = max(picture.shape[:2])
    zoom = float(np.clip(side, *PANE)) / side
    canvas = cv2.resize(
        picture,
        None,
        fx=zoom,
        fy=zoom,
        interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC,
    )
    colors = np.array([person_color(i) for i in range(len(comparison.boxes))] + [EXTRA_COLOR])
    both = np.intersect1d(*(view.missed for view in comparison.views))
    panes, titles = [], []
    for name, view in zip(names, comparison.views):
        poses = InstanceData(
            **dict(
                view.poses.items(),
                colors=colors[view.shown],
                keypoints=view.poses.keypoints * zoom,
            )
        )
        pane = draw_poses(canvas, poses, dataset_meta, pose_thr=-np.inf, min_side=1)
        tags = [BOTH_MISSED if person in both else MISSED for person in view.missed]
        panes.append(
            mark_boxes(pane, comparison.boxes[view.missed] * zoom, colors[view.missed], tags)
        )
        titles.append(f'{name}\n{_verdict(view, comparison.persons)}')
    return side_by_side(panes, titles, GAP)


def _verdict(view: View, persons: Persons | None) -> str:
    if persons is None:
        return f"{len(view.poses)} poses, misses {len(view.missed)} of the other's"
    total = len(persons.boxes)
    return f'found {total - len(view.missed)} of {total} ({len(view.poses)} poses)'
