"""The plot of the scaling."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from .report import Table
from .scaling import GROUPS

COLORS = dict(input='#8c8c8c', network='#3b6ea5', refinement='#e0952c', decoding='#b5353a')


def plot_scaling(tables: Sequence[Table], path: Path) -> Figure:
    """Draw a panel for each table of `bench_scaling`: ms per image, stacked, and peak memory.

    Args:
        tables: of `bench_scaling`.
        path: of the PNG.
    """
    figure = Figure(figsize=(4.2 * len(tables), 3.6), layout='constrained')
    for panel, table in zip(figure.subplots(1, len(tables), squeeze=False)[0], tables):
        axis = next(iter(table.rows[0]))
        places, below = range(len(table.rows)), [0.0] * len(table.rows)
        for group, stages in GROUPS.items():
            share = [
                row['per image'] / row['all'] * sum(row[stage] for stage in stages)
                for row in table.rows
            ]
            panel.bar(places, share, 0.6, below, label=group, color=COLORS[group])
            below = [low + high for low, high in zip(below, share)]
        panel.set_xticks(places, [str(row[axis]) for row in table.rows])
        panel.set(xlabel=axis, ylabel='ms per image')
        memory = panel.twinx()
        peaks = [row['peak MB'] for row in table.rows]
        memory.plot(places, peaks, 'k.--', label='peak memory')
        memory.set(ylabel='peak MB', ylim=(0, 1.1 * max(peaks)))
    figure.legend(
        *map(
            sum,
            zip(panel.get_legend_handles_labels(), memory.get_legend_handles_labels()),
            [[], []],
        ),
        loc='outside lower center',
        ncols=len(GROUPS) + 1,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return figure
