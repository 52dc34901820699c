"""What may be added to the method against the base row: gains and costs in one table."""

from collections.abc import Iterator

from ..tables import to_markdown
from .claims import compare
from .pinet2 import ALL, BASE, STUDIES

METRICS = ('AP', 'AP50', 'AP75', 'AP_hard', 'recall_near_any')
HEADS = ('', 'AP', 'AP50', 'AP75', 'hard', 'recall near another', 'parameters', 'ms')


def tell_gains(results: dict) -> str:
    """Return the table of the rows of PINet-2, empty if the results have none of them.

    The base in hundredths, the others as differences that are paired over folds, with their
    standard errors. Parameters in thousands, milliseconds of one thread per image.

    Args:
        results: content of a results file.
    """
    rows = STUDIES['pinet2']
    if not any(f'{name}/{seed}' in results['rows'] for name, seed in rows if name != BASE):
        return ''
    cells = [list(_cells(results, name, seed)) for name, seed in rows]
    return f'## Against {ALL[BASE].title}\n\n{to_markdown(HEADS, cells)}\n'


def _cells(results: dict, name: str, seed: int) -> Iterator[str]:
    yield ALL[name].title
    row = results['rows'].get(f'{name}/{seed}')
    if row is None:
        yield from ['not run'] + [''] * (len(HEADS) - 2)
        return
    test = row['tests']['fusion']
    for metric in METRICS:
        if name == BASE:
            yield f'{100 * test["metrics"][metric]["all"]:.1f}'
        else:
            gain = compare(results, (name, 'fusion'), (BASE, 'fusion'), metric)
            yield f'{gain.mean:+.1f} ± {gain.error:.1f}' if gain else ''
    yield f'{test["parameters"] / 1000:.0f} k' if 'parameters' in test else ''
    yield f'{1000 / test["images_per_second"]:.0f}'
