"""Configs: where they are, and settings that reach everything that depends on them."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config

from .errors import InputError


def config_path(name: str) -> Path:
    """Return the path of a config, such as `pinet_hrnet_crowdpose.py` of the project, or any file.

    Raises:
        FileNotFoundError: there is no such file, neither here nor among the configs.
    """
    package, file = Path(__file__).parent, f'{str(name).removesuffix(".py")}.py'
    # A wheel carries the configs inside the package, a checkout beside it.
    places = [Path(name), package / '.mim' / 'configs' / file, package.parent / 'configs' / file]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f'{name} is no config file; tried {", ".join(map(str, places))}')


def read_config(source: str | Path | Config, options: Mapping | None = None) -> Config:
    """Read a config and replace settings of it, those of the codec wherever they count.

    Args:
        source: path or name, see `config_path`, or a config, which stays as it is.
        options: dotted names to values, as `--cfg-options` of the tools has them.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the sizes of the codec do not fit together, see `share_codec`.
    """
    if isinstance(source, Config):
        config = copy.deepcopy(source)
    else:
        config = Config.fromfile(config_path(str(source)))
    # Merging takes `_delete_` out of the options.
    config.merge_from_dict(copy.deepcopy(dict(options or {})))
    share_codec(config)
    return config


def share_codec(cfg: Config) -> None:
    """Copy the config's top-level `codec` to the head and the pipelines, in place.

    These hold copies of it, which MMEngine makes when it reads a config: without this, a setting
    such as `--cfg-options codec.input_size=320,320` would reach none of them. Every step of a
    pipeline that has the input size of the copies gets the new one, such as crop and resize. The
    maps keep their stride if only `input_size` is changed.

    Raises:
        InputError: `input_size` is not (w, h), or the maps' stride does not divide it.
    """
    codec, head = cfg.get('codec'), cfg.model.get('head') or {}
    pipelines = [
        value for name, value in cfg.items() if name.endswith(('_pipeline', '_dataloader'))
    ]
    steps = list(_mappings(pipelines))
    holders = [(step, 'encoder') for step in steps] + [(head, 'decoder')]
    holders = [(holder, key) for holder, key in holders if _same_type(holder.get(key), codec)]
    copies = [holder[key] for holder, key in holders]
    if not copies:
        return
    _keep_stride(codec, copies[-1])
    sizes = [_size(each) for each in copies]
    for step in steps:
        if _size(step) and _size(step) in sizes:
            step['input_size'] = _size(codec)
    for holder, key in holders:
        holder[key] = codec


def _mappings(node) -> Iterator[dict]:
    """Iterate the steps of a pipeline, in whatever wrapper of datasets, and all other mappings."""
    if isinstance(node, dict):
        yield node
        node = node.values()
    elif not isinstance(node, (list, tuple)):
        return
    for value in node:
        yield from _mappings(value)


def _same_type(found, codec) -> bool:
    return isinstance(found, dict) and isinstance(codec, dict) and found['type'] == codec['type']


def _size(node: Mapping, name: str = 'input_size') -> tuple[int, ...]:
    # (w, h) of a step or codec, which a config holds as a tuple or list; () if it has none.
    size = node.get(name)
    return tuple(size) if isinstance(size, (list, tuple)) else ()


def _keep_stride(codec: dict, before: Mapping) -> None:
    """Set `heatmap_size` to fit an `input_size` that was changed alone."""
    size, maps = _size(before), _size(before, 'heatmap_size')
    if _size(codec) == size or _size(codec, 'heatmap_size') != maps or not maps:
        return
    stride = size[0] // maps[0]
    if len(_size(codec)) != 2 or not all(_is_multiple(side, stride) for side in _size(codec)):
        raise InputError(
            f'codec.input_size must be (w, h) in pixels, multiples of the stride {stride} of the '
            f'maps; found {codec["input_size"]!r}'
        )
    codec['heatmap_size'] = tuple(side // stride for side in _size(codec))


def _is_multiple(side, stride: int) -> bool:
    return isinstance(side, int) and side > 0 and side % stride == 0
