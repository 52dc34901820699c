"""The results that `predict` yields."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from ..people import AUTO, lowest_score
from .answers import Answer
from .records import facts


class PoseResult(Answer, PoseDataSample):
    """What was found in an image: MMPose's sample, and the same as properties of `Answer`.

    Its metainfo holds, beside MMPose's, what `facts` knows of the keypoints; of a frame also
    `frame_index` and `seconds`.
    """

    @classmethod
    def of(cls, sample: PoseDataSample, dataset_meta: Mapping) -> 'PoseResult':
        """Return a sample of MMPose as a result; arrays are shared, not copied.

        Args:
            sample: with `pred_instances` and `ori_shape`.
            dataset_meta: MMPose metainfo of the model.
        """
        result = cls(metainfo=dict(sample.metainfo, **facts(dataset_meta)))
        for name, value in sample.items():
            result.set_field(value, name)
        return result

    @classmethod
    def of_arrays(cls, people: Mapping[str, Any], metainfo: Mapping) -> 'PoseResult':
        """Return a result of arrays named as in `pred_instances`.

        Args:
            people: the arrays.
            metainfo: with `ori_shape` and what `facts` returns.
        """
        return cls(pred_instances=InstanceData(**people), metainfo=dict(metainfo))

    def __repr__(self) -> str:
        if '_pred_instances' not in self:
            return super().__repr__()
        lowest = lowest_score(AUTO, self.score_kind)
        count, shown = len(self.scores), int((self.scores >= lowest).sum())
        width, height = self.size
        name = self.file or 'array'
        found = f'{shown} of {count} people score {lowest:g} or more'
        return f'<PoseResult {name} {width}×{height}: {found}>'

    def with_people(self, people: dict[str, np.ndarray]) -> 'PoseResult':
        """Return the same with other people, and with its explanation if it has one.

        Args:
            people: arrays named as in `pred_instances`.
        """
        chosen = self.of_arrays(people, self.metainfo)
        if 'explanation' in self:
            chosen.explanation = self.explanation
        return chosen
