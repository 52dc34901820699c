"""Sentences on a model, and on what it found."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..environment.printing import print_line
from ..errors import RunError
from ..inference.nobody import explain_nobody
from ..inference.runs.report import Report

if TYPE_CHECKING:
    from ..inference.sources.items import Source

MOST_NAMES = 20  # of inputs that cannot be read; predictions.json has all


def announce(weights: str | Path, warning: str = '') -> None:
    """Print which model runs and what it knows; warn on stderr if it knows no photos.

    Args:
        weights: its file.
        warning: what the file itself says to mind.
    """
    from ..onnx_runner import describe

    line, described = describe(weights)
    print_line(line)
    if described or warning:
        print_line(f'warning: {described or warning}', to_stderr=True)


def warn_of_problems(sources: Sequence['Source']) -> None:
    """Warn on stderr, before a model is loaded, of inputs that are known not to be readable.

    Args:
        sources: see `find_sources`.
    """
    problems = [source.problem for source in sources if source.problem]
    for line in _first(problems):
        print_line(f'warning: {line}', to_stderr=True)


def _first(names: Sequence[str]) -> list[str]:
    more = [f'and {len(names) - MOST_NAMES} more'] if len(names) > MOST_NAMES else []
    return [*names[:MOST_NAMES], *more]


def tell(report: Report, short_side: int | None = None) -> None:
    """Print how many images took how long, where the results are, and what was not found.

    Args:
        report: what came of the images.
        short_side: to which images were resized, if that was chosen.

    Raises:
        RunError: there are files among the inputs that cannot be read; all others are done.
    """
    print_line(summary(report))
    print(explain_nobody(report.best_scores, report.pose_thr, short_side), end='')
    if report.unreadable:
        count = len(report.unreadable)
        what = '1 input' if count == 1 else f'{count} inputs'
        raise RunError(f'{what} cannot be read: {", ".join(_first(report.unreadable))}')


def summary(report: Report) -> str:
    """Return a line on how many images took how long, and where the results are."""
    if not report.is_written:
        folder = report.json.parent
        return f'no image could be read: what an earlier run wrote into {folder} is left as it was'
    speed = f'{report.images / max(report.seconds, 1e-9):.1f} images/s'
    if 0 < report.images < report.seconds:
        speed = f'{report.seconds / report.images:.1f} s per image'
    images = '1 image' if report.images == 1 else f'{report.images} images'
    written = (
        f'overlays and {report.json.name} are' if report.has_overlays else f'{report.json.name} is'
    )
    return f'{images} in {report.seconds:.1f} s ({speed}); {written} in {report.json.parent}'
