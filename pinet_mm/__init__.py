"""PINet, pose-level inference for crowded pictures, as a plugin of MMPose.

Importing the package first makes MMPose work on today's Python and torch (`compat`), then
registers the classes below in MMPose's registries: all that a config needs is
`custom_imports = dict(imports=['pinet_mm'])`.
"""

import sys

from . import compat, noise

__version__ = '0.1.0'

# The doctor reports on environments in which this fails.
if 'pinet_mm.doctor' not in sys.orig_argv:
    noise.hide()
    compat.apply()

    from .acceleration import AccelerateHook
    from .codec import PINetCodec
    from .datasets import (CrowdSynthDataset, EpochSampler, LabeledCocoDataset,
                           MinKeypointsCocoDataset)
    from .estimator import PINet
    from .evaluation import CocoResults
    from .fusion import PoseFusion, fuse_poses
    from .head import PINetHead
    from .layouts import PartLayout
    from .models import SeparableFPN, TimmBackbone
    from .proposals import ProposalSampler
    from .refinement import PoseRefinement
    from .release_transforms import ReleaseCrop, ReleaseHeatmapMask, ReleasePersons
    from .runner import CPUAmpOptimWrapper, ResumableEpochLoop
    from .storage import load_from_safetensors
    from .transforms import (RandomCropAffine, RandomInputFlip, ValidHeatmapMask,
                             WholeCentreResize)
    from .visualization import CrowdVisualizer

    __all__ = [
        'AccelerateHook', 'CPUAmpOptimWrapper', 'CocoResults', 'CrowdSynthDataset',
        'CrowdVisualizer', 'EpochSampler', 'LabeledCocoDataset', 'MinKeypointsCocoDataset', 'PINet',
        'PINetCodec', 'PINetHead', 'PartLayout', 'PoseFusion', 'PoseRefinement', 'ProposalSampler',
        'RandomCropAffine', 'RandomInputFlip', 'ReleaseCrop', 'ReleaseHeatmapMask',
        'ReleasePersons', 'ResumableEpochLoop', 'SeparableFPN', 'TimmBackbone', 'ValidHeatmapMask',
        'WholeCentreResize',
        'fuse_poses', 'load_from_safetensors'
    ]
