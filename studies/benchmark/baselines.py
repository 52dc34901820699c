"""MMPose's bottom-up baselines on an HRNet, CID and DEKR."""

import copy
from collections.abc import Sequence

from pinet_mm.environment.packages import mmcv_has_operators
from pinet_mm.models.estimator import PINet

import torch
from mmengine.structures import InstanceData
from mmpose.models.heads.base_head import BaseHead
from mmpose.models.heads.hybrid_heads.dekr_head import DEKRHead
from mmpose.models.pose_estimators.bottomup import BottomupPoseEstimator
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

NO_DEKR = (
    "DEKR's network is left out: its deformable convolutions are compiled operators of the "
    'full mmcv, which is not installed'
)


def why_no_dekr() -> str | None:
    """Return why DEKR's network cannot run here, or None."""
    return None if mmcv_has_operators() else NO_DEKR


def _codec(kind: str, input_size: Sequence[int], stride: int = 4, **options) -> dict:
    return dict(
        type=kind,
        input_size=tuple(input_size),
        heatmap_size=tuple(side // stride for side in input_size),
        **options,
    )


def cid_head(in_channels: int, num_keypoints: int, input_size: Sequence[int]) -> dict:
    """Return the config of CID's head as MMPose's COCO config has it.

    Args:
        in_channels: of the feature map.
        num_keypoints: K.
        input_size: (w, h).
    """
    return dict(
        type='CIDHead',
        in_channels=in_channels,
        num_keypoints=num_keypoints,
        gfd_channels=32,
        decoder=_codec('DecoupledHeatmap', input_size),
    )


def dekr_head(in_channels: int, num_keypoints: int, input_size: Sequence[int]) -> dict:
    """Return the config of DEKR's head as in MMPose's COCO config, without the net that rescores.

    Args:
        in_channels: of the feature map.
        num_keypoints: K.
        input_size: (w, h).
    """
    return dict(
        type='DEKRHead',
        in_channels=in_channels,
        num_keypoints=num_keypoints,
        decoder=_dekr_codec(input_size),
    )


def _dekr_codec(input_size: Sequence[int]) -> dict:
    return _codec(
        'SPR',
        input_size,
        sigma=(4, 2),
        minimal_diagonal_length=32**0.5,
        generate_keypoint_heatmaps=True,
        decode_max_instances=30,
    )


def cid_settings(flip_test: bool, persons: int) -> dict:
    """Return a `test_cfg` with which CID finds exactly so many people, whatever their scores."""
    return dict(flip_test=flip_test, shift_heatmap=False, max_instances=persons, score_threshold=0)


def dekr_settings(flip_test: bool) -> dict:
    """Return the `test_cfg` of MMPose's config."""
    return dict(flip_test=flip_test, shift_heatmap=True, nms_dist_thr=0.05)


class DEKRDecoding(DEKRHead):
    """DEKR's head without its network: its decoding of score maps and displacements.

    Args:
        input_size: (w, h).
    """

    def __init__(self, input_size: tuple[int, int]):
        BaseHead.__init__(self)
        self.decoder, self.rescore_net = KEYPOINT_CODECS.build(_dekr_codec(input_size)), None

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Take the maps that stand where features would."""
        return tuple(feats)


def sample_of(input_size: tuple[int, int], flip_indices: Sequence[int]) -> PoseDataSample:
    """Return the metainfo, as the baselines want it, of an image that is its own network input.

    Args:
        input_size: (w, h).
        flip_indices: for each keypoint its counterpart.
    """
    size = torch.tensor(input_size).numpy().astype('float32')
    return PoseDataSample(
        metainfo=dict(
            input_size=tuple(input_size),
            input_center=size / 2,
            input_scale=size,
            flip_indices=list(flip_indices),
        )
    )


def cid_like(model: PINet, persons: int) -> BottomupPoseEstimator:
    """Build CID on the backbone of a PINet, with its weights, and a head of random ones.

    It takes one image at a time.

    Args:
        model: gives backbone, neck, preprocessing, flip test and test pipeline.
        persons: that it finds in every image.
    """
    codec = model.head.codec
    baseline = BottomupPoseEstimator(
        backbone=copy.deepcopy(model.cfg.model.backbone),
        neck=copy.deepcopy(model.cfg.model.neck),
        head=cid_head(
            model.cfg.model.head.in_channels, model.head.layout.num_keypoints, codec.input_size
        ),
        data_preprocessor=copy.deepcopy(model.cfg.model.data_preprocessor),
        test_cfg=cid_settings(bool((model.test_cfg or {}).get('flip_test')), persons),
    )
    baseline.backbone.load_state_dict(model.backbone.state_dict())
    baseline.cfg, baseline.dataset_meta = model.cfg, model.dataset_meta
    device = next(model.parameters()).device
    return baseline.to(device).eval()


def build_head(config: dict, device: str) -> BaseHead:
    """Build a head for testing, with random weights."""
    return MODELS.build(config).to(device).eval()


def count(persons: list[InstanceData]) -> int:
    """Count the people of one image, which CID's decoding returns one by one."""
    return sum(len(each.keypoints) for each in persons)
