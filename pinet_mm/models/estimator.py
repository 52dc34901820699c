"""PINet: backbone, neck and head as an MMPose estimator; it arranges the views of every picture."""

from collections.abc import Sequence

import torch
from mmpose.models.pose_estimators.bottomup import BottomupPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor, nn

from ..method.fusion import FusedPoses
from ..method.views import mirror_inputs, scale_inputs
from .shapes import check_fit
from .test_cfg import TestSettings


@MODELS.register_module()
class PINet(BottomupPoseEstimator):
    """Find every person's pose in pictures of any number and size.

    Takes the arguments of `BottomupPoseEstimator`; see `TestSettings` for what `test_cfg` holds.

    Raises:
        ValueError: `test_cfg` does not fit the head, see `PINetHead.check_settings`; or backbone,
            neck, head and codec do not fit together, see `models.shapes.check_fit`.

    Attributes:
        input_dtype: of the weights of backbone and neck, where that is not float32, see
            `acceleration.accelerate`.
    """

    input_dtype: torch.dtype | None = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.head.check_settings(self.test_cfg)
        check_fit(
            self.backbone,
            self.neck if self.with_neck else None,
            self.head.score_branch.in_channels,
            self.head.decoder.stride,
            self.head.decoder.input_size,
        )

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
        finder = self.pose_finder(self.head.check_settings(self.test_cfg))
        for (w, h), members in _group_by_size(data_samples).items():
            group = [data_samples[i] for i in members]
            pictures = inputs[members, :, :h, :w]
            preds = self.head.pack(*finder(pictures, self.head.image_per_map(group, pictures)))
            instances, maps = preds if isinstance(preds, tuple) else (preds, None)
            self.add_pred_to_datasample(instances, maps, group)
        return data_samples

    def pose_finder(self, settings: TestSettings) -> 'PoseFinder':
        """Join the model's modules to what a test computes; it owns no parameters itself."""
        return PoseFinder(self, settings)

    def _extract_views(self, views: Tensor, flip_test: bool) -> Sequence[Tensor]:
        if flip_test:
            views = torch.cat((views, mirror_inputs(views, self.head.decoder.stride)))
        return self.extract_feat(channels_last_on_cpu(views))

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """Run backbone and neck on normalised pictures (B, 3, H_in, W_in)."""
        return super().extract_feat(inputs.to(self.input_dtype or inputs.dtype))

    def forward(self, inputs: Tensor, data_samples: Sequence, mode: str = 'tensor'):
        """Do what a runner asks for: 'loss', 'predict' or 'tensor'; see MMPose's class."""
        return super().forward(channels_last_on_cpu(inputs), data_samples, mode)


def channels_last_on_cpu(inputs: Tensor) -> Tensor:
    """Lay pictures out as convolutions and refinement are faster with; layers pass it on."""
    if inputs.device.type != 'cpu':
        return inputs
    return inputs.contiguous(memory_format=torch.channels_last)


class PoseFinder(nn.Module):
    """The part of a test that is tensors from end to end: one graph, if it is compiled.

    Args:
        model: whose weights it shares.
        settings: of the test.
    """

    def __init__(self, model: PINet, settings: TestSettings):
        super().__init__()
        self.model, self.settings = model, settings
        self.decoder = model.head.pose_decoder(settings)

    def forward(self, pictures: Tensor, image_per_map: Tensor) -> tuple[FusedPoses, Tensor | None]:
        """Find the poses of B pictures of one size, see `PINetHead.find_poses`.

        Args:
            pictures: (B, 3, H_in, W_in), normalised.
            image_per_map: (B, 2), see `PoseDecoder`.
        """
        feats = [
            self.model._extract_views(scale_inputs(pictures, factor), self.settings.flip_test)
            for factor in self.settings.scale_factors
        ]
        return self.model.head.find_poses(feats, image_per_map, self.decoder)


def _group_by_size(data_samples: Sequence) -> dict[tuple[int, int], list[int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for i, sample in enumerate(data_samples):
        groups.setdefault(tuple(sample.metainfo['input_size']), []).append(i)
    return groups
