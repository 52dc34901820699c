"""Settings whose names say what they are, wherever they stand in a config.

What MMEngine and torch build takes text for them, and fails in the middle of a training, or counts
every text as true.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from ..configs import OF_RUNNER
from ..errors import InputError

YES_NO = set(
    'amsgrad by_epoch cudnn_benchmark deterministic diff_rank_seed drop_last enable '
    'find_unused_parameters fp16 persistent_workers pin_memory save_last save_optimizer '
    'save_param_scheduler shuffle'.split()
)
NUMBERS = set(
    'betas clip_value end_factor eta_min factor gamma max_norm milestones power '
    'start_factor'.split()
)
# Descriptions of keypoints, whose `type` is a word of their own.
DESCRIPTIONS = ('dataset_info', 'layout', 'metainfo')
CLIPPING = dict(norm=clip_grad_norm_, value=clip_grad_value_)


def check_named_settings(cfg: Config) -> None:
    """Check the kinds of the settings in `YES_NO` and `NUMBERS`, every `type`, and `clip_grad`.

    Args:
        cfg: as it was read.

    Raises:
        InputError: a number or a yes or no is text, a `type` is neither the name of a class nor a
            class, or gradients cannot be clipped by the settings.
    """
    for name, value in _settings({key: cfg.get(key) for key in cfg if key in OF_RUNNER}):
        word = name.rpartition('.')[2]
        if word in YES_NO and isinstance(value, str):
            raise InputError(f'{name} must be True or False; found {value!r}')
        if word in NUMBERS and _has_text(value):
            raise InputError(f'{name} must be a number, or several; found {value!r}')
        if word == 'type' and not (callable(value) or isinstance(value, str) and value):
            raise InputError(f'{name} must be the name of a class; found {value!r}')
        if word == 'init_cfg' and isinstance(value, Mapping) and 'type' not in value:
            raise InputError(f'{name} must have a type; found {dict(value)}')
        if word == 'clip_grad' and isinstance(value, Mapping):
            _check_clipping(name, value)


def _settings(node: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Iterate the full names and values of all settings, those of lists by their number."""
    if isinstance(node, list | tuple):
        node = {str(place): each for place, each in enumerate(node)}
    for key, value in node.items() if isinstance(node, Mapping) else ():
        if key not in DESCRIPTIONS:
            yield f'{prefix}{key}', value
            yield from _settings(value, f'{prefix}{key}.')


def _has_text(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(each, str) for each in values)


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
