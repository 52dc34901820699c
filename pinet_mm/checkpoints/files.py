"""Checkpoint files: read from a path, URL or package without running code, and written whole.

All checkpoints that the package reads go through `read_checkpoint`, those that MMEngine reads
through `read_content` (`mmengine_loaders`).
"""

import importlib.util
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor

from ..atomic import whole_file
from ..environment.network import reason_of_download
from ..errors import CheckpointError
from .download import fetch
from .metainfo import check_metainfo
from .safetensors_files import KEPT, SAFETENSORS, load_from_safetensors, to_safetensors

SUFFIXES = ('.pth', '.pt', '.tar', SAFETENSORS)
PACKAGE = 'package:'  # before the name of an installed package that holds a checkpoint
WRAPPER = 'module.'  # before every name that a distributed model saves
SMALL = 1 << 20  # bytes that a repeated tensor may have


class Checkpoint(NamedTuple):
    """Content of a checkpoint file.

    Attributes:
        weights: by name, without the prefix of a wrapper; with the versions of the modules that
            wrote them, as a state dict has them in `_metadata`.
        meta: `dataset_meta`, `epoch` and `iter`, as far as the file tells them.
        source: path, URL or package, for messages.
    """

    weights: 'OrderedDict[str, Tensor]'
    meta: dict[str, Any]
    source: str


def read_checkpoint(source: str | Path) -> Checkpoint:
    """Read a training checkpoint or bare state dict, ours, MMEngine's or an official one.

    Of a training checkpoint `state_dict` is taken, else `best_state_dict`. From a file, a URL or a
    package nothing but tensors, numbers, text and what `compat` lists is built; other schemes of
    MMEngine's, such as `s3://`, are read by MMEngine.

    Args:
        source: path of a `.pth`, `.pth.tar` or `.safetensors` file; a URL, which is downloaded to
            torch's cache; or `package:NAME`, the one `.pth` file that the importable package of
            this name holds.

    Raises:
        CheckpointError: there is no such file or package, it cannot be read or holds no weights.
    """
    source = str(source)
    require_checkpoint(source)
    return checkpoint_of(read_content(source), source)


def checkpoint_of(content: Any, source: str) -> Checkpoint:
    """Return the weights and what is kept of a file's content.

    Args:
        content: what `read_content` returns.
        source: for messages.

    Raises:
        CheckpointError: it holds no weights, some that are no plain tensors, or metainfo of another
            form than MMPose's.
    """
    weights = _find_weights(content)
    if weights is None:
        raise CheckpointError(
            f'the checkpoint {source} holds no weights: expected a state dict, or a dict with '
            'state_dict or best_state_dict'
        )
    odd = next((name for name, value in weights.items() if not _is_plain(value)), None)
    if odd is not None:
        raise CheckpointError(
            f'the checkpoint {source} cannot be used: {odd} is no plain tensor whose numbers are '
            f'in the file; found {tuple(weights[odd].shape)} {weights[odd].layout} on '
            f'{weights[odd].device}'
        )
    told = {**content, **content['meta']} if isinstance(content.get('meta'), Mapping) else content
    kept = {name: told[name] for name in KEPT if told.get(name) is not None}
    check_metainfo(kept.get('dataset_meta', {}), source)
    return Checkpoint(_unwrap(weights), kept, source)


def _is_plain(value: Tensor) -> bool:
    # A few bytes can be a tensor of any size, by strides of 0, and would fill the memory.
    if value.layout is not torch.strided or value.device.type == 'meta':
        return False
    return value.nbytes <= max(value.untyped_storage().nbytes(), SMALL)


def require_checkpoint(source: str | Path) -> None:
    """Check that a checkpoint exists; whether a URL leads to one, reading it shows.

    Raises:
        CheckpointError: it is a path that leads to no file, or names no package that holds one.
    """
    source = str(source)
    if source.startswith(PACKAGE):
        _file_of_package(source.removeprefix(PACKAGE))
    elif not is_url(source) and not os.path.isfile(os.path.expanduser(source)):
        raise CheckpointError(f'the checkpoint {source!r} does not exist')


def is_url(source: str) -> bool:
    """Return whether a checkpoint is named by a URL or another scheme of MMEngine's."""
    return '://' in source


def _file_of_package(name: str) -> Path:
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(f'there is no package {name}: pip install {name.replace("_", "-")}')
    files = [
        file
        for folder in spec.submodule_search_locations
        for file in sorted(Path(folder).rglob('*.pth'))
    ]
    if len(files) != 1:
        raise CheckpointError(f'the package {name} must hold one .pth file; found {len(files)}')
    return files[0]


def read_content(source: str) -> Any:
    """Read all that a checkpoint file holds, building nothing but what `read_checkpoint` allows.

    Args:
        source: as `read_checkpoint` takes it.

    Raises:
        CheckpointError: the file cannot be read, or asks for anything else.
    """
    try:
        return _read(source)
    except CheckpointError:
        raise
    except Exception as error:  # which one torch raises depends on the first bytes of the file
        is_download = is_url(source) and isinstance(error, OSError)
        reason = reason_of_download(source, error) if is_download else reason_of(error)
        # Without its cause, which ends in advice to trust the file.
        raise CheckpointError(f'the checkpoint {source} cannot be read: {reason}') from None


def _read(source: str) -> Any:
    if source.startswith(('http://', 'https://')):
        path = fetch(source)
    elif is_url(source):
        return CheckpointLoader.load_checkpoint(source, map_location='cpu')
    elif source.startswith(PACKAGE):
        path = _file_of_package(source.removeprefix(PACKAGE))
    else:
        path = Path(source).expanduser()
    if path.suffix == SAFETENSORS:
        return load_from_safetensors(str(path))
    return torch.load(path, map_location='cpu', weights_only=True)


def reason_of(error: Exception) -> str:
    """Return why a file could not be read, without torch's and timm's advice to trust it."""
    # torch wraps the name of what it refuses to build in a page of advice, the first line of which
    # is to trust whoever wrote the file.
    refused = re.search(r'(?:global: |unsupported )GLOBAL (\S+)', str(error))
    if refused:
        return f'it asks for {refused[1]}'
    if 'TorchScript' in str(error):
        return 'it is a TorchScript archive, which holds a program'
    if str(error).startswith('Weights only load failed'):
        return 'it is no checkpoint, or holds more than tensors, numbers and text'
    if isinstance(error, EOFError):
        return 'it is cut off'
    if isinstance(error, KeyError):  # torch's reader of pickles, at a byte that begins no command
        return 'it is no checkpoint'
    return (str(error) or type(error).__name__).splitlines()[0].partition('. ')[0]


def _find_weights(content: Any) -> Mapping[str, Tensor] | None:
    weights = content
    if isinstance(content, Mapping):
        weights = content.get('state_dict', content.get('best_state_dict', content))
    named = isinstance(weights, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in weights.items()
    )
    return weights if named and weights else None


def _unwrap(weights: Mapping[str, Tensor]) -> 'OrderedDict[str, Tensor]':
    # A prefix that only some names have is part of them: without it two names might be the same.
    plain, versions = OrderedDict(weights), getattr(weights, '_metadata', {})
    if all(key.startswith(WRAPPER) for key in weights):
        plain = OrderedDict((key.removeprefix(WRAPPER), value) for key, value in weights.items())
        # The wrapper itself is '', the model in it 'module'.
        versions = {
            key[len(WRAPPER) :]: value
            for key, value in versions.items()
            if f'{key}.'.startswith(WRAPPER)
        }
    plain._metadata = versions  # type: ignore[attr-defined]
    return plain


def check_target(path: str | Path) -> None:
    """Check that a checkpoint can be written to a path.

    Args:
        path: of the file.

    Raises:
        CheckpointError: it is a folder, its folder is missing, its suffix is no known one, or the
            package for this format is not installed.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f'{path} is a folder')
    if not path.parent.is_dir():
        raise CheckpointError(f'{path}: the folder {path.parent} does not exist')
    if path.suffix not in SUFFIXES:
        raise CheckpointError(f'{path} must end in one of {", ".join(SUFFIXES)}')
    if path.suffix == SAFETENSORS and importlib.util.find_spec('safetensors') is None:
        raise CheckpointError(
            f'{path} needs a package that is not installed: pip install safetensors'
        )


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
            file.write(to_safetensors(weights, meta))
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
        CheckpointError: a number is too large for half precision.
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
        raise CheckpointError(
            f'half precision holds numbers up to 65504; larger ones are in {broken}'
        )
    return halved
