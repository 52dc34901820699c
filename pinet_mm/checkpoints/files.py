"""Checkpoint files: `.pth` and `.pth.tar` by torch, `.safetensors`; read without running code.

Importing this module lets MMEngine read `.safetensors`, and with it MMPose's inferencers,
`init_cfg` and our tools. The package of that name is imported where such a file is met, and only
there. `store_half` halves the weights of an ONNX file.
"""

import json
import os
import pickle
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor

from ..atomic import whole_file
from ..errors import InputError

SAFETENSORS = '.safetensors'
SUFFIXES = ('.pth', '.pt', '.tar', SAFETENSORS)
# What is kept of a checkpoint beside its weights.
KEPT = ('dataset_meta', 'epoch')
# JSON has no arrays, tuples and numbers as keys; these MMPose wants back.
_ARRAYS = dict(
    keypoint_colors=np.uint8,
    skeleton_link_colors=np.uint8,
    dataset_keypoint_weights=np.float32,
    sigmas=np.float32,
)
_PAIRS = ('flip_pairs', 'skeleton_links')


class Checkpoint(NamedTuple):
    """What a file holds: weights by name, and as far as it tells `dataset_meta` and `epoch`."""

    weights: dict[str, Tensor]
    meta: dict[str, Any]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of the release, of MMEngine, or a bare state dict, in any file format.

    Of a training checkpoint `state_dict` is taken, else `best_state_dict`; the prefix `module.`
    of a distributed model goes. Nothing but tensors, numbers, text and what `compat` lists is built
    from the file.

    Args:
        path: of a `.pth`, `.pth.tar` or `.safetensors` file.

    Raises:
        ValueError: the file is no checkpoint, or holds no weights.
    """
    content = _read(Path(path))
    weights = content
    for name in ('best_state_dict', 'state_dict'):
        weights = content.get(name, weights) if isinstance(content, Mapping) else weights
    if (
        not isinstance(weights, Mapping)
        or not weights
        or not all(
            isinstance(key, str) and isinstance(value, Tensor) for key, value in weights.items()
        )
    ):
        raise InputError(
            f'{path} holds no weights: expected a state dict, or a dict with '
            'state_dict or best_state_dict'
        )
    if all(key.startswith('module.') for key in weights):
        weights = {key.removeprefix('module.'): value for key, value in weights.items()}
    told = {**content, **content['meta']} if isinstance(content.get('meta'), Mapping) else content
    return Checkpoint(dict(weights), {name: told[name] for name in KEPT if name in told})


def _read(path: Path) -> Any:
    try:
        if path.suffix == SAFETENSORS:
            return load_from_safetensors(str(path))
        return torch.load(path, map_location='cpu', weights_only=True)
    # What torch raises where a file is none of its own depends on the first letters of the file.
    except (
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        struct.error,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
    ) as error:
        raise InputError(
            f'{path} is no checkpoint that holds only weights and numbers: {_reason(error)}'
        ) from error


def _reason(error: Exception) -> str:
    # torch wraps the name of what it refuses to build in a page of advice.
    refused = re.search(r'(?:global: |unsupported )GLOBAL (\S+)', str(error))
    if refused:
        return f'it asks for {refused[1]}'
    return str(error).splitlines()[0] if str(error) else 'it is cut off'


@CheckpointLoader.register_scheme(prefixes=r'(?!.*://).*\.safetensors$', force=True)
def load_from_safetensors(filename: str, map_location: Any = None) -> dict[str, dict]:
    """Read a `.safetensors` file for MMEngine.

    Args:
        filename: path of the file.
        map_location: passed over: all weights come on the CPU, and move as they are loaded.

    Returns:
        `state_dict` and `meta`; the latter holds what the file's header says of `KEPT`.

    Raises:
        RuntimeError: the file is damaged or of another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.path.expanduser(filename), framework='pt') as file:
            header = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}
    except SafetensorError as error:
        raise RuntimeError(f'{filename} is no whole safetensors file: {error}') from error
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


def check_target(path: str | Path) -> None:
    """Check that a checkpoint can be written to a path.

    Args:
        path: of the file.

    Raises:
        ValueError: its folder is missing, it is a folder, or its suffix is no known one.
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f'{path} is a folder'
            if path.is_dir()
            else f'{path}: the folder {path.parent} does not exist'
        )
    if path.suffix not in SUFFIXES:
        raise InputError(f'{path} must end in one of {", ".join(SUFFIXES)}')


def write_checkpoint(
    weights: Mapping[str, Tensor], meta: Mapping[str, Any] | None, path: str | Path
) -> None:
    """Write a checkpoint so that `path` is either whole or untouched.

    Args:
        weights: a state dict.
        meta: what goes beside it under `meta`; None writes a bare state dict.
        path: of the file; `.safetensors` at its end asks for that format, whose header takes
            `meta` as JSON.
    """
    with whole_file(path) as file:
        if Path(path).suffix == SAFETENSORS:
            file.write(_to_safetensors(weights, meta))
        else:
            bare = dict(weights)
            torch.save(bare if meta is None else dict(meta=dict(meta), state_dict=bare), file)


def halve(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round matrices and kernels to half precision; a model of single precision loads them.

    Vectors stay as they are: they weigh next to nothing, and the statistics of batch norms may be
    beyond what half precision holds.

    Args:
        weights: a state dict.

    Raises:
        ValueError: a number is too large for half precision.
    """
    halved = {
        key: value.half() if value.ndim > 1 and value.is_floating_point() else value
        for key, value in weights.items()
    }
    broken = [
        key
        for key, value in halved.items()
        if value.is_floating_point() and (value.isinf() & ~weights[key].isinf()).any()
    ]
    if broken:
        raise InputError(f'half precision holds numbers up to 65504; larger ones are in {broken}')
    return halved


def _to_safetensors(weights: Mapping[str, Tensor], meta: Mapping[str, Any] | None) -> bytes:
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
