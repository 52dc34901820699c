"""Timing of functions against each other, and tables of the results."""

import statistics
import time
from typing import Callable, Dict, List, Mapping, Sequence


def processor_times(functions: Mapping[str, Callable[[], object]], repeats: int = 7,
                    least: float = 0.02) -> Dict[str, float]:
    """Measure the processor time of a call of every function, in milliseconds.

    The functions take turns, so that a change of the machine's pace meets all alike. In a turn a
    fast function is called until `least` seconds have passed, and its calls are averaged.

    Args:
        functions: what is called, by name, without arguments.
        repeats: turns; the median of them is returned.
        least: seconds a turn.

    Raises:
        ValueError: `repeats` is below 1.
    """
    if repeats < 1:
        raise ValueError(f'repeats must be at least 1; found {repeats}')
    calls = {name: _calls_for(function, least) for name, function in functions.items()}
    times: Dict[str, List[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(_time(function, calls[name]) / calls[name])
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def _calls_for(function: Callable[[], object], least: float) -> int:
    function()  # the first call loads what later ones find loaded
    return max(1, int(least / max(_time(function, 1), 1e-6)))


def _time(function: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        function()
    return time.process_time() - start


def to_markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Format rows that share their keys as a table, numbers with three digits.

    Args:
        rows: at least one; the keys of the first are the header.
    """
    header = list(rows[0])
    lines = [header, ['---'] * len(header), *([_format(row[key]) for key in header]
                                              for row in rows)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _format(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:#.3g}'
