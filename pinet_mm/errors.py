"""The errors that are meant for users: the tools answer them with one sentence, no traceback."""

import math
from typing import Any


class RunError(RuntimeError):
    """A run that cannot start or go on, for a reason that one sentence explains."""


class InputError(ValueError):
    """An option, a setting of a config or a file of the user that is not what is expected.

    The message names the offender, what is expected and what was found. Every other ValueError is
    a programming error, which keeps its traceback.
    """


class CheckpointError(InputError, RunError):
    """A checkpoint that is missing, cannot be read, has foreign names or does not fit a network.

    The file is not what is expected, and so the run cannot start: it is caught as either.
    """


class Stopped(KeyboardInterrupt):
    """A run that was stopped by a signal.

    Args:
        number: of the signal.
        message: one sentence for the user.
    """

    def __init__(self, number: int, message: str):
        super().__init__(message)
        self.number = number


class NotInstalledError(ModuleNotFoundError, RunError):
    """A package that is not installed; the message names the command that brings it."""


def check_number(
    name: str, value: Any, least: float = -math.inf, whole: bool = False, above: bool = False
) -> None:
    """Check a number that a config sets.

    Args:
        name: of the setting.
        value: what was found.
        least: the smallest it may be.
        whole: it must be an integer.
        above: it must be above `least`.

    Raises:
        InputError: it is not a finite number of this kind, or too small.
    """
    kinds = (int,) if whole else (int, float)
    fits = is_number(value, kinds) and math.isfinite(value)
    if not fits or value < least or (above and value == least):
        kind = 'a whole number' if whole else a_number(value)
        bound = '' if least == -math.inf else f' {"above" if above else "of at least"} {least:g}'
        raise InputError(f'{name} must be {kind}{bound}; found {value!r}')


def is_number(value: Any, kinds: tuple[type, ...] = (int, float)) -> bool:
    """Return whether a value is a number of one of these kinds, and not NaN."""
    # bool is a kind of int; NaN is not equal to itself.
    return isinstance(value, kinds) and not isinstance(value, bool) and bool(value == value)


def a_number(found: Any) -> str:
    """Return 'a finite number' for NaN and infinities, 'a number' for anything else."""
    return 'a number' if not isinstance(found, float) or math.isfinite(found) else 'a finite number'
