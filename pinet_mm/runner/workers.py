"""Processes that die: those that load data, and others of a distributed run; in a sentence."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from ..errors import RunError

# What torch says: of a signal that it saw itself, or that it found the process gone.
_DEATH = re.compile(
    r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: (\w+))?'
)
_CAUSES = {
    'Killed': 'killed, as the system does where memory runs out: fewer processes need less',
    'Bus': 'a bus error, as where /dev/shm is too small: enlarge it (docker run --shm-size)',
    'Segmentation': 'a segmentation fault in a library that reads images or annotations',
    'Terminated': 'terminated from outside',
}
# What gloo, the store and NCCL say where another process is gone or does not answer. Loaders and
# files have timeouts of their own, in other words.
_LOST = re.compile(
    'Connection (?:closed|reset) by peer|Timed out waiting|Timeout waiting for key|'
    '(?:[Ww]ait|Read|Write|Connect|Socket|operation) [Tt]imeout|socket has timed out|'
    'timed out connecting|Operation timed out|NCCL.*(?:aborted|remote process exited)'
)
# What reading from a process that loads data raises, where its death is not known yet.
BROKEN = (ConnectionResetError, ConnectionRefusedError, EOFError)
PATIENCE = 5.0  # seconds, after which it must be known


# What torch and Python raise where the memory of GPU or computer is full.
_FULL = re.compile(r"out of memory|can't allocate memory|Unable to allocate")


def memory_is_full(error: BaseException) -> bool:
    """Return whether an error says that no memory is left."""
    full = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, full) or bool(_FULL.search(str(error)))


@contextmanager
def naming_dead_workers() -> Iterator[None]:
    """Answer the death of a process that loads data, or of another of this run, with one sentence.

    Raises:
        RunError: one died.
    """
    try:
        yield
    except (RuntimeError, *BROKEN) as error:
        death = death_of_process(error)
        if death is None:
            raise
        raise RunError(death) from error


def death_of_process(error: BaseException) -> str | None:
    """Return which process died, if an error says that one did: see `death_of_worker`.

    Args:
        error: what torch raised, or one of `BROKEN`.
    """
    if isinstance(error, BROKEN):
        error = _await_death() or error
    lost = distributed.is_available() and distributed.is_initialized() and _LOST.search(str(error))
    if not lost:
        return death_of_worker(error)
    return (
        'another process of this run ended or does not answer '
        f'({str(error).strip().splitlines()[0][:200]}); the reason is in what that one printed'
    )


def _await_death() -> RuntimeError | None:
    # torch hears of it by a signal, whose handler raises here.
    try:
        time.sleep(PATIENCE)
    except RuntimeError as error:
        return error
    return None


def death_of_worker(error: BaseException | None) -> str | None:
    """Return of what a process that loads data died, if an error says that one did.

    Args:
        error: what torch raised; what it was raised from counts as well.
    """
    said: dict[str, str | None] = {}
    while error is not None:
        found = _DEATH.search(str(error))
        if found:
            said[found[1]] = found[2] or said.get(found[1])
        error = error.__cause__ or error.__context__
    if not said:
        return None
    signals = [name for name in said.values() if name]
    cause = _CAUSES.get(signals[0], f'signal {signals[0]}') if signals else 'it ended by itself'
    return (
        f'a process that loads data died (pid {", ".join(said)}): {cause}; set their number with '
        '--cfg-options train_dataloader.num_workers=N (or val_, test_)'
    )
