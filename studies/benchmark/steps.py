"""Steps of a benchmark with a budget: an error in one leaves it out, and the next one starts."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pinet_mm.errors import InputError

import torch

from ..errors import describe
from .budget import OutOfTime, time_limit


class Step(NamedTuple):
    """A piece of the benchmark.

    Attributes:
        name: in the list of what was left out.
        table: that its rows belong to.
        rows: computes them, one after the other.
    """

    name: str
    table: str
    rows: Callable[[], Iterator[dict[str, object]]]


def choose(steps: Iterable[Step], words: Sequence[str]) -> list[Step]:
    """Return the steps whose name contains one of the words, in the words' order, or all.

    Args:
        steps: to choose from.
        words: none for all steps.

    Raises:
        InputError: no step has a word in its name.
    """
    steps = list(steps)
    for word in words:
        if not any(word in step.name for step in steps):
            known = '; '.join(dict.fromkeys(step.name for step in steps))
            raise InputError(f'no step has {word!r} in its name; there are: {known}')
    return [step for word in words for step in steps if word in step.name] if words else steps


def run_step(step: Step, seconds: float, rows: list[dict], tell: Callable[[str], None]) -> str:
    """Run a step, and return why it or the rest of it is left out, or nothing.

    Args:
        step: to run.
        seconds: that are left for it.
        rows: gets its rows.
        tell: called with a line about every row.
    """
    if seconds <= 0:
        return 'the budget was used up'
    try:
        with time_limit(seconds):
            for row in step.rows():
                rows.append(row)
                tell(
                    f'{step.table}: '
                    + ', '.join(f'{key} {_short(value)}' for key, value in row.items())
                )
    except OutOfTime:
        return 'stopped at the end of the budget'
    except Exception as error:  # the other steps can still tell something
        return describe(error, 300)
    finally:
        _free_memory()
    return ''


def _free_memory() -> None:
    # Of graphs and batches of other sizes.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _short(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
