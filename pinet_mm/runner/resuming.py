"""Which checkpoint of a work folder a training goes on from: the newest that can be used."""

import os
import os.path as osp
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict

from ..checkpoints import Checkpoint, checkpoint_of, read_content, require_checkpoint
from ..environment.printing import one_line
from ..errors import CheckpointError

MOST = 2**32  # seeds and iterations are fewer
# What torch's optimizers keep for each number of a weight.
OF_SHAPE = {
    'acc_delta',
    'exp_avg',
    'exp_avg_sq',
    'exp_inf',
    'max_exp_avg_sq',
    'momentum_buffer',
    'square_avg',
    'sum',
}
NO_OPTIMIZER = dict(param_groups=[None])  # it may be left out, by save_optimizer=False
_SAVED = re.compile(r'.*_\d+\.pth')  # epoch_3.pth, iter_9.pth, best_coco_AP_epoch_3.pth


def candidates(work_dir: str) -> list[str]:
    """Return the checkpoints of a work folder: that of its file `last_checkpoint`, then the newest.

    The first may be missing: the file may name what is gone. In a folder that was moved, its name
    alone counts.
    """
    folder = Path(work_dir)
    files = [file for file in folder.glob('*.pth') if _SAVED.fullmatch(file.name)]
    files.sort(key=lambda file: (file.name.startswith('best_'), -_time(file), file.name))
    paths = [str(file) for file in files]
    last = _named_as_last(folder)
    if last and not osp.isfile(last):
        last = osp.join(work_dir, osp.basename(last))
    return list(dict.fromkeys([*([last] if last else []), *paths]))


def _time(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0


def _named_as_last(folder: Path) -> str | None:
    try:
        named = (folder / 'last_checkpoint').read_bytes()
    except OSError:
        return None
    return os.fsdecode(named).strip().replace('\0', '') or None


def newest_usable(paths: Sequence[str], check: Callable[[Checkpoint], None]) -> str:
    """Return the first of several checkpoints that a training can go on from; log why not others.

    Args:
        paths: the newest first, see `candidates`.
        check: raises a `CheckpointError` for weights that do not fit.

    Raises:
        CheckpointError: none can be used.
    """
    problems = []
    for path in paths:
        try:
            require_state(path, check)
        except CheckpointError as error:
            problems.append(str(error).splitlines()[0])
            continue
        for problem in problems:
            print_log(one_line(f'WARNING: {problem}; resuming from {path}'), 'current')
        return path
    raise CheckpointError(
        'the training cannot be resumed from any checkpoint of its work folder, and none was '
        f'overwritten: {"; ".join(problems)}; to start afresh, name another --work-dir'
    )


def require_state(path: str, check: Callable[[Checkpoint], None]) -> None:
    """Check that a training can go on from a checkpoint.

    Args:
        path: of the file.
        check: raises a `CheckpointError` for weights that do not fit.

    Raises:
        CheckpointError: it cannot be read, does not fit, or holds weights without the state of a
            training.
    """
    require_checkpoint(path)
    content = read_content(path)
    check(checkpoint_of(content, path))
    if not (_has_place(content.get('meta')) and _has_states(content)):
        raise CheckpointError(
            f'the checkpoint {path} holds weights, but no state of a training to resume: start '
            f'from it with --cfg-options load_from={path}'
        )


def check_optimizers(wrapper: OptimWrapper | OptimWrapperDict) -> None:
    """Check what optimizers have loaded; torch compares the number of weights alone.

    Args:
        wrapper: of one optimizer or several.

    Raises:
        ValueError: it is the state of another optimizer, or of weights of another shape.
    """
    several = isinstance(wrapper, OptimWrapperDict)
    for optimizer in [each.optimizer for each in (wrapper.values() if several else [wrapper])]:
        for group in optimizer.param_groups:
            missing = sorted(set(optimizer.defaults) - set(group))
            if missing:
                raise ValueError(
                    f'the state of an optimizer {type(optimizer).__name__} lacks {missing[0]}'
                )
            for weight in group['params']:
                _check_state(optimizer.state.get(weight, {}), weight.shape)


def _check_state(state: object, shape: torch.Size) -> None:
    if not isinstance(state, dict):
        raise ValueError(f'the state of a weight must be a dict; found {state!r}')
    for name in OF_SHAPE & state.keys():
        found = getattr(state[name], 'shape', None)
        if state[name] is not None and found != shape:
            what = state[name] if found is None else tuple(found)
            raise ValueError(f'{name} must have the shape {tuple(shape)}; found {what}')


def _has_place(meta: object) -> bool:
    if not isinstance(meta, dict):
        return False
    counts = [meta.get('epoch'), meta.get('iter'), meta.get('seed') or 0]
    return all(type(each) is int and 0 <= each < MOST for each in counts)


def _has_states(content: dict) -> bool:
    """Return whether message hub, optimizers and schedulers are such as MMEngine loads."""
    hub, schedulers = content.get('message_hub'), content.get('param_schedulers', [])
    known = isinstance(hub, dict) and hub.keys() >= {'log_scalars', 'runtime_info', 'resumed_keys'}
    if not known or not isinstance(schedulers, (dict, list)):
        return False
    optimizer = content.get('optimizer', NO_OPTIMIZER)
    if not isinstance(optimizer, dict):
        return False
    several = [optimizer] if 'param_groups' in optimizer else list(optimizer.values())
    groups = [each.get('param_groups') if isinstance(each, dict) else None for each in several]
    return bool(groups) and all(isinstance(each, list) and each for each in groups)
