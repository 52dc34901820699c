"""Predictions drawn onto images, as MMPose's visualizer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.structures import InstanceData
from mmpose.registry import VISUALIZERS
from mmpose.visualization import PoseLocalVisualizer

from ...errors import InputError, check_number
from ...method.layouts import PartLayout
from ...models.codec import build_layout
from ...onnx_runner import MEAN
from ..people import AUTO, lowest_score, person_scores
from .skeletons import Style, draw_people

LEAST = dict(alpha=0, line_width=1, radius=1)


@VISUALIZERS.register_module()
class CrowdVisualizer(PoseLocalVisualizer):
    """MMPose's visualizer for crowds: one color per person, and no people of low score.

    PINet returns every pose that it finds, as evaluation needs them; most score close to 0.

    Args:
        name: MMEngine finds visualizers by it.
        pose_thr: people with a lower score are not drawn, see `lowest_score`.
        line_width: of a limb, px; by default it grows with the image.
        layout: of the model, see `models.codec.build_layout`; what it says is drawn, whatever
            metainfo is set.
        **kwargs: of MMPose's class.

    Raises:
        InputError: a number is none, or too small.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        pose_thr: float | str = AUTO,
        line_width: int | None = None,
        layout: PartLayout | Mapping | None = None,
        **kwargs,
    ):
        if pose_thr != AUTO:
            check_number('pose_thr of the visualizer', pose_thr)
        for key, value in dict(kwargs, line_width=line_width).items():
            if key in LEAST and value is not None:
                check_number(f'{key} of the visualizer', value, LEAST[key])
        if (kwargs.get('alpha') or 0) > 1:
            raise InputError(f'alpha of the visualizer must be 0 to 1; found {kwargs["alpha"]}')
        super().__init__(name, line_width=line_width, **kwargs)
        self.pose_thr, self._score_kind = pose_thr, MEAN
        self.layout = None if layout is None else build_layout(layout)

    def set_dataset_meta(self, dataset_meta: dict, skeleton_style: str = 'mmpose') -> None:
        """Take metainfo, as far as the layout says nothing else; see MMPose's class."""
        meta = dataset_meta if self.layout is None else self.layout.to_metainfo(dataset_meta)
        super().set_dataset_meta(meta, skeleton_style)

    def add_datasample(self, name: str, image: np.ndarray, data_sample: Any, *args, **kwargs):
        """Draw a sample, see MMPose's class; its metainfo tells what its scores are."""
        self._score_kind = data_sample.metainfo.get('score', MEAN)
        return super().add_datasample(name, image, data_sample, *args, **kwargs)

    @property
    def _lowest(self) -> float:
        return lowest_score(self.pose_thr, self._score_kind)

    def _draw_instances_kpts(
        self, image: np.ndarray, instances: InstanceData, kpt_thr: float = 0.3, *args, **kwargs
    ):
        bgr = np.ascontiguousarray(image[..., ::-1])
        style = Style(self._lowest, kpt_thr, line_width=self.line_width)
        draw_people(bgr, instances, self.skeleton, style)
        image = np.ascontiguousarray(bgr[..., ::-1])
        self.set_image(image)
        return image

    def _draw_instances_bbox(self, image: np.ndarray, instances: InstanceData):
        people = instances
        if 'bbox_scores' in instances or 'keypoint_scores' in instances:  # annotations have none
            people = instances[person_scores(instances) >= self._lowest]
        return super()._draw_instances_bbox(image, people) if len(people) else image
