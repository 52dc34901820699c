"""Checkpoints: files read and written, names, the fit to a network, conversion."""

from ..renamed import old_spellings
from . import mmengine_loaders  # noqa: F401  (replaces MMEngine's)
from .convert import Conversion, convert_checkpoint, dataset_meta
from .files import (
    Checkpoint,
    check_target,
    checkpoint_of,
    halve,
    is_url,
    read_checkpoint,
    read_content,
    reason_of,
    require_checkpoint,
    write_checkpoint,
)
from .fit import (
    Network,
    build_network,
    check_model,
    check_overlap,
    check_weights,
    has_size,
    load_weights,
    recognize,
    recognize_backbone,
)
from .names import (
    CLASSIFIER,
    RENAMED,
    backbone_weights,
    both_names,
    is_backbone,
    is_official,
    is_ours,
    other_name,
    ours_to_release,
    release_to_ours,
)
from .safetensors_files import load_from_safetensors

__getattr__ = old_spellings(__name__)

__all__ = [
    'CLASSIFIER',
    'RENAMED',
    'Checkpoint',
    'Conversion',
    'Network',
    'backbone_weights',
    'both_names',
    'build_network',
    'check_model',
    'check_overlap',
    'check_target',
    'check_weights',
    'checkpoint_of',
    'convert_checkpoint',
    'dataset_meta',
    'halve',
    'has_size',
    'is_backbone',
    'is_official',
    'is_ours',
    'is_url',
    'load_from_safetensors',
    'load_weights',
    'other_name',
    'ours_to_release',
    'read_checkpoint',
    'read_content',
    'reason_of',
    'recognize',
    'recognize_backbone',
    'release_to_ours',
    'require_checkpoint',
    'write_checkpoint',
]
