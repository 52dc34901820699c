"""Pictures of predictions for people to look at: one colour a person, drawn by MMPose."""

from typing import Mapping, Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from mmpose.visualization import PoseLocalVisualizer

# Far apart in hue and light enough to stand out from a photograph; RGB.
PERSON_COLOURS = ((255, 92, 74), (64, 200, 255), (255, 214, 64), (122, 255, 106), (226, 120, 255),
                  (255, 160, 60), (70, 255, 214), (255, 128, 190), (150, 160, 255), (214, 255, 90))


def draw_poses(picture: np.ndarray,
               instances: InstanceData,
               dataset_meta: Mapping,
               pose_thr: float = 0.1,
               keypoint_thr: float = 0.05,
               min_side: int = 480) -> np.ndarray:
    """Draw the skeletons of all persons of a picture, each in its own colour.

    Args:
        picture: (H, W, 3) uint8 BGR; small pictures are enlarged so that limbs can be told apart.
        instances: `pred_instances` or, for annotations, anything with `keypoints` (N, K, 2) in
            picture pixels and `keypoints_visible` (N, K); `bbox_scores` (N,) are optional.
        dataset_meta: MMPose metainfo, for the skeleton.
        pose_thr: persons with a lower score are not drawn.
        keypoint_thr: keypoints with a lower score are not drawn.
        min_side: pictures whose long side is shorter are enlarged to it.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    zoom = max(1.0, min_side / max(picture.shape[:2]))
    canvas = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)[..., ::-1]
    visualizer = PoseLocalVisualizer(radius=3, line_width=2)
    visualizer.set_dataset_meta(dict(dataset_meta))
    drawn = [i for i in range(len(instances.keypoints))
             if 'bbox_scores' not in instances or instances.bbox_scores[i] >= pose_thr]
    # The best person, usually the first, is drawn last and so on top.
    for i in reversed(drawn):
        colour = [PERSON_COLOURS[i % len(PERSON_COLOURS)]]
        visualizer.kpt_color = colour * instances.keypoints.shape[1]
        visualizer.link_color = colour * len(visualizer.skeleton)
        person = InstanceData(keypoints=instances.keypoints[i:i + 1] * zoom,
                              keypoints_visible=instances.keypoints_visible[i:i + 1])
        visualizer.add_datasample('person', np.ascontiguousarray(canvas),
                                  PoseDataSample(pred_instances=person), draw_gt=False,
                                  kpt_thr=keypoint_thr)
        canvas = visualizer.get_image()
    return np.ascontiguousarray(canvas[..., ::-1])


def contact_sheet(pictures: Sequence[np.ndarray], columns: int, cell: int = 480) -> np.ndarray:
    """Arrange pictures (H, W, 3) in rows of equal square cells, row by row."""
    cells = []
    for picture in pictures:
        h, w = picture.shape[:2]
        shrink = cell / max(h, w)
        small = cv2.resize(picture, (round(w * shrink), round(h * shrink)),
                           interpolation=cv2.INTER_AREA)
        cells.append(np.pad(small, ((0, cell - small.shape[0]), (0, cell - small.shape[1]),
                                    (0, 0))))
    cells += [np.zeros((cell, cell, 3), np.uint8)] * (-len(cells) % columns)
    return np.concatenate([np.concatenate(cells[i:i + columns], axis=1)
                           for i in range(0, len(cells), columns)])
