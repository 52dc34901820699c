"""Configs: where they are, and settings that reach everything that depends on them."""

import copy
import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from mmengine.config import Config
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import YamlHandler
from mmengine.runner import Runner

from .errors import InputError

# What MMEngine reads from a config besides the arguments of its runner.
READ_BY_RUNNER = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
)
OF_TOOLS = {'cfg'}  # an argument of the runner that no config sets
OF_RUNNER = {*inspect.signature(Runner).parameters, *READ_BY_RUNNER} - OF_TOOLS


class _PlainLoader(yaml.SafeLoader):
    """Values, and the tuples that MMEngine itself writes; other tags could run code."""


_PlainLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple',
    lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
)


@register_handler(['yaml', 'yml'])
class PlainYamlHandler(YamlHandler):
    """Let MMEngine read YAML without running code: its own handler builds whatever a tag names."""

    def load_from_fileobj(self, file, **kwargs):
        """Return the content of an open file, tags of Python's refused."""
        return yaml.load(file, _PlainLoader)


def load_config(path: str | Path) -> Config:
    """Load a config file as it is.

    Args:
        path: of a `.py`, `.json` or `.yaml` file. A config is a program: one in Python runs, and
            in any format its names decide which classes are built.

    Raises:
        FileNotFoundError: it does not exist.
        InputError: it cannot be read, such as a YAML file with tags of Python's, or a base of it
            does not exist.
    """
    try:
        return Config.fromfile(path)
    except InputError:
        raise
    except Exception as error:  # what a config in Python raises is up to the config
        if isinstance(error, OSError) and not Path(path).is_file():
            raise
        reason = str(error).strip() or 'no reason given'
        raise InputError(
            f'the config {path} cannot be read: {type(error).__name__}: '
            + ' '.join(reason.split())[:500]
        ) from error


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
    configs = sorted(each.name for place in places[1:] for each in place.parent.glob('*.py'))
    meant = difflib.get_close_matches(file, configs, 1)
    guess = f'; did you mean {meant[0]}?' if meant else ''
    tried = ', '.join(map(str, places))
    raise FileNotFoundError(f'{name} is no config file; tried {tried}{guess}')


def read_config(source: str | Path | Config, options: Mapping | None = None) -> Config:
    """Read a config and replace settings of it, those of the codec wherever they count.

    Args:
        source: path or name, see `config_path`, or a config, which stays as it is.
        options: dotted names to values, as `--cfg-options` of the tools has them.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be read, see `load_config`; the sizes of the codec do not fit
            together, see `share_codec`, or an option would have no effect, see `check_options`.
    """
    if isinstance(source, Config):
        config = copy.deepcopy(source)
    else:
        config = load_config(config_path(str(source)))
        if not isinstance(config.get('model'), Mapping):
            raise InputError(f'the config {source} describes no model')
    check_options(config, options or {})
    _merge(config, options or {})
    _check_groups(config)
    share_codec(config)
    return config


def _merge(config: Config, options: Mapping) -> None:
    for name, value in options.items():
        _check_form(config, name, value)
    try:
        # Merging takes `_delete_` out of the options.
        config.merge_from_dict(copy.deepcopy(dict(options)))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        reason = error.args[0] if error.args else error
        raise InputError(f'{", ".join(options)} cannot be set in this config: {reason}') from error


def _check_form(config: Config, name: str, value) -> None:
    """Raise if a word or number is to replace what a class is built from."""
    node, is_plain = config, isinstance(value, (str, int, float))
    for word in name.split('.'):
        node = node.get(word) if isinstance(node, (Mapping, Config)) else None
    in_list = isinstance(node, (list, tuple)) and any(isinstance(each, Mapping) for each in node)
    if isinstance(node, bool) and isinstance(value, str):
        raise InputError(f'{name} must be True or False; found {value!r}')
    if is_plain and (in_list or isinstance(node, Mapping) and ('type' in node or '.' not in name)):
        kind = 'list of settings' if in_list else 'group of settings'
        raise InputError(f'{name} must be a {kind}, or None; found {value!r}')


def _check_groups(config: Config) -> None:
    """Raise if the model, or a part of it that is read before it is built, is no group."""
    model = config.get('model')
    if not isinstance(model, Mapping):
        raise InputError(f'model must be a group of settings; found {model!r}')
    for name in ('head', 'backbone', 'neck', 'test_cfg'):
        if not isinstance(model.get(name), (Mapping, type(None))):
            raise InputError(
                f'model.{name} must be a group of settings, or None; found {model[name]!r}'
            )


def check_options(config: Config, options: Mapping) -> None:
    """Refuse options that would change nothing.

    Args:
        config: what they are to be merged into.
        options: dotted names to values.

    Raises:
        InputError: the config has no setting of this name, it is no name, the option names a
            variable that only the config's file uses, such as `data_root`, or a copy of the codec,
            which `share_codec` replaces.
    """
    copied = isinstance(config.get('codec'), Mapping)
    read = {*OF_RUNNER, *(['codec'] if copied else [])}
    odd = next((name for name in options if not all(name.split('.'))), None)
    if odd is not None:
        raise InputError(f'an option must be named like model.type; found the name {odd!r}')
    for name in _dotted(options):
        if copied and (setting := _of_codec(name)):
            raise InputError(f'{name} is a copy of the codec of the config: set {setting} instead')
        variable = name.split('.')[0]
        if variable in read:
            continue
        guess = _nearest(name, config, read)
        if variable not in config:
            raise InputError(f'the config has no setting {name}{guess}')
        raise InputError(
            f'{name} would change nothing: only the config file itself uses {variable}{guess}'
        )


def _dotted(node, prefix: str = '') -> Iterator[str]:
    """Iterate the full names of the values in nested mappings and lists."""
    if isinstance(node, (list, tuple)) and any(isinstance(each, Mapping) for each in node):
        node = {str(i): each for i, each in enumerate(node)}
    if prefix and (not isinstance(node, Mapping) or not node):
        yield prefix
        return
    for key, value in node.items():
        yield from _dotted(value, f'{prefix}.{key}' if prefix else key)


def _nearest(name: str, config: Config, read: set[str]) -> str:
    settings = [each for each in _dotted(config.to_dict()) if each.split('.')[0] in read]
    names = [*settings, *read]
    same_end = [each for each in names if each.endswith(f'.{name.split(".")[-1]}')]
    # Settings of the network before those of the pipelines, which repeat some of its words.
    same_end.sort(key=lambda each: (not each.startswith('model.'), each.count('.')))
    nearest = dict.fromkeys([*same_end, *difflib.get_close_matches(name, names)])
    return f'; did you mean {" or ".join([*nearest][:3])}?' if nearest else ''


def _of_codec(name: str) -> str | None:
    """Return the setting of the codec that an option means by one of the copies, if it does."""
    words = name.split('.')
    if words[:3] == ['model', 'head', 'decoder']:
        rest = words[3:]
    elif words[0].endswith(('_pipeline', '_dataloader')) and 'encoder' in words:
        rest = words[words.index('encoder') + 1 :]
    else:
        return None
    return '.'.join(['codec', *rest])


def share_codec(cfg: Config) -> None:
    """Copy the config's top-level `codec` to the head and the pipelines, in place.

    These hold copies of it, which MMEngine makes when it reads a config: without this, a setting
    such as `--cfg-options codec.input_size=320,320` would reach none of them. Every step of a
    pipeline that has the input size of the copies gets the new one, such as crop and resize. The
    maps keep their stride if only `input_size` is changed. The convention cannot be changed so:
    the pipelines of the two have other steps.

    Raises:
        InputError: `input_size` is not (w, h), the maps' stride does not divide it, or the
            pipelines are made for another convention.
    """
    codec, head = cfg.get('codec'), cfg.model.get('head') or {}
    pipelines = [
        value for name, value in cfg.items() if name.endswith(('_pipeline', '_dataloader'))
    ]
    steps = list(mappings(pipelines))
    holders = [(step, 'encoder') for step in steps] + [(head, 'decoder')]
    holders = [(holder, key) for holder, key in holders if _same_type(holder.get(key), codec)]
    copies = [holder[key] for holder, key in holders]
    if not copies:
        return
    _check_convention(codec, copies)
    _keep_stride(codec, copies[-1])
    sizes = [_size(each) for each in copies]
    for step in steps:
        if _size(step) and _size(step) in sizes:
            step['input_size'] = _size(codec)
    for holder, key in holders:
        holder[key] = codec


def mappings(node) -> Iterator[dict]:
    """Iterate the steps of a pipeline, in whatever wrapper of datasets, and all other mappings."""
    if isinstance(node, dict):
        yield node
        node = node.values()
    elif not isinstance(node, (list, tuple)):
        return
    for value in node:
        yield from mappings(value)


def _same_type(found, codec) -> bool:
    return isinstance(found, dict) and isinstance(codec, dict) and found['type'] == codec['type']


def _size(node: Mapping, name: str = 'input_size') -> tuple[int, ...]:
    # (w, h) of a step or codec, which a config holds as a tuple or list; () if it has none.
    size = node.get(name)
    return tuple(size) if isinstance(size, (list, tuple)) else ()


def _check_convention(codec: Mapping, copies: Sequence[Mapping]) -> None:
    convention = codec.get('convention', 'paper')
    made_for = {each.get('convention', 'paper') for each in copies} - {convention}
    if made_for:
        raise InputError(
            f'codec.convention is {convention!r}, but the pipelines and the head of the config are '
            f'made for {made_for.pop()!r}: take a config of the other kind, *.py or *_release.py'
        )


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
