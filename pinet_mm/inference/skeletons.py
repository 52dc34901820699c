"""Skeletons drawn onto an image with OpenCV alone, as `drawing` draws them with MMPose."""

import cv2
import numpy as np

from .answers import Answer
from .records import POSE_THR
from .sheets import person_color

KEYPOINT_THR = 0.05
RADIUS, WIDTH = 3, 2  # px, of a keypoint and of a limb
SHIFT = 4  # binary digits of a pixel that OpenCV takes coordinates with


def draw_skeletons(
    image: np.ndarray,
    answer: Answer,
    pose_thr: float = POSE_THR,
    keypoint_thr: float = KEYPOINT_THR,
    min_side: int = 480,
) -> np.ndarray:
    """Draw the skeletons of the people of an image, each in its own color, the best on top.

    Args:
        image: (H, W, 3) uint8 BGR; small images are enlarged so that limbs can be told apart.
        answer: what was found in it.
        pose_thr: people with a lower score are not drawn.
        keypoint_thr: keypoints with a lower score are not drawn, nor their limbs.
        min_side: images whose long side is shorter are enlarged to it.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    zoom = max(1.0, min_side / max(image.shape[:2]))
    canvas = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    shown = int((answer.scores >= pose_thr).sum())
    points = np.rint(answer.keypoints * (zoom * 2**SHIFT)).astype(int)
    visible = answer.keypoint_scores >= keypoint_thr
    for i in reversed(range(shown)):
        _draw_person(canvas, points[i], visible[i], answer.skeleton, person_color(i)[::-1])
    return canvas


def _draw_person(
    canvas: np.ndarray, points: np.ndarray, visible: np.ndarray, skeleton: list, color: tuple
) -> None:
    for start, end in skeleton:
        if visible[start] and visible[end]:
            cv2.line(
                canvas,
                points[start].tolist(),
                points[end].tolist(),
                color,
                WIDTH,
                cv2.LINE_AA,
                SHIFT,
            )
    for point in points[visible]:
        cv2.circle(canvas, point.tolist(), RADIUS << SHIFT, color, -1, cv2.LINE_AA, SHIFT)
