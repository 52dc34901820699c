"""What may be added to the method against the base row: gains and costs in one table."""

from collections.abc import Iterator

import numpy as np

from ..tables import to_markdown
from .claims import compare
from .pinet2 import ALL, BASE, PAPER, STUDIES
from .results import rows_of
from .variants import SCORED, Rows

METRICS = ('AP', 'AP50', 'AP75', 'AP_hard', 'recall_near_any')
_TESTS = ('fusion', *SCORED)
_MORE = ('score of expected OKS', 'fusion by uncertainty')  # each test has one more
HEADS = ('', 'AP', 'AP50', 'AP75', 'hard', 'recall near another', 'parameters', 'ms')


def tell_gains(results: dict) -> str:
    """Return the table of the rows of PINet-2, empty if the results have none of them.

    The base in hundredths, the others as differences that are paired over folds, with their
    standard errors. Parameters in thousands, milliseconds of one thread per image.

    Args:
        results: content of a results file.
    """
    name = max(STUDIES, key=lambda name: _done(results, STUDIES[name]))
    if name == PAPER or f'{BASE}/0' not in results['rows']:
        return ''
    cells = [
        list(_cells(results, name, test))
        for name in dict(STUDIES[name])
        for test in ('fusion', *SCORED)
        if test == 'fusion' or ALL[name].scored
    ]
    return f'## Against {ALL[BASE].title}\n\n{to_markdown(HEADS, cells)}\n'


def _done(results: dict, rows: Rows) -> tuple[int, float]:
    # Rows of a study that are there, and their share of its variants: studies have rows in common.
    count = sum(f'{name}/{seed}' in results['rows'] for name, seed in rows)
    return count, count / len(dict(rows))


def _cells(results: dict, name: str, test: str) -> Iterator[str]:
    yield ', '.join((ALL[name].title, *_MORE[: _TESTS.index(test)]))
    tests = [row['tests'][test] for row in rows_of(results, name) if test in row['tests']]
    if not tests:
        yield from ['not run'] + [''] * (len(HEADS) - 2)
        return
    for metric in METRICS:
        if (name, test) == (BASE, 'fusion'):
            yield f'{100 * np.mean([each["metrics"][metric]["all"] for each in tests]):.1f}'
        else:
            gain = compare(results, (name, test), (BASE, 'fusion'), metric)
            yield f'{gain.mean:+.1f} ± {gain.error:.1f}' if gain else ''
    yield f'{tests[0]["parameters"] / 1000:.0f} k' if 'parameters' in tests[0] else ''
    yield f'{1000 / np.mean([each["images_per_second"] for each in tests]):.0f}'
