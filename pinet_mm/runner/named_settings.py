"""Settings whose names say what they are, wherever they stand in a config.

What MMEngine and torch build takes text for them, and fails in the middle of a training, or counts
every text as true.
"""

import inspect
import math
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from mmengine.config import Config
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from ..configs import OF_RUNNER
from ..errors import InputError, a_number

YES_NO = set(
    'amsgrad broadcast_buffers by_epoch convert_to_iter_based cudnn_benchmark deterministic '
    'diff_rank_seed drop_last enable find_unused_parameters foreach fp16 fused ignore_last '
    'maximize nesterov persistent_workers pin_memory round_up save_last save_optimizer '
    'save_param_scheduler show shuffle verbose'.split()
)
NUMBERS = set(
    'betas bias_decay_mult bias_lr_mult clip_value dampening decay_mult dwconv_decay_mult '
    'end_factor eps eta_min factor flat_decay_mult gamma kpt_thr lr lr_mult max_norm milestones '
    'momentum norm_decay_mult power start_factor wait_time weight_decay'.split()
)
TEXTS = set('collect_dir out_dir prefix save_dir'.split())
CHOICES = dict(collect_device=('cpu', 'gpu', 'npu', 'mlu', 'musa'))
# Where numbers have to be finite; those of a model and of data are what their classes take.
FINITE = ('custom_hooks', 'default_hooks', 'optim_wrapper', 'param_scheduler')
LIMITS = ('clip_value', 'max_norm')  # infinite where gradients are measured alone
# Descriptions of keypoints, whose `type` is a word of their own.
DESCRIPTIONS = ('dataset_info', 'layout', 'metainfo')
CLIPPING = dict(norm=clip_grad_norm_, value=clip_grad_value_)


def check_named_settings(cfg: Config) -> None:
    """Check the kinds of the settings in the tables above, every `type`, and `clip_grad`.

    Args:
        cfg: as it was read.

    Raises:
        InputError: a setting is of another kind, a `type` is neither the name of a class nor a
            class, or gradients cannot be clipped by the settings.
    """
    for name, value in _settings({key: cfg.get(key) for key in cfg if key in OF_RUNNER}):
        word = name.rpartition('.')[2]
        _check_kind(name, word, value)
        if word == 'type' and not (callable(value) or isinstance(value, str) and value):
            raise InputError(f'{name} must be the name of a class; found {value!r}')
        if word == 'init_cfg' and isinstance(value, Mapping) and 'type' not in value:
            raise InputError(f'{name} must have a type; found {dict(value)}')
        if word == 'clip_grad' and isinstance(value, Mapping):
            _check_clipping(name, value)


def _check_kind(name: str, word: str, value: Any) -> None:
    if word in YES_NO and isinstance(value, str | int | float | list) and value not in (0, 1):
        raise InputError(f'{name} must be True or False; found {value!r}')
    if word in NUMBERS:
        _check_numbers(name, value, name.startswith(FINITE) and word not in LIMITS)
    if word in TEXTS and not isinstance(value, str | PurePath | None):
        raise InputError(f'{name} must be a text; found {value!r}')
    if word in CHOICES and value not in CHOICES[word]:
        raise InputError(f'{name} must be one of {", ".join(CHOICES[word])}; found {value!r}')


def _settings(node: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Iterate the full names and values of all settings, those of lists by their number."""
    if isinstance(node, list | tuple):
        node = {str(place): each for place, each in enumerate(node)}
    for key, value in node.items() if isinstance(node, Mapping) else ():
        if key not in DESCRIPTIONS:
            yield f'{prefix}{key}', value
            yield from _settings(value, f'{prefix}{key}.')


def _check_numbers(name: str, value: Any, finite: bool) -> None:
    """Check a value, or all in a list, that may be numbers; nothing may stand for a default."""
    for each in value if isinstance(value, list | tuple) else [value]:
        is_bad = isinstance(each, str) or (finite and isinstance(each, bool))
        if is_bad or (finite and isinstance(each, float) and not math.isfinite(each)):
            raise InputError(f'{name} must be {a_number(each)}, or several; found {value!r}')


def _check_clipping(name: str, settings: Mapping) -> None:
    kind = settings.get('type', 'norm')
    if kind not in CLIPPING:
        raise InputError(f'{name}.type must be norm or value; found {kind!r}')
    known = [*inspect.signature(CLIPPING[kind]).parameters][1:]
    unknown = sorted(set(settings) - {*known, 'type'})
    if unknown:
        raise InputError(f'{name} has the unknown keys {unknown}; known are {known}')
    if known[0] not in settings:
        raise InputError(f'{name} must have {known[0]}; found {dict(settings)}')
    limit = settings[known[0]]
    if not isinstance(limit, int | float) or not limit > 0:  # NaN is not
        raise InputError(f'{name}.{known[0]} must be {a_number(limit)} above 0; found {limit!r}')
