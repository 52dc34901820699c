"""PINet, pose-level inference for crowded images, as a plugin of MMPose.

Importing the package costs nothing until MMPose is used: then it makes MMPose work on today's
Python and torch (`environment`) and registers the classes below in MMPose's registries
(`registered`). All that a config needs is `custom_imports = dict(imports=['pinet_mm'])`. Without
MMPose, the package finds poses with an exported model (`onnx_runner`).
"""

import importlib
import warnings
from typing import TYPE_CHECKING

from . import renamed
from .environment import installing, limits, noise
from .environment.first_import import FirstImport

if TYPE_CHECKING:
    from .registered import *

__version__ = '0.2.0.dev0'

__all__ = [
    'AccelerateHook',
    'CPUAmpOptimWrapper',
    'CocoResults',
    'CrowdSynthDataset',
    'CrowdVisualizer',
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

# The packages that are repaired, and the modules here that import them.
_REPAIRED = ('mmengine', 'mmcv', 'mmdet', 'mmpose', 'xtcocotools')
_NEED_MMPOSE = (
    'api',
    'checkpoints',
    'comparison',
    'configs',
    'export',
    'models',
    'registered',
    'runner',
)
_NEED_MMPOSE_IN_PART = ('conventions', 'datasets', 'inference')
_broken: ImportError | None = None


def _register(asked_for: str) -> bool:
    """Repair MMPose and register our classes; return whether MMPose is there to do so."""
    if not installing.is_installed('mmpose'):
        package, _, module = asked_for.partition('.')
        if package == __name__ and module in _NEED_MMPOSE:
            raise ModuleNotFoundError(installing.explain(asked_for), name='mmpose')
        return False
    global _broken
    try:
        registered = importlib.import_module('.registered', __name__)
        globals().update((name, getattr(registered, name)) for name in __all__)
    except ImportError as error:
        # `pinet-mm doctor` has to run where this fails; all other use meets `__getattr__`.
        _broken = error
        warnings.warn(
            f'pinet_mm is not usable here: {error}; pinet-mm doctor says what to install',
            RuntimeWarning,
            stacklevel=2,
        )
    return True


def __getattr__(name: str):
    """Return what is registered first when it is used; raise the reason where it cannot be."""
    if name in (*__all__, *_NEED_MMPOSE, *_NEED_MMPOSE_IN_PART):
        _registration.make(__name__)
        if name in globals():
            return globals()[name]
    if name in __all__:
        reason = f'{name} cannot be imported: {_broken}' if _broken else installing.explain(name)
        raise ImportError(reason) from _broken
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


renamed.install()
noise.hide()
limits.apply()
_registration = FirstImport(
    {*_REPAIRED, *(f'{__name__}.{name}' for name in (*_NEED_MMPOSE, *_NEED_MMPOSE_IN_PART))},
    _register,
)
_registration.install()
