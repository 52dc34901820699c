"""Made-up poses, people and annotations of a comparison."""

import json

from pinet_mm.datasets.matching import Persons

import numpy as np
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers import toys

META = parse_pose_metainfo(toys.five_metainfo())
SIGMAS = np.array(META['sigmas'])
SHAPE = np.array([[0, -30], [-30, 0], [30, 0], [-20, 30], [20, 30]])


def poses(*middles, scores=None):
    """Five-keypoint people of 60 px around the middles, as `counted_poses` returns them."""
    keypoints = np.array(middles, dtype=np.float64).reshape(-1, 1, 2) + SHAPE
    scores = np.linspace(1, 0.5, len(keypoints)) if scores is None else np.array(scores)
    return InstanceData(
        keypoints=keypoints, keypoints_visible=np.ones(keypoints.shape[:2]), bbox_scores=scores
    )


def persons(*middles, crowd_index=None):
    keypoints = np.array(middles, dtype=np.float64).reshape(-1, 1, 2) + SHAPE
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
    return Persons(
        keypoints,
        np.ones(keypoints.shape[:2], bool),
        np.full(len(keypoints), 3600.0),
        boxes,
        crowd_index,
    )


def entry(number, keypoints, labels, **more):
    keypoints = np.asarray(keypoints, dtype=float)
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    return dict(
        id=number,
        image_id=7,
        category_id=1,
        iscrowd=0,
        bbox=[*low, *(high - low)],
        num_keypoints=int((labels > 0).sum()),
        keypoints=np.concatenate((keypoints, labels[:, None]), axis=1).ravel().tolist(),
        **more,
    )


def write_annotations(path, entries, images=None):
    images = images or [dict(id=7, file_name='a.png', width=128, height=128, crowdIndex=0.5)]
    category = dict(id=1, name='person', keypoints=[], skeleton=[])
    path.write_text(json.dumps(dict(images=images, annotations=entries, categories=[category])))
    return path
