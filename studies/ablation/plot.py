"""The plot of a results file: bars for the main rows, hatched where a score was added."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .pinet2 import ALL, FULL, PINET2
from .results import NEAR_METRICS, SEEN_METRICS, tests_of

MAIN = (
    'one-centre',
    'two-parts',
    'three-parts',
    'three-parts_no-refinement',
    'release',
    'cid',
    'dekr',
    *FULL,
    *PINET2,
)
# Of what was trained on a row besides: the hatch of its bars, and the legend.
SCORED_BARS = {
    'score': ('..', 'with a score of expected OKS'),
    'score_uncertainty': ('///', 'with a score of expected OKS and fusion by uncertainty'),
}


class Bar(NamedTuple):
    """A bar of each group.

    Attributes:
        variant: its name.
        scored: the key of `SCORED_BARS` that it was tested as, empty without a score.
        tests: of all seeds.
    """

    variant: str
    scored: str
    tests: list[dict]


def plot(results: dict, path: Path) -> None:
    """Draw AP and recall of the main rows as bars.

    Args:
        results: content of a results file.
        path: of the image.
    """
    panels = (
        ('AP by crowd index', ('AP_easy', 'AP_medium', 'AP_hard')),
        ('recall by share of keypoints seen', SEEN_METRICS[:4]),
        ('recall of people near another', NEAR_METRICS[:4]),
    )
    figure = Figure(figsize=(15, 4.5), layout='constrained')
    axes, bars = figure.subplots(1, 3), bars_of(results)
    for axis, (title, names) in zip(axes, panels):
        _draw_bars(axis, bars, names)
        axis.set_title(title)
        axis.spines[['top', 'right']].set_visible(False)
    several = any(len(bar.tests) > 1 for bar in bars)
    axes[0].set_ylabel('hundredths' + '; whiskers: range over seeds' * several)
    handles, _ = axes[0].get_legend_handles_labels()
    for scored, (hatch, label) in SCORED_BARS.items():
        if any(bar.scored == scored for bar in bars):
            handles.append(Patch(facecolor='white', edgecolor='black', hatch=hatch, label=label))
    figure.legend(handles=handles, loc='outside lower center', ncols=3, frameon=False)
    figure.savefig(path, dpi=110)


def bars_of(results: dict) -> list[Bar]:
    """Return the bars: of each main variant, and of what was trained on it besides.

    Args:
        results: content of a results file.
    """
    bars: list[Bar] = []
    for variant, switch, tests in tests_of(results):
        if variant not in MAIN:
            continue
        if switch == 'fusion':
            bars.append(Bar(variant, '', tests))
        elif switch in SCORED_BARS:
            # With uncertainty, where that was tested, in place of the score alone.
            bars = [
                *(bar for bar in bars if bar[:2] != (variant, 'score')),
                Bar(variant, switch, tests),
            ]
    return bars


def _draw_bars(axis: Axes, bars: Sequence[Bar], names: Sequence[str]) -> None:
    # A group of bars for each metric, a color for each variant.
    width, colors = 0.8 / max(len(bars), 1), list(dict.fromkeys(bar.variant for bar in bars))
    for i, (variant, scored, tests) in enumerate(bars):
        scores = 100 * np.array(
            [[test['metrics'][name]['all'] for name in names] for test in tests], float
        )
        mean = scores.mean(axis=0)
        spread = (mean - scores.min(axis=0), scores.max(axis=0) - mean)
        axis.bar(
            np.arange(len(names)) + (i - len(bars) / 2 + 0.5) * width,
            mean,
            width,
            yerr=spread if len(tests) > 1 else None,
            capsize=2,
            color=f'C{colors.index(variant)}',
            hatch=SCORED_BARS[scored][0] if scored else None,
            label=None if scored else ALL[variant].title,
        )
    axis.set_xticks(range(len(names)), [name.split('_')[-1] for name in names])
