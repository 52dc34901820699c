"""Datasets, transforms and evaluation beside MMPose's own.

The check of annotation files, `check`, needs neither MMPose nor torch; all else is imported when it
is used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .datasets import LabeledCocoDataset, MinKeypointsCocoDataset
    from .drawn import CrowdSynthDataset, EpochSampler
    from .evaluation import CocoResults
    from .metrics import LayoutCocoMetric
    from .transforms import RandomCropAffine, RandomInputFlip, ValidHeatmapMask

__all__ = [
    'CocoResults',
    'CrowdSynthDataset',
    'EpochSampler',
    'LabeledCocoDataset',
    'LayoutCocoMetric',
    'MinKeypointsCocoDataset',
    'RandomCropAffine',
    'RandomInputFlip',
    'ValidHeatmapMask',
]

_MODULES = ('datasets', 'drawn', 'evaluation', 'metrics', 'transforms')


def __getattr__(name: str):
    """Return one of the names in `__all__`, from the module that has it."""
    if name in __all__:
        for module in _MODULES:
            found = vars(importlib.import_module(f'.{module}', __name__))
            if name in found:
                return found[name]
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
