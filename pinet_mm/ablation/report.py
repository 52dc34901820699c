"""Tables and a plot of a results file."""

from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure

from .claims import judge
from .study import read
from .variants import SWITCHES, THRESHOLDS, VARIANTS

_SCORES = ('AP', 'AP50', 'AP75', 'AR', 'AP_easy', 'AP_medium', 'AP_hard', 'AP_box_area')
_OCCLUSION = ('recall_seen_0-25', 'recall_seen_25-50', 'recall_seen_50-75', 'recall_seen_75-100',
              'keypoints_seen', 'keypoints_hidden')
_NEAR = ('recall_near_any', 'recall_near_head', 'recall_near_body', 'recall_near_leg',
         'recall_near_person')
_MAIN = ('one-centre', 'two-parts', 'three-parts', 'three-parts_no-refinement', 'release', 'cid',
         'dekr')


def write_report(results_file: Path, out: Path) -> Tuple[Path, Path]:
    """Write `ablation.md` and `ablation.png`.

    Args:
        results_file: of `tools/ablation.py`.
        out: folder, made if it is missing.

    Returns:
        The two files.

    Raises:
        RunError: the file holds no results.
    """
    results = read(results_file)
    out.mkdir(parents=True, exist_ok=True)
    table, picture = out / 'ablation.md', out / 'ablation.png'
    sections = (_budget(results), *_tables(results), _claims(results))
    table.write_text('\n'.join(section for section in sections if section))
    _plot(results, picture)
    return table, picture


def _budget(results: dict) -> str:
    budget = results['budget']
    skipped = [f'{VARIANTS[name].title} was skipped: {why}.' for name, why in
               results['skipped'].items()]
    return '\n'.join([
        f'Backbone: {budget["pictures"] * budget["backbone_epochs"]} pictures; every row: '
        f'{budget["pictures"] * budget["epochs"]}; test: {budget["images"]} pictures in ten folds. '
        f'{results["machine"]}. Where a row has several seeds, the mean ± the standard deviation '
        'over them; AP, AR and recall in hundredths.', *skipped, ''])


def _tests(results: dict) -> Iterator[Tuple[str, str, List[dict]]]:
    """List variant, way of testing, and the tests of all seeds, in the order of the tables."""
    for variant in VARIANTS:
        rows = [content['tests'] for row, content in sorted(results['rows'].items())
                if row.split('/')[0] == variant]
        for switch in (*SWITCHES, *THRESHOLDS):
            tests = [tests[switch] for tests in rows if switch in tests]
            if tests:
                yield variant, switch, tests


def _tables(results: dict) -> Iterator[str]:
    for title, names in (('Accuracy', _SCORES), ('By what is seen', _OCCLUSION),
                         ('Recall of persons near another', _NEAR)):
        heads = [name.removeprefix('recall_').removeprefix('AP_') if name != 'AP_box_area'
                 else 'AP, box areas' for name in names]
        heads = [head.replace('_', ' ') for head in heads]
        speed = title == 'Accuracy'
        rows = [[VARIANTS[variant].title, switch,
                 *(_spread([test['metrics'][name]['all'] for test in tests]) for name in names),
                 *([_number([test['images_per_second'] for test in tests])] if speed else [])]
                for variant, switch, tests in _tests(results)]
        yield _table(f'## {title}', ['trained', 'tested', *heads,
                                     *(['images/s'] if speed else [])], rows)


def _claims(results: dict) -> str:
    rows = [[claim.title, claim.metric.replace('_', ' '),
             f'{difference.mean:+.1f} ± {difference.error:.1f}',
             ', '.join(f'{seed:+.1f}' for seed in difference.seeds),
             f'{claim.wanted:+.0f}' if claim.wanted else 'ahead', 'yes' if holds else 'no']
            for claim, difference, holds in judge(results)]
    return _table('## Paired over folds', ['', 'metric', 'difference ± standard error',
                                           'each seed', 'wanted', 'holds'], rows)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f'| {" | ".join(row)} |' for row in (heads, ['---'] * len(heads), *rows)]
    return '\n'.join([title, '', *lines, ''])


def _spread(values: Sequence[float]) -> str:
    values = 100 * np.array(values)
    spread = f' ± {values.std(ddof=1):.1f}' if len(values) > 1 else ''
    return f'{values.mean():.1f}{spread}'


def _number(values: Sequence[float]) -> str:
    return f'{np.mean(values):.0f}'


def _plot(results: dict, path: Path) -> None:
    panels = (('AP by crowd index', ('AP_easy', 'AP_medium', 'AP_hard')),
              ('recall by share of keypoints seen', _OCCLUSION[:4]),
              ('recall of persons near another', _NEAR[:4]))
    figure = Figure(figsize=(15, 4.5), layout='constrained')
    axes = figure.subplots(1, 3)
    bars = [(variant, tests) for variant, switch, tests in _tests(results)
            if switch == 'fusion' and variant in _MAIN]
    width = 0.8 / max(len(bars), 1)
    for axis, (title, names) in zip(axes, panels):
        for i, (variant, tests) in enumerate(bars):
            scores = 100 * np.array([[test['metrics'][name]['all'] for name in names]
                                     for test in tests])
            axis.bar(np.arange(len(names)) + (i - len(bars) / 2 + 0.5) * width, scores.mean(0),
                     width, yerr=np.ptp(scores, axis=0) / 2 if len(scores) > 1 else None,
                     capsize=2, label=VARIANTS[variant].title)
        axis.set_xticks(range(len(names)), [name.split('_')[-1] for name in names])
        axis.set_title(title)
        axis.spines[['top', 'right']].set_visible(False)
    axes[0].set_ylabel('hundredths; whiskers: range over seeds')
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
