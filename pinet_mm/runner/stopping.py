"""A run that is stopped from outside: Ctrl-C, SIGTERM, a full disk, a dead data worker."""

import errno
import os.path as osp
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.runner import Runner

from ..errors import RunError, Stopped
from .resuming import candidates
from .workers import death_of_process, memory_is_full

# What torch says of weights without a gradient, in the iteration after.
UNUSED = 'Expected to have finished reduction in the prior iteration'


@contextmanager
def saying_how_to_go_on(runner: Runner, command: str | None = None) -> Iterator[None]:
    """Answer a signal, a full disk or a dead data worker with one sentence: how to go on.

    Args:
        runner: of the training.
        command: the command line that goes on with it, if there is one.

    Raises:
        Stopped: a signal came.
        RunError: the disk or the memory is full, a process died, or weights that other processes
            wait for got no gradient.
    """
    try:
        with ending_by_signal():
            yield
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        raise Stopped(number, _advice(runner, command)) from None
    except (OSError, EOFError, MemoryError, RuntimeError) as error:
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = f'{error.strerror}: make room' if is_full else _reason(error)
        if reason is None:
            raise
        raise RunError(f'{reason}; {_advice(runner, command)}') from error


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """Let SIGTERM end what is inside as Ctrl-C does, by an exception; outside the main thread not.

    Raises:
        Stopped: the signal came.
    """
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if in_main else None
    try:
        yield
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)


def _reason(error: BaseException) -> str | None:
    if memory_is_full(error):
        said = (str(error).strip().splitlines() or ['MemoryError'])[0][:200]
        return f'the memory is full ({said}): train_dataloader.batch_size sets how much is needed'
    if UNUSED in str(error):
        return (
            'some weights got no gradient, and the other processes wait for it: '
            '--cfg-options find_unused_parameters=True allows that'
        )
    return death_of_process(error)


def _terminate(number: int, frame: object) -> None:
    raise Stopped(number, signal.Signals(number).name)


def _advice(runner: Runner, command: str | None) -> str:
    iteration, saved = runner.iter, candidates(runner.work_dir)
    if not saved:
        return f'stopped at iteration {iteration}; no checkpoint was saved yet'
    newest = next(filter(osp.isfile, saved), saved[0])  # the first may be gone
    how = f'by: {command}' if command else 'with --resume'
    return f'stopped at iteration {iteration}; go on from {newest} {how}'
