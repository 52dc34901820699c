"""The labels: people, and the crowd index of an image.

Frames: keypoints are image pixels, integers at pixel centers, as COCO's. Boxes are (x, y, w, h) as
pycocotools makes them from masks: pixel j covers [j, j + 1].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Person:
    """Hold the labels of one drawn person.

    Args:
        keypoints: (K, 3) x, y, v in image pixels: v is 2 where the keypoint is seen, 1 where
            another person, an object or the person's own body covers it, 0 (and x = y = 0) outside
            the image.
        mask: (H, W) bool, the pixels where this person is on top.
        bbox: (4,) x, y, w, h around `mask`.
        area: Number of pixels of `mask`.
        height: Upright height, px.
        pose: Pose family.
        view: Side turned to the camera.
    """

    keypoints: np.ndarray
    mask: np.ndarray
    bbox: np.ndarray
    area: int
    height: float
    pose: str
    view: str


def crowd_index(keypoints: ArrayLike, bboxes: ArrayLike) -> float:
    """Measure how crowded an image is, as CrowdPose does.

    The mean over people with labeled keypoints of n_others / n_own, capped at 1: n_others counts
    the labeled keypoints of all other people inside the person's box (its edges included), n_own
    the person's own labeled keypoints.

    Args:
        keypoints: (N, K, 3) x, y, v; labeled where v > 0.
        bboxes: (N, 4) x, y, w, h in the same frame.

    Returns:
        A float in [0, 1]; 0 if nobody has labeled keypoints.
    """
    keypoints, bboxes = np.asarray(keypoints, float), np.asarray(bboxes, float)
    if len(keypoints) == 0:
        return 0.0
    low, high = bboxes[:, None, None, :2], bboxes[:, None, None, :2] + bboxes[:, None, None, 2:]
    inside = ((keypoints[None, ..., :2] >= low) & (keypoints[None, ..., :2] <= high)).all(-1)
    labeled = keypoints[..., 2] > 0
    counts = (inside & labeled).sum(-1)
    own, others = labeled.sum(1), counts.sum(1) - np.diag(counts)
    if not own.any():
        return 0.0
    return float(np.minimum(others[own > 0] / own[own > 0], 1).mean())
