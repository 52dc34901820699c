"""People as models give them, whatever the model. Needs numpy only.

N people, K keypoints; coordinates are pixels of the original image. People are a mapping of arrays
such as `pred_instances` of any bottom-up model: `keypoints` (N, K, 2) and `keypoint_scores` (N, K),
possibly `bbox_scores`, `bboxes`, `keypoint_parts` and `track_ids`.
"""

from typing import Any

import numpy as np

POSE_THR = 0.1  # people with a lower score are neither drawn nor written, unless asked for


def person_scores(people: Any) -> np.ndarray:
    """Return the scores (N,) of people, the mean keypoint score where a model gives no others.

    MMPose's CID scores keypoints alone; MMPose's evaluation then takes the mean as well.

    Args:
        people: see the module.
    """
    if 'bbox_scores' in people:
        return np.asarray(people['bbox_scores'])
    return np.asarray(people['keypoint_scores']).mean(axis=-1)


def person_boxes(people: Any) -> np.ndarray:
    """Return the boxes (N, 4; x1, y1, x2, y2) of people, by default around their keypoints.

    Args:
        people: see the module.
    """
    if 'bboxes' in people:
        return np.asarray(people['bboxes'])
    keypoints = np.asarray(people['keypoints'])
    return np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
