"""Pictures of predictions for people to look at: MMPose draws, one colour a person."""

from typing import Mapping, Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData
from mmpose.registry import VISUALIZERS
from mmpose.structures import PoseDataSample
from mmpose.visualization import PoseLocalVisualizer

# Far apart in hue and light enough to stand out from a photograph; RGB.
PERSON_COLOURS = ((255, 92, 74), (64, 200, 255), (255, 214, 64), (122, 255, 106), (226, 120, 255),
                  (255, 160, 60), (70, 255, 214), (255, 128, 190), (150, 160, 255), (214, 255, 90))


@VISUALIZERS.register_module()
class CrowdVisualizer(PoseLocalVisualizer):
    """MMPose's visualizer for crowds: a colour a person, and no persons of low score.

    PINet returns every pose it found, as the evaluation wants it; most of them score next to 0.

    Args:
        name: MMEngine finds visualizers by it.
        pose_thr: persons whose `bbox_scores` are lower are not drawn.
        radius: of a keypoint, px.
        line_width: of a limb, px.
    """

    def __init__(self, name: str = 'visualizer', pose_thr: float = 0.1, radius: int = 3,
                 line_width: int = 2, **kwargs):
        super().__init__(name, radius=radius, line_width=line_width, **kwargs)
        self.pose_thr = pose_thr

    def _shown(self, instances: InstanceData) -> InstanceData:
        if 'bbox_scores' not in instances:
            return instances
        return instances[np.asarray(instances.bbox_scores) >= self.pose_thr]

    def _draw_instances_kpts(self, image: np.ndarray, instances: InstanceData, *args, **kwargs):
        people = self._shown(instances)
        # The best person, usually the first, is drawn last and so on top.
        for i in reversed(range(len(people))):
            colour = [PERSON_COLOURS[i % len(PERSON_COLOURS)]]
            self.kpt_color = colour * people.keypoints.shape[1]
            self.link_color = colour * len(self.skeleton)
            image = super()._draw_instances_kpts(image, people[i:i + 1], *args, **kwargs)
        self.set_image(image)
        return image

    def _draw_instances_bbox(self, image: np.ndarray, instances: InstanceData):
        people = self._shown(instances)
        return super()._draw_instances_bbox(image, people) if len(people) else image


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
    canvas = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    people = InstanceData(**dict(instances.items(), keypoints=instances.keypoints * zoom))
    visualizer = CrowdVisualizer(pose_thr=pose_thr)
    visualizer.set_dataset_meta(dict(dataset_meta))
    drawn = visualizer.add_datasample('picture', np.ascontiguousarray(canvas[..., ::-1]),
                                      PoseDataSample(pred_instances=people), draw_gt=False,
                                      kpt_thr=keypoint_thr)
    return np.ascontiguousarray(drawn[..., ::-1])


def before_and_after(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Put two drawings (H, W, 3) of a picture, before and after fusion, beside each other."""
    sides = []
    for picture, text in ((before, 'proposed poses'), (after, 'after fusion')):
        side = np.pad(picture, ((28, 0), (0, 0), (0, 0)))
        cv2.putText(side, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1,
                    cv2.LINE_AA)
        sides.append(side)
    return np.hstack(sides)


def contact_sheet(pictures: Sequence[np.ndarray], columns: int, cell: int = 480) -> np.ndarray:
    """Arrange pictures (H, W, 3) row by row, none wider or higher than `cell`."""
    cells, columns = [], min(columns, len(pictures))
    for picture in pictures:
        h, w = picture.shape[:2]
        shrink = cell / max(h, w)
        cells.append(cv2.resize(picture, (round(w * shrink), round(h * shrink)),
                                interpolation=cv2.INTER_AREA))
    height = max(each.shape[0] for each in cells)
    cells = [np.pad(each, ((0, height - each.shape[0]), (0, cell - each.shape[1]), (0, 0)))
             for each in cells]
    cells += [np.zeros((height, cell, 3), np.uint8)] * (-len(cells) % columns)
    return np.concatenate([np.concatenate(cells[i:i + columns], axis=1)
                           for i in range(0, len(cells), columns)])
