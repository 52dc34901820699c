"""Curves of trainings: losses, learning rate and AP, from what MMEngine logs in their folders."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .errors import InputError

STYLES = '-', '--', ':', '-.'
NOT_METRICS = ('data_time', 'time', 'step', 'memory', 'epoch', 'iter')


class Curves(NamedTuple):
    """Curves of a training by name, each a mapping from iteration to value.

    Attributes:
        losses: the total, `loss`, first.
        rates: learning rates.
        metrics: of the validations, in the order of the evaluator.
    """

    losses: dict[str, dict[int, float]]
    rates: dict[str, dict[int, float]]
    metrics: dict[str, dict[int, float]]


def read_curves(folder: str | Path) -> Curves:
    """Read the curves of a work folder; a resumed training goes on where it was resumed.

    Args:
        folder: with `TIME/vis_data/scalars.json` of each start, or one of these.

    Raises:
        InputError: it holds no training's numbers.
    """
    files = sorted({*Path(folder).glob('*/vis_data/scalars.json'), *_own(Path(folder))})
    steps: dict[int, dict] = {}
    for file in files:
        rows = _read(file)
        first = min((row['iter'] for row in rows if _is_of_training(row)), default=None)
        if first is None:
            continue  # an evaluation
        steps = {step: row for step, row in steps.items() if step < first}
        for step, row in _by_iteration(rows):
            steps[step] = {**steps.get(step, {}), **row}
    if not steps:
        raise InputError(
            f'{folder} must be the work folder of a training, with numbers in '
            f'TIME/vis_data/scalars.json; found {len(files)} such files, none with a loss'
        )
    names = list(dict.fromkeys(name for row in steps.values() for name in row))
    losses = sorted(name for name in names if name.startswith('loss'))
    rates = [name for name in names if name == 'lr' or name.endswith('/lr')]
    others = {*losses, *rates, *NOT_METRICS}
    metrics = [name for name in names if name not in others and _is_of_validation(name)]
    return Curves(*(_curves(steps, each) for each in (losses, rates, metrics)))


def _own(folder: Path) -> list[Path]:
    return [each for each in [folder / 'vis_data' / 'scalars.json'] if each.is_file()]


def _read(file: Path) -> list[dict]:
    rows = []
    for line in file.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:  # the last line of a training that was killed
            continue
    return rows


def _is_of_training(row: dict) -> bool:
    return 'iter' in row and any(name.startswith('loss') for name in row)


def _by_iteration(rows: Iterable[dict]) -> Iterable[tuple[int, dict]]:
    """Yield rows with their iteration; a validation's is that of the training before it."""
    last = 0
    for row in rows:
        if _is_of_training(row):
            last = row['iter']
            yield last, row
        else:
            yield last, {f'val {name}': value for name, value in row.items()}


def _is_of_validation(name: str) -> bool:
    return name.startswith('val ') and name.removeprefix('val ') not in NOT_METRICS


def _curves(steps: dict[int, dict], names: Sequence[str]) -> dict[str, dict[int, float]]:
    return {
        name.removeprefix('val '): {
            step: row[name] for step, row in sorted(steps.items()) if _is_number(row.get(name))
        }
        for name in names
    }


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def draw_curves(runs: dict[str, Curves], out: str | Path) -> None:
    """Draw losses, learning rate and AP below one another; of several runs, one curve each.

    Args:
        runs: curves by the name of their run.
        out: file to write; its suffix says how, such as .png or .svg.

    Raises:
        InputError: the suffix is none that can be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), layout='constrained')
    panels = figure.subplots(3, 1, sharex=True)
    for name, run in runs.items():
        for panel, curves in zip(panels, run):
            _draw(panel, curves if len(runs) == 1 else _first(curves, name))
    for panel, title in zip(panels, ('loss', 'learning rate', _title(runs))):
        panel.set_ylabel(title)
        panel.grid(alpha=0.3)
        if panel.lines:
            # Beside the panel, where it hides no curve.
            panel.legend(fontsize='small', loc='upper left', bbox_to_anchor=(1, 1))
    if len(runs) == 1:
        panels[0].set_title(*runs)
    panels[0].set_yscale('log')
    panels[-1].set_xlabel('iteration')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(out, dpi=120)
    except ValueError as error:
        raise InputError(f'--out {out}: {error}') from error


def _first(curves: dict, name: str) -> dict:
    return dict.fromkeys([name], next(iter(curves.values()))) if curves else {}


def _title(runs: dict[str, Curves]) -> str:
    names = dict.fromkeys(name for run in runs.values() for name in [*run.metrics][:1])
    if len(runs) == 1 and names:
        return 'validation'  # of several metrics, which the legend names
    return ', '.join(names) or 'no validation yet'


def _draw(panel, curves: dict[str, dict[int, float]]) -> None:
    for i, (label, values) in enumerate(curves.items()):
        known = {step: value for step, value in values.items() if value != -1}  # COCO's "none"
        if known:
            color, style = _look(len(panel.lines))
            look: dict[str, Any] = dict(color=color, marker='.' if len(known) < 30 else None)
            # The first, the total loss or AP, stands out, and no other hides it.
            look.update(dict(linewidth=2.2, zorder=3) if i == 0 else dict(linewidth=1.2))
            panel.plot([*known], [*known.values()], style, label=label, **look)


def _look(number: int) -> tuple[str, str]:
    """Return color and line style of a curve; no two of the first forty look the same."""
    return f'C{number % 10}', STYLES[number // 10 % len(STYLES)]
