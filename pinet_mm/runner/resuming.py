"""Which checkpoint of a work folder a training goes on from: the newest that can be used."""

import os
import os.path as osp
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.logging import print_log

from ..checkpoints import Checkpoint, checkpoint_of, read_content, require_checkpoint
from ..errors import CheckpointError

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
            print_log(f'WARNING: {problem}; resuming from {path}', 'current')
        return path
    raise CheckpointError(
        f'no checkpoint here can be resumed from, and none was overwritten: {"; ".join(problems)}; '
        'to start afresh, name another --work-dir'
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
    meta = content.get('meta')
    place = [meta.get(name) for name in ('epoch', 'iter')] if isinstance(meta, dict) else []
    has_place = place and all(isinstance(each, int) for each in place)
    if not has_place or not isinstance(content.get('message_hub'), dict):
        raise CheckpointError(
            f'the checkpoint {path} holds weights, but no state of a training to resume: start '
            f'from it with --cfg-options load_from={path}'
        )
