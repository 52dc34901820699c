"""The configs that the tests go through, each read once."""

import functools
from pathlib import Path

from pinet_mm.models.codec import PINetCodec

import pytest
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS

ROOT = Path(__file__).parents[2]
LEAVES = sorted((ROOT / 'configs').glob('pinet_*.py'))

every_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)


@functools.lru_cache
def load(leaf: Path) -> Config:
    """Read a config as MMPose's own tools do, once; nobody may change it."""
    return Config.fromfile(leaf)


@functools.lru_cache
def codec_of(leaf: Path) -> PINetCodec:
    """Build the codec of a config."""
    return KEYPOINT_CODECS.build(load(leaf).codec)


def steps_by_type(pipeline) -> dict:
    """Name the steps of a pipeline by their type."""
    return {step['type']: step for step in pipeline}


def pipelines_of(dataset) -> list[list]:
    """List all steps that an image may take, for every member of a combined dataset."""
    if dataset.type != 'CombinedDataset':
        return [dataset.pipeline]
    return [[*member.pipeline, *dataset.pipeline] for member in dataset.datasets]
