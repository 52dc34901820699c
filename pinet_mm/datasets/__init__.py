"""Datasets, transforms and evaluation beside MMPose's own.

The check of annotation files, `check`, needs neither MMPose nor torch; all else is imported when it
is used.
"""

from typing import TYPE_CHECKING

from ..environment.lazy import lazy

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

__getattr__ = lazy(__name__, ('datasets', 'drawn', 'evaluation', 'metrics', 'transforms'))
