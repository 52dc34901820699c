"""PINet: backbone, neck and head as an MMPose estimator; it arranges the views of every picture."""

from typing import Dict, List, Sequence, Tuple

import torch
from mmpose.models.pose_estimators.bottomup import BottomupPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor

from .flip import mirror_inputs
from .scaling import scale_inputs


@MODELS.register_module()
class PINet(BottomupPoseEstimator):
    """Find every person's pose in pictures of any number and size.

    Takes the arguments of `BottomupPoseEstimator`; see `TestSettings` for what `test_cfg` holds.

    Raises:
        ValueError: `test_cfg` does not fit the head, see `PINetHead.check_settings`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.head.check_settings(self.test_cfg)

    def predict(self, inputs: Tensor, data_samples: Sequence) -> Sequence:
        """Predict the poses of every picture of a batch.

        Pictures are grouped by their own input size, one pass a group and scale: the padding that
        made them one batch is cut away, since it would change what the network sees.

        Args:
            inputs: (B, 3, H_in, W_in) normalised pictures, padded to the right and at the bottom.
            data_samples: B samples with `input_size`, `input_center`, `input_scale` as metainfo.

        Returns:
            The same samples with `pred_instances` in pixels of the original pictures (and
            `pred_fields` with `output_heatmaps`), see `PINetHead.predict`.
        """
        settings = self.head.check_settings(self.test_cfg)
        for (w, h), members in _group_by_size(data_samples).items():
            feats = [self._extract_views(scale_inputs(inputs[members, :, :h, :w], factor),
                                         settings.flip_test) for factor in settings.scale_factors]
            group = [data_samples[i] for i in members]
            preds = self.head.predict(feats, group, test_cfg=self.test_cfg)
            instances, maps = preds if isinstance(preds, tuple) else (preds, None)
            self.add_pred_to_datasample(instances, maps, group)
        return data_samples

    def _extract_views(self, views: Tensor, flip_test: bool) -> Sequence[Tensor]:
        if flip_test:
            views = torch.cat((views, mirror_inputs(views, self.head.decoder.stride)))
        return self.extract_feat(views)

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """Run backbone and neck on normalised pictures (B, 3, H_in, W_in).

        Args:
            inputs: on the CPU they are laid out channels last, which the layers pass on: their
                convolutions and the refinement are faster so.
        """
        if inputs.device.type == 'cpu':
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return super().extract_feat(inputs)


def _group_by_size(data_samples: Sequence) -> Dict[Tuple[int, int], List[int]]:
    groups: Dict[Tuple[int, int], List[int]] = {}
    for i, sample in enumerate(data_samples):
        groups.setdefault(tuple(sample.metainfo['input_size']), []).append(i)
    return groups
