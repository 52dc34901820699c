"""Running checks one by one: an error in one is a row of the table, and the next one starts."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import torch

from ..benchmark.budget import OutOfTime, time_limit
from ..errors import describe

OK, FAILED, LEFT_OUT, SEEN = 'ok', 'FAILED', 'left out', 'seen'


class Place(NamedTuple):
    """Where the checks run.

    Attributes:
        device: what is compared with the CPU.
        small: with sizes that a CPU computes in seconds.
    """

    device: torch.device
    small: bool = False


class Finding(NamedTuple):
    """One line of what a check found.

    Attributes:
        what: what was compared or measured.
        value: a difference, or a text.
        limit: the largest value that passes; None if the value is only reported.
        unit: of the value, or a remark.
    """

    what: str
    value: float | int | str
    limit: float | None = None
    unit: str = ''

    def verdict(self) -> str:
        """Judge the value; one that is not a number fails."""
        if self.limit is None:
            return SEEN
        return OK if self.value <= self.limit else FAILED


Check = Callable[[Place], Iterator[Finding]]


class LeftOut(Exception):
    """A check cannot run here, for the reason given."""


@contextmanager
def tf32(convolutions: bool, products: bool) -> Iterator[None]:
    """Allow or forbid TF32 in the block, and restore the setting after it.

    Args:
        convolutions: whether they may.
        products: whether products of matrices may.
    """
    backends = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend, allowed in zip(backends, (convolutions, products)):
            backend.allow_tf32 = allowed
        yield
    finally:
        for backend, allowed in zip(backends, before):
            backend.allow_tf32 = allowed


def exact_products() -> AbstractContextManager:
    """Leave TF32 in a block, so that a GPU computes float32 as a CPU does."""
    return tf32(convolutions=False, products=False)


def default_products() -> AbstractContextManager:
    """Compute in a block as torch does by default: convolutions with TF32, products without."""
    return tf32(convolutions=True, products=False)


def run_checks(
    checks: Mapping[str, Check],
    place: Place,
    budget: float,
    tell: Callable[[dict[str, object]], None] = lambda row: None,
) -> list[dict[str, object]]:
    """Run checks in their order until the time is over.

    Args:
        checks: by name.
        place: where.
        budget: seconds; no check starts after it, and the one that runs is stopped.
        tell: called with every row as soon as it is known.

    Returns:
        Rows of `check`, `what`, `verdict` (`'ok'`, `'FAILED'`, `'left out'` or `'seen'`, which
        is a value without a limit), `value`, `limit`, `unit` and `seconds`.
    """
    rows, end, broken = [], time.monotonic() + budget, ''
    for name, check in checks.items():
        left = end - time.monotonic()
        reason = broken or ('' if left > 0 else f'the budget of {budget:g} s was used up')
        found = (
            [_row(name, 'all', LEFT_OUT, unit=reason)] if reason else _run(name, check, place, left)
        )
        broken = broken or _why_broken(place, found)
        for row in found:
            rows.append(row)
            tell(row)
    return rows


def _run(name: str, check: Check, place: Place, seconds: float) -> list[dict[str, object]]:
    rows, start = [], time.monotonic()

    def lap() -> float:
        nonlocal start
        passed, start = time.monotonic() - start, time.monotonic()
        return passed

    try:
        with time_limit(seconds):
            for finding in check(place):
                rows.append(
                    _row(
                        name,
                        finding.what,
                        finding.verdict(),
                        finding.value,
                        finding.limit,
                        finding.unit,
                        lap(),
                    )
                )
    except LeftOut as reason:
        rows.append(_row(name, 'all' if not rows else 'the rest', LEFT_OUT, unit=str(reason)))
    except OutOfTime:
        rows.append(
            _row(name, 'the rest', LEFT_OUT, unit='stopped at the end of the budget', seconds=lap())
        )
    except Exception as error:  # whatever it is, the other checks can still be run
        rows.append(_row(name, 'error', FAILED, unit=describe(error), seconds=lap()))
    return rows


def _row(
    check: str,
    what: str,
    verdict: str,
    value: object = None,
    limit: object = None,
    unit: str = '',
    seconds: float = 0.0,
) -> dict[str, object]:
    return dict(
        check=check,
        what=what,
        verdict=verdict,
        value=value,
        limit=limit,
        unit=unit,
        seconds=round(seconds, 2),
    )


def _why_broken(place: Place, rows: Sequence[Mapping[str, object]]) -> str:
    # After some errors a CUDA context computes nothing any more.
    if place.device.type != 'cuda' or all(row['what'] != 'error' for row in rows):
        return ''
    try:
        torch.cuda.synchronize(place.device)
        torch.ones(2, device=place.device).sum().item()
    except RuntimeError as error:
        return f'{place.device} answers no more: {str(error).splitlines()[0]}'
    return ''


def failed(rows: Sequence[Mapping[str, object]]) -> bool:
    """Return whether any row failed."""
    return any(row['verdict'] == FAILED for row in rows)
