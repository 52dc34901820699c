"""Datasets, transforms and evaluation beside MMPose's own."""

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
