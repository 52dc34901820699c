"""People as models give them, whatever the model, and which of them are shown. Needs no torch.

N people, K keypoints; coordinates are pixels of the original image. People are a mapping of arrays
such as `pred_instances` of any bottom-up model: `keypoints` (N, K, 2) and `keypoint_scores` (N, K),
possibly `bbox_scores`, `bboxes`, `keypoint_parts` and `track_ids`.
"""

from typing import Any

import numpy as np

from ..errors import InputError
from ..onnx_runner import MEAN, POSE_THRS

AUTO = 'auto'  # the lowest score of people who are drawn and written follows what scores are
Threshold = Any  # a score, or `AUTO` until it is known what scores are


def lowest_score(pose_thr: float | str, score_kind: str = MEAN) -> float:
    """Return the lowest score of people who are drawn and written.

    Args:
        pose_thr: it, or `AUTO`.
        score_kind: what the scores are, a key of `POSE_THRS`.

    Raises:
        InputError: `pose_thr` is another word.
    """
    if pose_thr == AUTO:
        return POSE_THRS[score_kind]
    if isinstance(pose_thr, str):
        raise InputError(f'pose_thr must be a score or {AUTO!r}; found {pose_thr!r}')
    return pose_thr


def kind_of(model: Any) -> str:
    """Return what a model's scores are; models other than PINet have no expected OKS."""
    return getattr(model, 'score_kind', MEAN)


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
