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
from .environment.deferred import without_collector
from .environment.first_import import FirstImport
from .errors import NotInstalledError

if TYPE_CHECKING:
    from .registered import *

__version__ = '0.2.0.dev0'

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

# The packages that are repaired before they are imported.
_REPAIRED = ('mmengine', 'mmcv', 'mmdet', 'mmpose', 'xtcocotools')
# What works without MMPose: folders with all that is in them, and modules.
_LIGHT_FOLDERS = (
    'cli',
    'crowdsynth',
    'datasets.check',
    'environment',
    'inference.runs',
    'inference.sources',
    'method',
)
_LIGHT = (
    'atomic',
    'curves',
    'datasets',
    'datasets.labeling',
    'doctor',
    'errors',
    'inference',
    'inference.documents',
    'inference.drawing',
    'inference.drawing.files',
    'inference.drawing.maps',
    'inference.drawing.sheets',
    'inference.drawing.skeletons',
    'inference.drawing.tags',
    'inference.light',
    'inference.nobody',
    'inference.people',
    'inference.results',
    'inference.results.answers',
    'inference.results.cvat_xml',
    'inference.results.exchange',
    'inference.results.records',
    'inference.tracking',
    'onnx_runner',
    'renamed',
)
# Attributes of the package once MMPose is in use, without being imported by name.
_FOLDERS = ('checkpoints', 'configs', 'conventions', 'datasets', 'inference', 'models', 'runner')
_broken: ImportError | None = None


def _needs_mmpose(name: str) -> bool:
    """Return whether importing a module needs MMPose, repaired and with our classes."""
    package, _, module = name.partition('.')
    if package != __name__:
        return name in _REPAIRED
    in_light_folder = any(f'{module}.'.startswith(f'{folder}.') for folder in _LIGHT_FOLDERS)
    is_light = module in _LIGHT or module in renamed.MOVED or in_light_folder
    return bool(module) and not is_light


def _register(asked_for: str) -> bool:
    """Repair MMPose and register our classes; return whether MMPose is there to do so."""
    if not installing.is_installed('mmpose'):
        if asked_for.startswith(f'{__name__}.') and installing.is_installed(asked_for):
            raise NotInstalledError(installing.explain(asked_for), name='mmpose')
        return False
    global _broken
    try:
        with without_collector():
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
    if name in (*__all__, *_FOLDERS):
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
_registration = FirstImport(_needs_mmpose, _register)
_registration.install(_REPAIRED)
