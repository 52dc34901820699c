"""PINetHead: the three branches of PPG, their losses, and the way from maps to poses.

Shape shorthand: B pictures, V views (2 with flip test, else 1), K keypoints, M parts, C channels,
H×W map, T proposals a picture. `_hm` are map pixels, `_in` network-input pixels, `_img` pixels of
the original picture; (x, y) last.
"""

from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor, nn

from .flip import mirror_maps, mirror_points
from .fusion import FusedPoses, PoseFusion
from .layouts import PartLayout
from .losses import Targets, gather_targets, in_omega
from .proposals import Centres, ProposalSampler, read_offsets
from .refinement import PoseRefinement

for _module in (PoseRefinement, ProposalSampler, PoseFusion):
    MODELS.register_module(module=_module)


@dataclass(frozen=True)
class TestSettings:
    """What a `test_cfg` may hold.

    Attributes:
        flip_test: average the picture with its mirror image.
        part_thr: part-centre scores at or below it propose nothing.
        max_per_part: proposals a part and picture.
        oks_thr: poses whose OKS is above it are one person.
        use_refinement: apply the refinement; by default if the head has one.
        use_fusion: fuse the poses of a person; otherwise the best one stays (OKS-NMS).
        output_heatmaps: also return the keypoint and part maps, as `pred_fields`.
    """

    __test__ = False  # the name must not make pytest collect it

    flip_test: bool = False
    part_thr: float = 0.01
    max_per_part: int = 30
    oks_thr: float = 0.7
    use_refinement: Optional[bool] = None
    use_fusion: bool = True
    output_heatmaps: bool = False

    @classmethod
    def from_cfg(cls, test_cfg: Mapping) -> 'TestSettings':
        """Check a `test_cfg`.

        Raises:
            ValueError: a key is unknown, or a value has the wrong type or range.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(test_cfg) - set(known))
        if unknown:
            raise ValueError(f'test_cfg has the unknown keys {unknown}; known are {known}')
        settings = cls(**test_cfg)
        for name, kind in dict(part_thr=(float, int), oks_thr=(float, int),
                               max_per_part=int).items():
            if not isinstance(getattr(settings, name), kind):
                raise ValueError(f'{name} must be a number; found {getattr(settings, name)!r}')
        if settings.max_per_part < 1:
            raise ValueError(f'max_per_part must be at least 1; found {settings.max_per_part}')
        if not 0 <= settings.oks_thr <= 1:
            raise ValueError(f'oks_thr must be between 0 and 1; found {settings.oks_thr}')
        return settings


def _offset_loss() -> dict:
    # MMPose's loss is the paper's: smooth L1 with β = 1/9 × weight, summed over Ω, / |Ω|.
    return dict(type='SoftWeightSmoothL1Loss', use_target_weight=True, supervise_empty=False,
                beta=1 / 9, loss_weight=0.03)


@MODELS.register_module()
class PINetHead(BaseHead):
    """Predict keypoint score maps H, part-centre maps P and offset maps O, and poses from them.

    Args:
        in_channels: C of the feature map.
        decoder: config of the `PINetCodec`; layout, stride and convention are read from it.
        refinement: config of `PoseRefinement`, or None for a model without.
        sampler: config of `ProposalSampler`.
        heatmap_loss: config of a loss called as MMPose's `KeypointMSELoss`.
        offset_loss: config of a loss called as MMPose's `SoftWeightSmoothL1Loss`, for offsets.
        refine_loss: the same, for refined offsets.
        init_cfg: by default normal weights of 0.001 and zero biases in the three branches.
    """

    def __init__(self,
                 in_channels: int,
                 decoder: Mapping,
                 refinement: Optional[Mapping] = None,
                 sampler: Optional[Mapping] = None,
                 heatmap_loss: Optional[Mapping] = None,
                 offset_loss: Optional[Mapping] = None,
                 refine_loss: Optional[Mapping] = None,
                 init_cfg: Optional[Mapping] = None):
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.001, bias=0))
        self.decoder = KEYPOINT_CODECS.build(decoder)
        layout, rules = self.layout, self.decoder.rules
        self.score_branch = nn.Conv2d(in_channels, layout.num_keypoints, 1)
        self.part_branch = nn.Conv2d(in_channels, layout.num_parts, 1)
        self.offset_branch = nn.Conv2d(in_channels, layout.num_offset_channels, 1)
        self.refinement = None if refinement is None else MODELS.build(dict(
            refinement, in_channels=in_channels, num_keypoints=layout.num_keypoints,
            skeleton=layout.skeleton, sample_features=rules.sample_features))
        self.sampler = MODELS.build(dict(sampler or dict(type='ProposalSampler'),
                                         training_rule=rules.training_centres))
        self.fusion = MODELS.build(dict(type='PoseFusion', sigmas=layout.sigmas))
        self.heatmap_loss = MODELS.build(
            heatmap_loss or dict(type='KeypointMSELoss', use_target_weight=True))
        self.offset_loss = MODELS.build(offset_loss or _offset_loss())
        self.refine_loss = MODELS.build(refine_loss or _offset_loss())

    @property
    def layout(self) -> PartLayout:
        """The dataset's keypoints and parts, as the codec knows them."""
        return self.decoder.layout

    def forward(self, feats: Sequence[Tensor]) -> Tuple[Tensor, Tensor]:
        """Predict maps from the last feature map (B, C, H, W).

        Returns:
            Heatmaps (B, K+M, H, W), keypoints first, and offsets (B, M·2K, H, W) in map pixels.
        """
        features = feats[-1]
        heatmaps = torch.cat((self.score_branch(features), self.part_branch(features)), dim=1)
        return heatmaps, self.offset_branch(features)

    def loss(self, feats: Sequence[Tensor], batch_data_samples: Sequence,
             train_cfg: Optional[Mapping] = None) -> Dict[str, Tensor]:
        """Compute `loss_heatmap`, `loss_offset` and, with a refinement, `loss_refine`.

        Args:
            feats: feature maps, of which the last (B, C, H, W) is used.
            batch_data_samples: B samples with the targets, see `losses.gather_targets`.
            train_cfg: not used; MMPose passes it.
        """
        with _full_precision(feats[-1]) as features:
            targets = gather_targets(batch_data_samples, self.layout.num_parts)
            heatmaps, offsets = self([features])
            wanted = targets.offsets
            losses = dict(
                loss_heatmap=self.heatmap_loss(heatmaps, targets.heatmaps,
                                               targets.heatmap_weights, targets.heatmap_mask),
                loss_offset=self.offset_loss(*in_omega(wanted.read(offsets), wanted.offsets,
                                                       wanted.weights)))
            if self.refinement is not None:
                losses['loss_refine'] = self._refinement_loss(features, offsets, targets)
        return losses

    def _refinement_loss(self, features: Tensor, offsets: Tensor, targets: Targets) -> Tensor:
        # Proposals are inputs here: the offsets they come from learn by their own loss alone.
        rank = getattr(targets.offsets, self.decoder.rules.sampling_targets)()
        centres = self.sampler.sample(targets.heatmaps[:, self.layout.num_keypoints:], rank)
        predicted = read_offsets(offsets.detach(), centres.xy_hm, self.layout.num_parts)
        poses_hm = centres.xy_hm[:, :, None] - predicted
        refined = predicted + self.refinement(features, poses_hm, centres.xy_hm, centres.valid)
        wanted, weights = targets.offsets.at_centres(centres.xy_hm)
        weights = weights * centres.valid[:, :, None, None]
        return self.refine_loss(*in_omega(refined, wanted, weights))

    def check_settings(self, test_cfg: Mapping) -> TestSettings:
        """Check a `test_cfg` for this head, see `TestSettings`.

        Raises:
            ValueError: a key is unknown or a value wrong, a refinement is asked for that was not
                built, or `flip_test` for parts that have no mirror image.
        """
        settings = TestSettings.from_cfg(test_cfg)
        if settings.use_refinement and self.refinement is None:
            raise ValueError('test_cfg asks for use_refinement=True, but the head was built with '
                             'refinement=None')
        if settings.flip_test:
            _ = self.layout.part_flip_indices  # raises where parts have no mirror image
        return settings

    def predict(self, feats: Sequence[Tensor], batch_data_samples: Sequence,
                test_cfg: Optional[Mapping] = None):
        """Predict the persons of B pictures of one size.

        Args:
            feats: feature maps, of which the last (V·B, C, H, W) is used; with `flip_test` the
                second half belongs to the mirrored inputs of `flip.mirror_inputs`.
            batch_data_samples: B samples with `input_size` and `input_scale` as metainfo.
            test_cfg: see `TestSettings`.

        Returns:
            B `InstanceData` (see `_to_instances`); with `output_heatmaps` also B `PixelData`.
        """
        settings = self.check_settings(test_cfg or {})
        with _full_precision(feats[-1]) as features:
            heatmaps, offsets = self([features])
            if settings.flip_test:
                heatmaps = self._average_views(heatmaps)
            score_maps, part_maps = heatmaps.split(
                (self.layout.num_keypoints, self.layout.num_parts), dim=1)
            centres = self.sampler.propose(part_maps, settings.max_per_part, settings.part_thr)
            poses_hm = self._propose_poses(features, offsets, centres, settings)
            rules = self.decoder.rules
            keypoint_scores = rules.score_keypoints(score_maps, poses_hm, centres.scores,
                                                    self.decoder.stride)
            scale = self._image_per_map(batch_data_samples, poses_hm)
            fused = self.fusion(poses_hm * scale, keypoint_scores,
                                rules.pose_scores(centres.scores), centres.valid,
                                settings.oks_thr, settings.use_fusion)
            fused = fused._replace(keypoints=fused.keypoints / scale * self.decoder.stride)
        instances = self._to_instances(fused, proposals_per_part=(
            poses_hm.shape[1] // self.layout.num_parts))
        if not settings.output_heatmaps:
            return instances
        return instances, [PixelData(heatmaps=maps) for maps in heatmaps]

    def _average_views(self, heatmaps: Tensor) -> Tensor:
        k = self.layout.num_keypoints
        order = (*self.layout.flip_indices, *(k + i for i in self.layout.part_flip_indices))
        plain, mirrored = heatmaps.chunk(2)
        return (plain + mirror_maps(mirrored, order)) / 2

    def _propose_poses(self, features: Tensor, offsets: Tensor, centres: Centres,
                       settings: TestSettings) -> Tensor:
        # (B, T, K, 2) map pixels: each view reads and refines its own poses, then they average.
        centres_hm, valid, width = centres.xy_hm, centres.valid, features.shape[-1]
        if settings.flip_test:
            centres_hm = torch.cat((centres_hm, mirror_points(centres_hm, width)))
            valid = valid.repeat(2, 1)
            offsets = self._swap_part_offsets(offsets)
        poses_hm = centres_hm[:, :, None] - read_offsets(offsets, centres_hm,
                                                         self.layout.num_parts)
        if self.refinement is not None and settings.use_refinement is not False:
            poses_hm = poses_hm - self.refinement(features, poses_hm, centres_hm, valid)
        if settings.flip_test:
            plain, mirrored = poses_hm.chunk(2)
            mirrored = mirror_points(mirrored, width)[:, :, list(self.layout.flip_indices)]
            poses_hm = (plain + mirrored) / 2
        return poses_hm

    def _swap_part_offsets(self, offsets: Tensor) -> Tensor:
        # In the mirrored view a left part's persons are found in the right part's channels.
        order = list(self.layout.part_flip_indices)
        if order == sorted(order):
            return offsets
        plain, mirrored = offsets.chunk(2)
        mirrored = mirrored.unflatten(1, (self.layout.num_parts, -1))[:, order].flatten(1, 2)
        return torch.cat((plain, mirrored))

    def _image_per_map(self, batch_data_samples: Sequence, like: Tensor) -> Tensor:
        # (B, 1, 1, 2) original-picture pixels per map pixel: OKS areas are in picture pixels.
        ratio = [np.divide(sample.metainfo['input_scale'], sample.metainfo['input_size'])
                 for sample in batch_data_samples]
        return like.new_tensor(np.stack(ratio))[:, None, None] * self.decoder.stride

    def _to_instances(self, fused: FusedPoses, proposals_per_part: int) -> List[InstanceData]:
        """Pack fused poses as MMPose expects them: numpy arrays in network-input pixels.

        Each picture's N persons get `keypoints` (N, K, 2), `keypoint_scores` (N, K; clamped to
        [0, 1] in the paper's convention), `bboxes` (N, 4; x1, y1, x2, y2 around the keypoints),
        `bbox_scores` (N,) the score of the fused pose, and `keypoint_parts` (N, K) the index of
        the part whose proposal won.
        """
        boxes = torch.cat((fused.keypoints.amin(dim=2), fused.keypoints.amax(dim=2)), dim=-1)
        scores = fused.keypoint_scores
        if self.decoder.rules.clamp_scores:
            scores = scores.clamp(0, 1)
        arrays = dict(keypoints=fused.keypoints, keypoint_scores=scores, bboxes=boxes,
                      bbox_scores=fused.scores,
                      keypoint_parts=fused.sources // proposals_per_part)
        arrays = {name: values.detach().cpu().numpy() for name, values in arrays.items()}
        return [InstanceData(**{name: values[i][kept] for name, values in arrays.items()})
                for i, kept in enumerate(fused.kept.cpu().numpy())]


@contextmanager
def _full_precision(features: Tensor):
    # Peaks, sub-pixel offsets and batch statistics need more digits than bf16 or fp16 have.
    with torch.autocast(features.device.type, enabled=False):
        yield features.float()
