"""PINet, pose-level inference for crowded images, as a plugin of MMPose.

Importing the package first makes MMPose work on today's Python and torch (`environment`), then
registers the classes below in MMPose's registries: all that a config needs is
`custom_imports = dict(imports=['pinet_mm'])`.
"""

import warnings

from . import renamed
from .environment import compat, noise

__version__ = '0.2.0.dev0'

renamed.install()
noise.hide()
_broken = None
try:
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
    from .datasets.transforms import RandomCropAffine, RandomInputFlip, ValidHeatmapMask
    from .inference.drawing import CrowdVisualizer
    from .method.fusion import PoseFusion, fuse_poses
    from .method.layouts import PartLayout
    from .method.proposals import ProposalSampler
    from .method.refinement import PoseRefinement
    from .models import SeparableFPN, TimmBackbone
    from .models.acceleration import AccelerateHook
    from .models.codec import PINetCodec
    from .models.estimator import PINet
    from .models.head import PINetHead
    from .runner import CPUAmpOptimWrapper, ResumableEpochLoop
except ImportError as error:
    # `python -m pinet_mm.doctor` has to run where this fails; all other use meets `__getattr__`.
    _broken = error
    warnings.warn(
        f'pinet_mm is not usable here: {error}; python -m pinet_mm.doctor says what to install',
        RuntimeWarning,
        stacklevel=2,
    )

__all__ = [
    'AccelerateHook',
    'CPUAmpOptimWrapper',
    'CocoResults',
    'CrowdSynthDataset',
    'CrowdVisualizer',
    'EpochSampler',
    'LabeledCocoDataset',
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
    'fuse_poses',
    'load_from_safetensors',
]


def __getattr__(name: str):
    """Raise, for a name that a broken environment kept from being imported, the reason."""
    if _broken is not None and name in __all__:
        raise ImportError(f'{name} cannot be imported: {_broken}') from _broken
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
