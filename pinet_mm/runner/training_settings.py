"""Settings of optimizers, schedules and checkpoints that MMEngine takes and that make no sense."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ..datasets.wrapped import bare_name
from ..errors import InputError, check_number
from .plain_settings import find_setting

RULES = ('greater', 'less')
SYNC_BN = ('torch', 'mmcv')
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
# What torch and MMEngine know, and the devices of such as cpu:gloo,cuda:nccl.
BACKENDS = set('cncl cpu cuda gloo hccl mccl mlu mpi musa nccl npu smddp ucc xccl xpu'.split())
# Of optim_wrapper.paramwise_cfg, which takes every key and reads these alone.
PARAMWISE = (
    'bias_decay_mult',
    'bias_lr_mult',
    'bypass_duplicate',
    'custom_keys',
    'dcn_offset_lr_mult',
    'dwconv_decay_mult',
    'flat_decay_mult',
    'norm_decay_mult',
)
# Group of settings -> the keys that are read; others are passed over.
KNOWN = {
    'env_cfg': ('cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'),
    'env_cfg.mp_cfg': ('mp_start_method', 'opencv_num_threads'),
}
OF_HOOKS = {'backend_args', 'by_epoch', 'file_client_args', 'meta', 'priority', 'type'}


def check_training_settings(cfg: Config) -> None:
    """Check processes, optimizer, schedules and the hook that saves.

    Args:
        cfg: as it was read.

    Raises:
        InputError: a word is none of those that are known, a number has no meaning, or a key is
            read by nobody.
    """
    for name, keys in KNOWN.items():
        _require_known(name, find_setting(cfg, name), keys)
    _check_processes(cfg)
    _check_compiling(cfg.get('compile'))
    _check_optimizer(cfg.get('optim_wrapper'))
    schedules = cfg.get('param_scheduler') or []
    # One may stand without a list.
    one = {'param_scheduler': schedules} if isinstance(schedules, Mapping) else {}
    several = {f'param_scheduler.{place}': each for place, each in enumerate(schedules)}
    for name, each in (one or several).items():
        if isinstance(each, Mapping):
            _check_schedule(name, each)
    hook = find_setting(cfg, 'default_hooks.checkpoint')
    if isinstance(hook, Mapping):
        _check_saving('default_hooks.checkpoint', hook)


def _check_processes(cfg: Config) -> None:
    _require_word('launcher', cfg.get('launcher'), LAUNCHERS)
    _require_word('sync_bn', cfg.get('sync_bn') or None, SYNC_BN)
    settings = find_setting(cfg, 'env_cfg.dist_cfg') or {}
    backend, timeout = settings.get('backend'), settings.get('timeout')
    known = isinstance(backend, str) and set(re.split('[:,]', backend)) <= BACKENDS
    if backend is not None and not known:
        raise InputError(
            f'env_cfg.dist_cfg.backend must be gloo, nccl or another of torch; found {backend!r}'
        )
    if timeout is not None:
        check_number('env_cfg.dist_cfg.timeout', timeout, 0, above=True)


def _check_compiling(settings: Any) -> None:
    if not isinstance(settings, Mapping):
        return
    backend, mode = settings.get('backend'), settings.get('mode')
    if isinstance(backend, str) and backend not in torch.compiler.list_backends(()):
        raise InputError(
            f'compile.backend must be inductor, or another of torch; found {backend!r}'
        )
    if mode is not None:
        from torch import _inductor  # not before it is needed

        _require_word('compile.mode', mode, _inductor.list_mode_options())


def _check_optimizer(wrapper: Any) -> None:
    settings = wrapper.get('paramwise_cfg') if isinstance(wrapper, Mapping) else None
    # Constructors that a user names have keys of their own.
    if isinstance(settings, Mapping) and not wrapper.get('constructor'):
        _require_known('optim_wrapper.paramwise_cfg', settings, PARAMWISE)


def _check_schedule(name: str, settings: Mapping) -> None:
    begin, end = settings.get('begin', 0), settings.get('end')
    check_number(f'{name}.begin', begin, 0)
    if end is not None:
        check_number(f'{name}.end', end, 0)
        if end <= begin:
            raise InputError(f'{name}.end must be above its begin; found {end} and {begin}')
    steps = settings.get('milestones', ())
    if not isinstance(steps, list | tuple):
        raise InputError(f'{name}.milestones must be a list of numbers; found {steps!r}')
    is_whole = not settings.get('convert_to_iter_based')  # else parts of an epoch are some steps
    for step in steps:
        check_number(f'each of {name}.milestones', step, 0, whole=is_whole)
    for key in ('gamma', 'factor', 'start_factor', 'end_factor'):
        if settings.get(key) is not None:
            check_number(f'{name}.{key}', settings[key], 0)


def _check_saving(name: str, hook: Mapping) -> None:
    for key, meaning in dict(interval='never', max_keep_ckpts='all').items():
        if hook.get(key) == 0:
            raise InputError(f'{name}.{key} must be at least 1, or -1 for {meaning}; found 0')
    rules = hook.get('rule')
    for rule in rules if isinstance(rules, list | tuple) else [rules]:
        _require_word(f'{name}.rule', rule, RULES)
    template = hook.get('filename_tmpl')
    if template is not None and not _numbers_a_file(template):
        raise InputError(
            f'{name}.filename_tmpl must be the name of a file in which {{}} stands for the number, '
            f'as in epoch_{{}}.pth; found {template!r}'
        )
    if bare_name(hook) == 'CheckpointHook':
        functions = (CheckpointHook.__init__, Runner.save_checkpoint)
        keys = {key for each in functions for key in inspect.signature(each).parameters}
        _require_known(name, hook, (keys | OF_HOOKS) - {'self', 'kwargs', 'filename'})


def _numbers_a_file(template: Any) -> bool:
    try:
        name = template.format(7)
    except (AttributeError, IndexError, KeyError, ValueError):
        return False
    return name != template.format(8) and not set(name) & set('/\\\0\n')


def _require_word(name: str, found: Any, known: Iterable[str]) -> None:
    if found is not None and found not in known:
        raise InputError(f'{name} must be {" or ".join(known)}; found {found!r}')


def _require_known(name: str, settings: Any, keys: Iterable[str]) -> None:
    unknown = sorted(set(settings) - set(keys)) if isinstance(settings, Mapping) else []
    if unknown:
        raise InputError(f'{name} has the unknown keys {unknown}; known are {sorted(keys)}')
