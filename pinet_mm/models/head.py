"""PINetHead: the three branches of PPG. `losses` trains its maps, `decoding` makes poses of them.

Shape shorthand: B images, V views (2 with flip test, else 1), K keypoints, M parts, C channels,
H×W map, N people. `_hm` are map pixels, `_in` network-input pixels; (x, y) last.
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor, nn

from ..errors import InputError
from ..method.fusion import FusedPoses, PoseFusion
from ..method.layouts import PartLayout
from ..method.proposals import ProposalSampler
from ..method.refinement import PoseRefinement
from ..method.scoring import PoseMemory, score_of
from ..method.views import ViewMirror
from .codec import PINetCodec
from .decoding import RawMaps, decode
from .keypoint_losses import build_losses
from .keys import check_class, check_own_keys
from .losses import Targets, gather_targets, heatmap_loss, offset_loss, refinement_loss
from .score_loss import score_loss
from .test_cfg import TestSettings

for _module in (PoseRefinement, ProposalSampler, PoseFusion):
    MODELS.register_module(module=_module)


@MODELS.register_module()
class PINetHead(BaseHead):
    """Predict keypoint score maps H, part-center maps P and offset maps O, and poses from them.

    Args:
        in_channels: C of the feature map.
        decoder: config of the `PINetCodec`, which holds layout, stride and convention.
        refinement: config of `PoseRefinement`, or None for a model without it.
        sampler: config of `ProposalSampler`.
        heatmap_loss: config of a loss called as MMPose's `KeypointMSELoss`.
        offset_loss: config of a loss called as MMPose's `SoftWeightSmoothL1Loss`, or of a
            `KeypointLoss`, for offsets.
        refine_loss: the same, for refined offsets; by default a `LaplaceLoss` if the refinement
            has uncertainty.
        init_cfg: by default normal weights (deviation 0.001) and zero biases in the branches.
    """

    def __init__(
        self,
        in_channels: int,
        decoder: Mapping,
        refinement: Mapping | None = None,
        sampler: Mapping | None = None,
        heatmap_loss: Mapping | None = None,
        offset_loss: Mapping | None = None,
        refine_loss: Mapping | None = None,
        init_cfg: Mapping | None = None,
    ):
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.001, bias=0))
        check_own_keys('codec', decoder, PINetCodec)
        self.codec = KEYPOINT_CODECS.build(decoder)
        check_class('decoder', self.codec, PINetCodec)
        layout, rules = self.layout, self.codec.rules
        self.score_branch = nn.Conv2d(in_channels, layout.num_keypoints, 1)
        self.part_branch = nn.Conv2d(in_channels, layout.num_parts, 1)
        self.offset_branch = nn.Conv2d(in_channels, layout.num_offset_channels, 1)
        self.refinement = (
            None
            if refinement is None
            else MODELS.build(
                dict(
                    refinement,
                    in_channels=in_channels,
                    num_keypoints=layout.num_keypoints,
                    skeleton=layout.skeleton,
                    sample_features=rules.sample_features,
                )
            )
        )
        self.sampler = MODELS.build(
            dict(sampler or dict(type='ProposalSampler'), training_rule=rules.training_centers)
        )
        self.memory = PoseMemory()
        self.fusion = MODELS.build(dict(type='PoseFusion', sigmas=layout.sigmas))
        self.mirror = ViewMirror(layout)
        self.heatmap_loss = MODELS.build(
            heatmap_loss or dict(type='KeypointMSELoss', use_target_weight=True)
        )
        self.offset_loss, self.refine_loss = build_losses(
            offset_loss, refine_loss, self.codec, self.is_uncertain
        )

    @property
    def layout(self) -> PartLayout:
        """The dataset's keypoints and parts, as the codec knows them."""
        return self.codec.layout

    @property
    def is_uncertain(self) -> bool:
        """Whether the refinement says how far off its keypoints are."""
        return getattr(self.refinement, 'uncertainty', None) is not None

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Predict maps from the last feature map (B, C, H, W).

        Returns:
            Heatmaps (B, K+M, H, W), keypoints first, and offsets (B, M·2K, H, W) in map pixels.
        """
        features = feats[-1]
        return self._heatmaps(features), self.offset_branch(features)

    def _heatmaps(self, features: Tensor) -> Tensor:
        branches = self.score_branch, self.part_branch
        # One product reads the features once and returns contiguous maps, as peaks and scores read
        # them, even if the features are channels-last.
        weight = torch.cat([branch.weight for branch in branches]).flatten(1)
        bias = torch.cat([branch.bias for branch in branches])[:, None]
        maps = torch.baddbmm(bias, weight.expand(features.shape[0], -1, -1), features.flatten(2))
        return maps.unflatten(2, features.shape[2:])

    def loss(
        self,
        feats: Sequence[Tensor],
        batch_data_samples: Sequence | Targets,
        train_cfg: Mapping | None = None,
    ) -> dict[str, Tensor]:
        """Compute `loss_heatmap`, `loss_offset` and, with a refinement, `loss_refine`.

        Args:
            feats: feature maps, of which the last (B, C, H, W) is used.
            batch_data_samples: B samples with targets, or `Targets`, see `losses.gather_targets`.
            train_cfg: unused; MMPose passes it.
        """
        with full_precision(feats[-1]) as features:
            targets = gather_targets(batch_data_samples)
            heatmaps, offsets = self([features])
            losses = dict(
                loss_heatmap=heatmap_loss(heatmaps, targets, self.heatmap_loss),
                loss_offset=offset_loss(offsets, targets, self.offset_loss),
            )
            if self.refinement is not None:
                losses['loss_refine'] = self._refinement_loss(features, offsets, targets)
        return losses

    def _refinement_loss(self, features: Tensor, offsets: Tensor, targets: Targets) -> Tensor:
        return refinement_loss(
            features, offsets, targets, self.sampler, self.refinement, self.refine_loss
        )

    def loss_of_score(
        self,
        feats: Sequence[Sequence[Tensor]],
        batch_data_samples: Sequence,
        settings: TestSettings,
    ) -> dict[str, Tensor]:
        """Compute `loss_score` and, of a refinement with uncertainty, `loss_refine`, see `PINet`.

        Args:
            feats: feature maps of all views at each of the scales of `settings`.
            batch_data_samples: see `score_loss.score_loss`.
            settings: of the inference that the score is for.
        """
        scales = [self.test_maps(each) for each in feats]
        with torch.autocast(scales[0].features.device.type, enabled=False):
            losses = dict(
                loss_score=score_loss(self, scales, batch_data_samples, settings, self.memory)
            )
            if self.is_uncertain:
                features = scales[0].features[: len(batch_data_samples)]
                losses['loss_refine'] = self._refinement_loss(
                    features, self.offset_branch(features), gather_targets(batch_data_samples)
                )
        return losses

    def check_settings(self, test_cfg: Mapping) -> TestSettings:
        """Check a `test_cfg` for this head, see `TestSettings`.

        Raises:
            ValueError: a key is unknown or a value wrong, something is asked for that was not
                built, or `flip_test` for parts that have no mirror image.
        """
        settings = TestSettings.from_cfg(test_cfg)
        settings.check_built(
            self.refinement is not None, score_of(self) is not None, self.is_uncertain
        )
        if settings.flip_test:
            _ = self.layout.part_flip_indices  # raises where parts have no mirror image
        return settings

    def predict(
        self, feats: Sequence[Tensor], batch_data_samples: Sequence, test_cfg: Mapping | None = None
    ):
        """Predict the people of B images of one size.

        Args:
            feats: feature maps, of which the last (V·B, C, H, W) is used; with `flip_test` the
                second half belongs to the mirrored inputs of `views.mirror_inputs`. With several
                `scale_factors` one such sequence for each, factor 1 first.
            batch_data_samples: B samples with `input_size` and `input_scale` as metainfo.
            test_cfg: see `TestSettings`.

        Returns:
            B `InstanceData`; with `output_heatmaps` also B `PixelData`, see `pack`.

        Raises:
            ValueError: the settings are wrong, see `check_settings`, or there are not as many
                `feats` as scale factors.
        """
        settings = self.check_settings(test_cfg or {})
        maps = [self.test_maps(each) for each in _by_scale(feats, settings.scale_factors)]
        image_per_map = self.image_per_map(batch_data_samples, maps[0].features.device)
        fused, heatmaps = decode(self, maps, image_per_map, settings)
        if not settings.output_heatmaps:
            return self.pack(fused)[0]
        return self.pack(fused, heatmaps)

    def test_maps(self, feats: Sequence[Tensor]) -> RawMaps:
        """Compute the maps that inference needs: all but the offset maps.

        Args:
            feats: feature maps, of which the last (V·B, C, H, W) is used.
        """
        with full_precision(feats[-1]) as features:
            return RawMaps(features, self._heatmaps(features))

    def image_per_map(self, batch_data_samples: Sequence, device: torch.device) -> Tensor:
        """Compute original-image pixels per map pixel (B, 2), the unit of OKS areas."""
        ratio = [
            np.divide(sample.metainfo['input_scale'], sample.metainfo['input_size'])
            for sample in batch_data_samples
        ]
        return torch.tensor(np.stack(ratio), dtype=torch.float32, device=device) * self.codec.stride

    def pack(
        self, fused: FusedPoses, heatmaps: Tensor | None = None
    ) -> tuple[list[InstanceData], list[PixelData] | None]:
        """Pack what `decode` returns as MMPose expects it.

        Args:
            fused: of B images.
            heatmaps: (B, K+M, H, W), if they are wanted.

        Returns:
            For each image numpy arrays, in network-input pixels, of its N people: `keypoints`
            (N, K, 2), `keypoint_scores` (N, K; clamped to [0, 1] in the paper's convention),
            `bboxes` (N, 4; x1, y1, x2, y2 around the keypoints), `bbox_scores` (N,) the score of
            the fused pose, and `keypoint_parts` (N, K) the index of the part whose proposal won;
            from a refinement with uncertainty also `keypoint_stds` (N, K), the standard deviation
            that the error of the keypoint with the highest score of the group is expected to have
            in x and in y; and the heatmaps of each image, or None.
        """
        fields = None if heatmaps is None else [PixelData(heatmaps=maps) for maps in heatmaps]
        return self._to_instances(fused), fields

    def _to_instances(self, fused: FusedPoses) -> list[InstanceData]:
        proposals_per_part = fused.scores.shape[-1] // self.layout.num_parts
        instances = []
        for keypoints, keypoint_scores, scores, kept, sources, *stds in zip(
            *(values.numpy(force=True) for values in fused.given)
        ):
            keypoints, keypoint_scores = keypoints[kept], keypoint_scores[kept]
            if self.codec.rules.clamp_scores:
                keypoint_scores = keypoint_scores.clip(0, 1)
            instances.append(
                InstanceData(
                    keypoints=keypoints,
                    keypoint_scores=keypoint_scores,
                    bboxes=np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1),
                    bbox_scores=scores[kept],
                    keypoint_parts=sources[kept] // proposals_per_part,
                )
            )
            for each in stds:
                instances[-1].keypoint_stds = each[kept]
        return instances


def _by_scale(feats: Sequence, scale_factors: Sequence[float]) -> Sequence[Sequence[Tensor]]:
    scales = [feats] if torch.is_tensor(feats[-1]) else feats
    if len(scales) != len(scale_factors):
        raise InputError(
            f'scale_factors={scale_factors} needs features of {len(scale_factors)} '
            f'scales; found {len(scales)}'
        )
    return scales


@contextmanager
def full_precision(features: Tensor):
    """Yield features in float32, with mixed precision switched off in the block.

    Peaks, sub-pixel offsets and batch statistics need more digits than bf16 or fp16 have.
    """
    with torch.autocast(features.device.type, enabled=False):
        yield features.float()
