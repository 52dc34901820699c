"""The file format `.safetensors`, with MMPose's metainfo in its header.

Importing this module lets MMEngine read such files, and with it MMPose's inferencers and
`init_cfg`. The package `safetensors` is imported only when such a file is read or written.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor

from ..errors import CheckpointError

SAFETENSORS = '.safetensors'
# What is kept of a checkpoint beside its weights.
KEPT = ('dataset_meta', 'epoch', 'iter')
# JSON has no arrays, tuples or numeric keys; MMPose needs them restored.
_ARRAYS = dict(
    keypoint_colors=np.uint8,
    skeleton_link_colors=np.uint8,
    dataset_keypoint_weights=np.float32,
    sigmas=np.float32,
)
_PAIRS = ('flip_pairs', 'skeleton_links')


@CheckpointLoader.register_scheme(prefixes=r'(?!.*://).*\.safetensors$', force=True)
def load_from_safetensors(filename: str, map_location: Any = None) -> dict[str, dict]:
    """Read a `.safetensors` file for MMEngine.

    Args:
        filename: path of the file.
        map_location: ignored: all weights come on the CPU, and move as they are loaded.

    Returns:
        `state_dict` and `meta`; the latter holds what the file's header says of `KEPT`.

    Raises:
        CheckpointError: the file is damaged or of another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.path.expanduser(filename), framework='pt') as file:
            header = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}
    except SafetensorError as error:
        raise CheckpointError(
            f'the checkpoint {filename} cannot be read: it is no whole safetensors file: {error}'
        ) from error
    meta = {name: json.loads(header[name]) for name in KEPT if name in header}
    if 'dataset_meta' in meta:
        meta['dataset_meta'] = _revive(meta['dataset_meta'])
    return dict(state_dict=weights, meta=meta)


def _revive(meta: dict) -> dict:
    meta = dict(meta)
    for name, value in meta.items():
        if name in _ARRAYS:
            meta[name] = np.array(value, dtype=_ARRAYS[name])
        elif name in _PAIRS:
            meta[name] = [tuple(pair) for pair in value]
        elif name == 'keypoint_id2name':
            meta[name] = {int(index): keypoint for index, keypoint in value.items()}
    return meta


def to_safetensors(weights: Mapping[str, Tensor], meta: Mapping[str, Any] | None) -> bytes:
    """Return the content of a `.safetensors` file.

    Args:
        weights: a state dict; its arrays are written contiguous.
        meta: written into the header, each value as JSON.
    """
    from safetensors.torch import save

    header = {
        name: json.dumps(value, default=lambda array: array.tolist())
        for name, value in (meta or {}).items()
    }
    # The format knows neither views nor memory layouts.
    whole = {
        key: value.detach().clone(memory_format=torch.contiguous_format)
        for key, value in weights.items()
    }
    return save(whole, metadata=dict(header, format='pt'))
