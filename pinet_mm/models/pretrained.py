"""Initial weights of a timm network: where they come from, and whether they fit."""

import importlib.util
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import timm
import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ..errors import InputError

PACKAGE = 'package:'
# The classifier in the files of EfficientNet-PyTorch, whose tensors have other names than timm's.
OTHER_HEADS = ('_conv_head', '_bn1', '_fc')
SHOWN = 3  # names in an error


def read_weights(checkpoint: str) -> Mapping:
    """Read a checkpoint from a file, a URL or an installed package.

    Args:
        checkpoint: path, URL or another scheme of MMEngine's; or `package:NAME`, the one .pth file
            that the importable package of this name holds.

    Raises:
        FileNotFoundError: the package is not installed, or does not hold one such file.
    """
    if checkpoint.startswith(PACKAGE):
        checkpoint = str(_file_of_package(checkpoint.removeprefix(PACKAGE)))
    return CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')


def _file_of_package(name: str) -> Path:
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f'there is no package {name}: pip install {name.replace("_", "-")}')
    files = [
        file
        for folder in spec.submodule_search_locations
        for file in sorted(Path(folder).rglob('*.pth'))
    ]
    if len(files) != 1:
        raise FileNotFoundError(f'the package {name} must hold one .pth file; found {len(files)}')
    return files[0]


def match_weights(
    net: nn.Module,
    build_whole: Callable[[], nn.Module],
    checkpoint: Mapping,
    path: str,
    prefix: str = '',
) -> dict[str, Tensor]:
    """Find the weights of a `features_only` network in a checkpoint.

    They are found by their names in this network or in timm's whole one. Where all names differ,
    they are found by order and shape, the classifier of EfficientNet-PyTorch's files left out.

    Args:
        net: the network.
        build_whole: builds timm's network with its classifier, of which only the names count.
        checkpoint: what was read; weights may lie in its `state_dict`.
        path: of the checkpoint, for the message.
        prefix: of those names in the checkpoint that count.

    Returns:
        A state dict for `net`, without counts of batches.

    Raises:
        ValueError: weights are missing, have another shape or belong to another network.
    """
    found = {
        key.removeprefix(prefix): value
        for key, value in checkpoint.get('state_dict', checkpoint).items()
        if key.startswith(prefix) and isinstance(value, Tensor) and _counts(key)
    }
    own = {key: value for key, value in net.state_dict().items() if _counts(key)}
    names = {key: next(filter(found.__contains__, _names(key)), '') for key in own}
    if not any(names.values()):
        return _match_by_order(own, found, path)
    _refuse(path, 'lacks weights of the network', [key for key, name in names.items() if not name])
    _refuse(
        path,
        'has weights of another shape',
        [
            f'{key} {tuple(found[name].shape)} in place of {tuple(own[key].shape)}'
            for key, name in names.items()
            if found[name].shape != own[key].shape
        ],
    )
    unused = found.keys() - names.values()
    _refuse(
        path,
        'has weights of another network',
        sorted(unused - build_whole().state_dict().keys()) if unused else [],
    )
    return {key: found[name] for key, name in names.items()}


def _counts(key: str) -> bool:
    return not key.endswith('num_batches_tracked')


def _names(key: str):
    # timm's names of one weight: `features_only` renames `stages.0` to `stages_0`, or puts all
    # under `model` or `body`; a checkpoint of TimmBackbone has `net` before them.
    for start in (
        key,
        re.sub(r'^([a-z]+)_(\d+)\.', r'\1.\2.', key),
        re.sub(r'^(model|body)\.', '', key),
    ):
        yield start
        yield f'net.{start}'


def _match_by_order(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], path: str
) -> dict[str, Tensor]:
    body = {key: value for key, value in found.items() if not key.startswith(OTHER_HEADS)}
    if len(body) != len(own):
        raise InputError(
            f'{path} does not fit: its {len(body)} weights have other names than the '
            f"network's {len(own)}, the first of them {_first(body)}"
        )
    _refuse(
        path,
        'has other names, and in their order weights of another shape',
        [
            f'{name} {tuple(value.shape)} in place of {key} {tuple(own[key].shape)}'
            for key, (name, value) in zip(own, body.items())
            if value.shape != own[key].shape
        ],
    )
    return dict(zip(own, body.values()))


def _first(names) -> str:
    return next(iter(names), 'none')


def _refuse(path: str, what: str, names) -> None:
    if names:
        more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
        raise InputError(f'{path} {what}: {", ".join(list(names)[:SHOWN])}{more}')


def load_of_timm(model_name: str, options: Mapping) -> dict[str, Tensor]:
    """Download the weights that timm has for a network, or take them from its cache.

    Args:
        model_name: of the network.
        options: all other arguments of `timm.create_model`.

    Raises:
        FileNotFoundError: they could not be downloaded, or timm has none.
    """
    if not timm.is_model_pretrained(model_name):
        raise FileNotFoundError(f'timm has no weights for {model_name}')
    try:
        net = timm.create_model(model_name, pretrained=True, **options)
    except (OSError, RuntimeError) as error:
        raise FileNotFoundError(
            f'timm could not download the weights of {model_name}: '
            f'{(str(error) or type(error).__name__).splitlines()[0]}'
        ) from error
    return net.state_dict()


def nothing_is_computed() -> torch.device:
    """Return a context in which networks are built without weights, for their names alone."""
    return torch.device('meta')
