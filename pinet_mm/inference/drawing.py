"""Predictions drawn onto images, by MMPose, in one color per person."""

from collections.abc import Mapping

import cv2
import numpy as np
from mmengine.structures import InstanceData
from mmpose.registry import VISUALIZERS
from mmpose.structures import PoseDataSample
from mmpose.visualization import PoseLocalVisualizer

from ..method.layouts import PartLayout
from ..models.codec import build_layout
from .records import person_scores
from .sheets import person_color


@VISUALIZERS.register_module()
class CrowdVisualizer(PoseLocalVisualizer):
    """MMPose's visualizer for crowds: one color per person, and no people of low score.

    PINet returns every pose that it finds, as evaluation needs them; most score close to 0.

    Args:
        name: MMEngine finds visualizers by it.
        pose_thr: people with a lower score are not drawn, see `person_scores`.
        radius: of a keypoint, px.
        line_width: of a limb, px.
        layout: of the model, see `models.codec.build_layout`; what it says is drawn, whatever
            metainfo is set.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        pose_thr: float = 0.1,
        radius: int = 3,
        line_width: int = 2,
        layout: PartLayout | Mapping | None = None,
        **kwargs,
    ):
        super().__init__(name, radius=radius, line_width=line_width, **kwargs)
        self.pose_thr = pose_thr
        self.layout = None if layout is None else build_layout(layout)

    def set_dataset_meta(self, dataset_meta: dict, skeleton_style: str = 'mmpose') -> None:
        """Take metainfo, as far as the layout says nothing else; see MMPose's class."""
        meta = dataset_meta if self.layout is None else self.layout.to_metainfo(dataset_meta)
        super().set_dataset_meta(meta, skeleton_style)

    def _shown(self, instances: InstanceData) -> InstanceData:
        if 'bbox_scores' not in instances and 'keypoint_scores' not in instances:
            return instances  # annotated people have no score
        return instances[person_scores(instances) >= self.pose_thr]

    def _draw_instances_kpts(self, image: np.ndarray, instances: InstanceData, *args, **kwargs):
        people = self._shown(instances)
        # The best person, usually the first, is drawn last and so on top.
        for i in reversed(range(len(people))):
            color = [people.colors[i] if 'colors' in people else person_color(i)]
            self.kpt_color = color * people.keypoints.shape[1]
            self.link_color = color * len(self.skeleton)
            image = super()._draw_instances_kpts(image, people[i : i + 1], *args, **kwargs)
        self.set_image(image)
        return image

    def _draw_instances_bbox(self, image: np.ndarray, instances: InstanceData):
        people = self._shown(instances)
        return super()._draw_instances_bbox(image, people) if len(people) else image


def draw_poses(
    image: np.ndarray,
    instances: InstanceData,
    dataset_meta: Mapping,
    pose_thr: float = 0.1,
    keypoint_thr: float = 0.05,
    min_side: int = 480,
) -> np.ndarray:
    """Draw the skeletons of all people of an image, each in its own color.

    Args:
        image: (H, W, 3) uint8 BGR; small images are enlarged so that limbs can be told apart.
        instances: `pred_instances` or, for annotations, anything with `keypoints` (N, K, 2) in
            image pixels and `keypoints_visible` (N, K); `bbox_scores` (N,) and `colors`
            (N, 3), RGB, are optional.
        dataset_meta: MMPose metainfo, for the skeleton.
        pose_thr: people with a lower score are not drawn.
        keypoint_thr: keypoints with a lower score are not drawn.
        min_side: images whose long side is shorter are enlarged to it.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    zoom = max(1.0, min_side / max(image.shape[:2]))
    canvas = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    people = InstanceData(**dict(instances.items(), keypoints=instances.keypoints * zoom))
    visualizer = CrowdVisualizer(pose_thr=pose_thr)
    visualizer.set_dataset_meta(dict(dataset_meta))
    drawn = visualizer.add_datasample(
        'image',
        np.ascontiguousarray(canvas[..., ::-1]),
        PoseDataSample(pred_instances=people),
        draw_gt=False,
        kpt_thr=keypoint_thr,
    )
    return np.ascontiguousarray(drawn[..., ::-1])
