"""All that configs name: importing this module repairs MMPose and fills its registries.

`import pinet_mm` sees to it as soon as MMPose or a module that needs it is imported.
"""

from .environment import compat

compat.apply()

from .checkpoints.files import load_from_safetensors
from .conventions.transforms import (
    ReleaseCrop,
    ReleaseHeatmapMask,
    ReleasePersons,
    WholeCentreResize,
)
from .datasets.datasets import LabeledCocoDataset, MinKeypointsCocoDataset
from .datasets.drawn import CrowdSynthDataset, EpochSampler
from .datasets.evaluation import CocoResults
from .datasets.loading import LoadImage
from .datasets.metrics import LayoutCocoMetric
from .datasets.transforms import RandomCropAffine, RandomInputFlip, ValidHeatmapMask
from .inference.drawing.visualizer import CrowdVisualizer
from .method.fusion import PoseFusion, fuse_poses
from .method.layouts import PartLayout
from .method.proposals import ProposalSampler
from .method.refinement import PoseRefinement
from .models import SeparableFPN, TimmBackbone
from .models.acceleration import AccelerateHook
from .models.codec import PINetCodec
from .models.estimator import PINet
from .models.head import PINetHead
from .runner import (
    CPUAmpOptimWrapper,
    DeviceTrainLoop,
    FiniteGuard,
    ResumableEpochLoop,
    WholeCheckpointHook,
)

__all__ = [
    'AccelerateHook',
    'CPUAmpOptimWrapper',
    'CocoResults',
    'CrowdSynthDataset',
    'CrowdVisualizer',
    'DeviceTrainLoop',
    'EpochSampler',
    'FiniteGuard',
    'LabeledCocoDataset',
    'LayoutCocoMetric',
    'LoadImage',
    'MinKeypointsCocoDataset',
    'PINet',
    'PINetCodec',
    'PINetHead',
    'PartLayout',
    'PoseFusion',
    'PoseRefinement',
    'ProposalSampler',
    'RandomCropAffine',
    'RandomInputFlip',
    'ReleaseCrop',
    'ReleaseHeatmapMask',
    'ReleasePersons',
    'ResumableEpochLoop',
    'SeparableFPN',
    'TimmBackbone',
    'ValidHeatmapMask',
    'WholeCentreResize',
    'WholeCheckpointHook',
    'fuse_poses',
    'load_from_safetensors',
]
