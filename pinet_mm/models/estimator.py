"""PINet: backbone, neck and head as an MMPose estimator, from images to poses.

Shape shorthand: B images, K keypoints, M parts, H×W map. `_in` are network-input pixels.
"""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from mmengine.logging import print_log
from mmpose.models.pose_estimators.bottomup import BottomupPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor

from ..errors import InputError
from ..method.fusion import FusedPoses
from ..method.scoring import score_of
from ..method.views import mirror_inputs, scale_inputs
from ..onnx_runner import EXPECTED, MEAN
from .decoding import decode
from .head import PINetHead
from .keys import check_class, check_own_keys
from .lost import has_lost
from .shapes import check_fit, check_windows
from .test_cfg import TestSettings


@MODELS.register_module()
class PINet(BottomupPoseEstimator):
    """Find every person's pose in any number of images of any size.

    Takes the arguments of `BottomupPoseEstimator`; see `TestSettings` for what `test_cfg` holds.
    A head whose refinement has a score (see `method.scoring`) is trained in two steps: first all
    but the score, by a config without one; then the score alone, with the uncertainty if the
    refinement has one. In the second step all else is frozen, statistics of norms included.

    Raises:
        InputError: `head` is no `PINetHead`, its `decoder` no `PINetCodec`, or one of them has a
            key that is unknown.
        ValueError: `test_cfg` does not fit the head, see `PINetHead.check_settings`; or backbone,
            neck, head and codec do not fit together, see `models.shapes.check_fit` and
            `check_windows`.

    Attributes:
        input_dtype: of the weights of backbone and neck, where that is not float32, see
            `acceleration.accelerate`.
        compiled: whether `predict` compiles `find_poses`, see `acceleration.accelerate`.
    """

    input_dtype: torch.dtype | None = None
    compiled: bool = False

    def __init__(self, *args, **kwargs):
        check_own_keys('model.head', kwargs.get('head') or {}, PINetHead)
        super().__init__(*args, **kwargs)
        check_class('model.head', getattr(self, 'head', None), PINetHead)
        self.head.check_settings(self.test_cfg)
        check_fit(
            self.backbone,
            self.neck if self.with_neck else None,
            self.head.score_branch.in_channels,
            self.head.codec.stride,
            self.head.codec.input_size,
        )
        check_windows(getattr(self.head.refinement, 'context', ()), self.head.codec.heatmap_size)
        if score_of(self.head) is not None:
            self.requires_grad_(False)
            score_of(self.head).requires_grad_(True)
            if self.head.is_uncertain:
                self.head.refinement.uncertainty.requires_grad_(True)

    def train(self, mode: bool = True) -> 'PINet':
        """Switch to training mode or back.

        Of a model with a score only the score is switched, and all else stays in evaluation mode.
        """
        score = score_of(self.head)
        super().train(mode and score is None)
        if score is not None:
            self.training = mode
            score.train(mode)
        return self

    @property
    def dataset_meta(self) -> dict | None:
        """MMPose's metainfo of the people that the model finds: what its layout says.

        Whatever is set keeps what a layout does not know, such as colors; None before that.
        """
        return self.__dict__.get('_dataset_meta')

    @dataset_meta.setter
    def dataset_meta(self, meta: Mapping) -> None:
        """Take what the layout does not know."""
        self._dataset_meta = self.head.layout.to_metainfo(meta)

    def loss(self, inputs: Tensor, data_samples: Sequence) -> dict[str, Tensor]:
        """Compute the losses of `PINetHead.loss`, or of `loss_of_score` if the head has a score.

        Args:
            inputs: (B, 3, H_in, W_in) normalized images.
            data_samples: B samples with targets.

        Raises:
            InputError: the head has a score, and inference does not refine.
        """
        if score_of(self.head) is None:
            return super().loss(inputs, data_samples)
        # What is scored is what the inference shows: all its scales and views.
        settings = self.head.check_settings(self.test_cfg)
        if settings.use_refinement is False:
            raise InputError(
                'refinement.score learns from refined poses: leave out '
                'test_cfg.use_refinement=False'
            )
        with torch.no_grad():
            feats = self.extract_scales(inputs, settings)
        return self.head.loss_of_score(feats, data_samples, settings)

    @property
    def score_kind(self) -> str:
        """What the scores of people are, a key of `POSE_THRS`."""
        settings = self.head.check_settings(self.test_cfg or {})
        used = settings.use_score is not False and settings.use_refinement is not False
        return EXPECTED if used and score_of(self.head) is not None else MEAN

    def add_pred_to_datasample(self, *args) -> Sequence:
        """Put poses into samples, and what their scores are as metainfo `score`."""
        samples, score_kind = super().add_pred_to_datasample(*args), self.score_kind
        for sample in samples:
            sample.set_metainfo(dict(score=score_kind))
            if 'keypoint_stds' in sample.pred_instances:  # MMPose brings keypoints alone to images
                image_per_input = np.divide(sample.input_scale, sample.input_size).mean()
                sample.pred_instances.keypoint_stds *= image_per_input.astype(np.float32)
        return samples

    def predict(self, inputs: Tensor, data_samples: Sequence) -> Sequence:
        """Predict the poses of every image of a batch.

        Images are grouped by their own input size, one pass per group and scale: the padding that
        makes them one batch is cut off, since it would change what the network sees.

        Args:
            inputs: (B, 3, H_in, W_in) normalized images, padded to the right and at the bottom.
            data_samples: B samples with `input_size`, `input_center`, `input_scale` as metainfo.

        Returns:
            The same samples with `pred_instances` in pixels of the original images (and
            `pred_fields` with `output_heatmaps`), see `PINetHead.pack`.
        """
        settings = self.head.check_settings(self.test_cfg)
        find = compiled_find_poses() if self.compiled else find_poses
        for (w, h), members in _group_by_size(data_samples).items():
            group = [data_samples[i] for i in members]
            images = inputs[members, :, :h, :w]
            found = find(self, images, self.head.image_per_map(group, images.device), settings)
            warn_of_lost(found[0], group)
            self.add_pred_to_datasample(*self.head.pack(*found), group)
        return data_samples

    def extract_views(self, images: Tensor, flip_test: bool) -> Sequence[Tensor]:
        """Run backbone and neck on images (B, 3, H_in, W_in), then on their mirror images."""
        if flip_test:
            images = torch.cat((images, mirror_inputs(images, self.head.codec.stride)))
        return self.extract_feat(channels_last_on_cpu(images))

    def extract_scales(self, images: Tensor, settings: TestSettings) -> list[Sequence[Tensor]]:
        """Run backbone and neck on all views of images (B, 3, H_in, W_in) at every scale factor."""
        return [
            self.extract_views(scale_inputs(images, factor), settings.flip_test)
            for factor in settings.scale_factors
        ]

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """Run backbone and neck on normalized images (B, 3, H_in, W_in)."""
        return super().extract_feat(inputs.to(self.input_dtype or inputs.dtype))

    def forward(self, inputs: Tensor, data_samples: Sequence, mode: str = 'tensor'):
        """Compute what a runner asks for: 'loss', 'predict' or 'tensor'; see MMPose's class."""
        return super().forward(channels_last_on_cpu(inputs), data_samples, mode)


def channels_last_on_cpu(inputs: Tensor) -> Tensor:
    """Return images in channels-last layout on a CPU, which is faster there; layers keep it."""
    if inputs.device.type != 'cpu':
        return inputs
    return inputs.contiguous(memory_format=torch.channels_last)


def find_poses(
    model: PINet, images: Tensor, image_per_map: Tensor, settings: TestSettings
) -> tuple[FusedPoses, Tensor | None]:
    """Find the poses of B images of one size: tensors from end to end, one graph if compiled.

    Args:
        model: in evaluation mode.
        images: (B, 3, H_in, W_in), normalized.
        image_per_map: (B, 2), see `decoding.decode`.
        settings: of the inference.

    Returns:
        The poses, see `decoding.decode`; and, with `output_heatmaps`, the heatmaps (B, K+M, H, W)
        of factor 1, averaged over the views, otherwise None.
    """
    maps = [model.head.test_maps(each) for each in model.extract_scales(images, settings)]
    fused, heatmaps = decode(model.head, maps, image_per_map, settings)
    return fused, heatmaps if settings.output_heatmaps else None


def warn_of_lost(fused: FusedPoses, data_samples: Sequence) -> None:
    """Warn of images whose poses were left out because the network's numbers are not finite.

    Args:
        fused: of B images, see `lost.mark_lost`.
        data_samples: the B samples.
    """
    for sample, lost in zip(data_samples, has_lost(fused).tolist()):
        if lost:
            name = sample.metainfo.get('img_path') or 'an image'
            print_log(
                f'{name}: the network computed numbers that are not finite; what they say of '
                'people is left out',
                'current',
                logging.WARNING,
            )


@functools.cache
def compiled_find_poses() -> Callable[..., tuple[FusedPoses, Tensor | None]]:
    """Return `find_poses`, compiled for every model, size and number of images it is called with.

    The model is an argument: a copy of a model runs its own weights.
    """
    return torch.compile(find_poses, dynamic=False)


def _group_by_size(data_samples: Sequence) -> dict[tuple[int, int], list[int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for i, sample in enumerate(data_samples):
        groups.setdefault(tuple(sample.metainfo['input_size']), []).append(i)
    return groups
