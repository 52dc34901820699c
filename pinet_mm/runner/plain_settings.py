"""Numbers and words of a config that would fail late, in a traceback, or not at all."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmpose.registry import MODEL_WRAPPERS

from ..errors import InputError, check_number

# Setting -> its least value; all are whole numbers.
LEAST = {
    'train_cfg.max_epochs': 1,
    'train_cfg.max_iters': 1,
    'train_cfg.val_interval': 1,
    'train_cfg.val_begin': 0,
    **{f'{name}_dataloader.batch_size': 1 for name in ('train', 'val', 'test')},
    **{f'{name}_dataloader.num_workers': 0 for name in ('train', 'val', 'test')},
    'default_hooks.logger.interval': 1,
    'default_hooks.logger.interval_exp_name': 1,
    'default_hooks.visualization.interval': 1,
    'default_hooks.checkpoint.save_begin': 0,
    'env_cfg.mp_cfg.opencv_num_threads': -1,
    'optim_wrapper.accumulative_counts': 1,
    'default_hooks.checkpoint.interval': -1,
    'default_hooks.checkpoint.max_keep_ckpts': -1,
    'randomness.seed': 0,
    **{f'{name}_dataloader.sampler.seed': 0 for name in ('train', 'val', 'test')},
    'log_processor.window_size': 1,
    'log_processor.num_digits': 0,
    'auto_scale_lr.base_batch_size': 1,
    **{f'{name}_dataloader.prefetch_factor': 1 for name in ('train', 'val', 'test')},
}
MOST = 2**31 - 1  # what is larger overflows in a library
MAPPINGS = (
    'default_hooks',
    'auto_scale_lr',
    'default_hooks.checkpoint',
    'model.backbone.init_cfg',
    'model_wrapper_cfg',
)
TYPES = {
    'load_from': str,
    'work_dir': str,
    'default_scope': str,
    'experiment_name': str,
    'default_hooks.checkpoint.filename_tmpl': str,
    'resume': bool,
}
WORDS = {bool: 'True or False', str: 'a text'}


def find_setting(cfg: Config, name: str) -> Any:
    """Return the setting of a dotted name; None where the config has none.

    Args:
        cfg: as it was read.
        name: such as `env_cfg.mp_cfg`.
    """
    node: Any = cfg
    for word in name.split('.'):
        node = node.get(word) if isinstance(node, Mapping | Config) else None
    return node


def check_plain_settings(cfg: Config) -> None:
    """Check those settings of the tables above that a config has, its hooks and its log level.

    Args:
        cfg: as it was read.

    Raises:
        InputError: one has another type, or is too small.
    """
    for name, least in LEAST.items():
        value = find_setting(cfg, name)
        if value is not None:
            check_number(name, value, least, whole=True)
            _check_largest(name, value)
    for name, kind in TYPES.items():
        value = find_setting(cfg, name)
        if value is not None and not isinstance(value, kind):
            raise InputError(f'{name} must be {WORDS[kind]}; found {value!r}')
    for name in MAPPINGS:
        value = find_setting(cfg, name)
        is_list = name.endswith('init_cfg') and isinstance(value, list | tuple)
        for each in value if is_list else [value]:
            _require_mapping(name, each)
    _check_hooks(cfg.get('custom_hooks') or [])
    _check_pairs(cfg)
    level = cfg.get('log_level', 'INFO')
    if not _is_log_level(level):
        raise InputError(f'log_level must be DEBUG, INFO, WARNING or ERROR; found {level!r}')
    wrapper = find_setting(cfg, 'model_wrapper_cfg.type')
    if wrapper is not None and not isinstance(wrapper, type) and not _is_wrapper(wrapper):
        raise InputError(
            'model_wrapper_cfg.type must be a registered wrapper, such as '
            f'MMDistributedDataParallel; found {wrapper!r}'
        )
    pattern = find_setting(cfg, 'log_processor.mean_pattern')
    if pattern is not None and not _is_pattern(pattern):
        raise InputError(
            f'log_processor.mean_pattern must be a regular expression; found {pattern!r}'
        )


def _is_wrapper(name: object) -> bool:
    # A scope or a module may stand before the name.
    if not isinstance(name, str) or not name:
        return False
    try:
        return isinstance(MODEL_WRAPPERS.get(name), type)
    except RuntimeError:  # no module of that name
        return False


def _check_hooks(hooks: object) -> None:
    if not isinstance(hooks, list | tuple):
        raise InputError(f'custom_hooks must be a list; found {hooks!r}')
    for each in hooks:
        _require_mapping('each of custom_hooks', each)


def _check_largest(name: str, value: int) -> None:
    most = 2**32 - 1 if name.endswith('seed') else MOST
    if value > most:
        raise InputError(f'{name} must be at most {most}; found {value}')


def _is_pattern(pattern: object) -> bool:
    try:
        return isinstance(pattern, str) and re.compile(pattern) is not None
    except re.error:
        return False


def _check_pairs(cfg: Config) -> None:
    """Check settings of which MMEngine takes one only with, or without, another."""
    scaling, loop = cfg.get('auto_scale_lr') or {}, cfg.get('train_cfg')
    if scaling.get('enable') and not scaling.get('base_batch_size'):
        raise InputError(f'auto_scale_lr.enable needs base_batch_size; found {dict(scaling)}')
    if isinstance(loop, Mapping) and {'type', 'by_epoch'} <= loop.keys():
        raise InputError(f'train_cfg must have type or by_epoch, not both; found {dict(loop)}')
    compiled = cfg.get('compile')
    if not isinstance(compiled, (bool, Mapping, type(None))):
        raise InputError(f'compile must be True, False or a mapping; found {compiled!r}')


def _require_mapping(name: str, value: object) -> None:
    if value is not None and not isinstance(value, Mapping | Config | Hook):
        raise InputError(f'{name} must be a mapping; found {value!r}')


def _is_log_level(level) -> bool:
    if isinstance(level, str):
        return isinstance(logging.getLevelName(level), int)
    return isinstance(level, int) and not isinstance(level, bool) and level >= 0
