"""Tables and a plot of a results file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pinet_mm.errors import RunError

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..tables import to_markdown
from .against import tell_gains
from .by_stage import LEAST_OKS, STAGES
from .claims import judge
from .metrics import CROWDING
from .pinet2 import ALL, FULL, PINET2
from .study import read
from .variants import SCORED, SWITCHES, THRESHOLDS

_SCORES = ('AP', 'AP50', 'AP75', 'AR', 'AP_easy', 'AP_medium', 'AP_hard', 'AP_box_area')
_OCCLUSION = (
    'recall_seen_0-25',
    'recall_seen_25-50',
    'recall_seen_50-75',
    'recall_seen_75-100',
    'keypoints_seen',
    'keypoints_hidden',
)
_NEAR = (
    'recall_near_any',
    'recall_near_head',
    'recall_near_body',
    'recall_near_leg',
    'recall_near_person',
)
_TESTED = {
    'fusion': 'fusion',
    'agreement': 'fusion, agreement',
    'nms': 'NMS',
    'no-refinement': 'fusion, refinement left out',
    'no-refinement_nms': 'NMS, refinement left out',
    'no-flip': 'fusion, no flip',
    'score': 'fusion, expected OKS as score',
    'score_uncertainty': 'fusion by uncertainty, expected OKS as score',
}
_HATCH = '///'  # of bars with a score
_MAIN = (
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


def write_report(results_file: Path, out: Path) -> tuple[Path, Path]:
    """Write `tables.md` and `plot.png`.

    Args:
        results_file: of `tools/ablation.py`.
        out: folder, made if it is missing.

    Returns:
        The two files.

    Raises:
        RunError: the file holds no results.
    """
    results = read(results_file)
    if not results['rows']:
        raise RunError(f'{results_file} has no rows yet')
    out.mkdir(parents=True, exist_ok=True)
    table, image = out / 'tables.md', out / 'plot.png'
    sections = (
        _budget(results),
        *_tables(results),
        _by_stage(results),
        _claims(results),
        tell_gains(results),
    )
    table.write_text('\n'.join(section for section in sections if section))
    _plot(results, image)
    return table, image


def _budget(results: dict) -> str:
    budget = results['budget']
    precisions = {row.get('trained_in') for row in results['rows'].values()} - {None}
    trained_in = f'Trained in {" and ".join(sorted(precisions))}. ' if precisions else ''
    skipped = [f'{ALL[name].title} was skipped: {why}.' for name, why in results['skipped'].items()]
    return '\n'.join(
        [
            f'Backbone: {budget["pictures"] * budget["backbone_epochs"]} images; every row: '
            f'{budget["pictures"] * budget["epochs"]}; evaluation: '
            f'{budget["images"]} images in ten folds. Images are drawn with '
            f'{_range(budget["persons"])} people of {_range(budget["height"])} of their height. '
            f'{trained_in}{results["machine"]}. Where a row has several seeds, the mean ± the '
            'standard deviation over them; AP, AR and recall in hundredths. Easy, medium and hard '
            f'images: a crowd index {_crowding()}. Images/s: one image at a time, processor time '
            'of one thread. People: '
            + ', '.join(f'{count} {name}' for name, count in results['persons'].items())
            + '.',
            *skipped,
            '',
        ]
    )


def _crowding() -> str:
    (_, easy), (_, medium), _ = CROWDING.values()
    return f"below {easy}, to {medium}, from {medium} on, as in CrowdPose's paper"


def _range(ends: Sequence[float]) -> str:
    return ' to '.join(map(str, ends))


def _tests(results: dict) -> Iterator[tuple[str, str, list[dict]]]:
    """List variant, way of evaluation, and the results of all seeds, in the order of the tables."""
    for variant in ALL:
        rows = _rows(results, variant)
        for switch in (*SWITCHES, *THRESHOLDS, *SCORED):
            tests = [row['tests'][switch] for row in rows if switch in row['tests']]
            if tests:
                yield variant, switch, tests


def _rows(results: dict, variant: str) -> list[dict]:
    # One of each seed.
    return [
        content for row, content in sorted(results['rows'].items()) if row.split('/')[0] == variant
    ]


def _tables(results: dict) -> Iterator[str]:
    for title, names in (
        ('Accuracy', _SCORES),
        ('By what is seen', _OCCLUSION),
        ('Recall of people near another', _NEAR),
    ):
        heads = [
            name.removeprefix('recall_').removeprefix('AP_')
            if name != 'AP_box_area'
            else 'AP, box areas'
            for name in names
        ]
        heads = [head.replace('_', ' ') for head in heads]
        speed = title == 'Accuracy'
        rows = [
            [
                ALL[variant].title,
                _tested(variant, switch),
                *(_spread([test['metrics'][name]['all'] for test in tests]) for name in names),
                *([_number([test['images_per_second'] for test in tests])] if speed else []),
            ]
            for variant, switch, tests in _tests(results)
        ]
        yield _table(
            f'## {title}', ['trained', 'tested', *heads, *(['images/s'] if speed else [])], rows
        )


def _tested(variant: str, switch: str) -> str:
    if not ALL[variant].is_pinet:  # the baselines have neither fusion nor refinement
        return 'no flip' if switch == 'no-flip' else ''
    return _TESTED.get(switch) or f'fusion, {switch.replace("-", " = ")}'


def _by_stage(results: dict) -> str:
    rows = []
    for variant in ALL:
        found = [row['by_stage'] for row in _rows(results, variant) if 'by_stage' in row]
        for group in found[0]['fused'] if found else ():
            rows.append(
                [
                    ALL[variant].title,
                    group,
                    *(
                        _spread([one[stage][group][i] for one in found])
                        for i in range(len(LEAST_OKS))
                        for stage in STAGES
                    ),
                ]
            )
    title = (
        '## Who has a pose at each stage\n\nHundredths of people that have a pose of their '
        'own with at least the OKS at the top of the column; poses and people are matched one '
        'to one, whatever the scores.'
    )
    heads = [f'{stage}, {least}' for least in LEAST_OKS for stage in STAGES]
    return _table(title, ['trained', 'persons', *heads], rows) if rows else ''


def _claims(results: dict) -> str:
    rows = [
        [
            claim.title,
            claim.metric.replace('_', ' '),
            f'{_points(difference.mean)} ± {difference.error:.1f}',
            ', '.join(map(_points, difference.seeds)),
            *_verdict(claim.wanted, holds),
        ]
        for claim, difference, holds in judge(results)
    ]
    title = (
        '## Paired over folds\n\nMean over ten folds of held-out images and its standard error, '
        'which knows nothing of seeds: those stand apart.'
    )
    heads = ['', 'metric', 'difference ± standard error', 'each seed', 'wanted', 'holds']
    return _table(title, heads, rows) if rows else ''


def _points(difference: float) -> str:
    return f'{round(difference, 1) + 0.0:+.1f}'  # no -0.0


def _verdict(wanted: float | None, holds: bool) -> tuple[str, str]:
    if wanted is None:
        return '–', '–'
    return f'{wanted:+.0f}' if wanted else 'ahead', 'yes' if holds else 'no'


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f'{title}\n\n{to_markdown(heads, rows)}\n'


def _spread(values: Sequence[float]) -> str:
    values = 100 * np.array(values, float)
    spread = f' ± {values.std(ddof=1):.1f}' if len(values) > 1 else ''
    return f'{values.mean():.1f}{spread}'


def _number(values: Sequence[float]) -> str:
    return f'{np.mean(values):.0f}'


def _plot(results: dict, path: Path) -> None:
    panels = (
        ('AP by crowd index', ('AP_easy', 'AP_medium', 'AP_hard')),
        ('recall by share of keypoints seen', _OCCLUSION[:4]),
        ('recall of people near another', _NEAR[:4]),
    )
    figure = Figure(figsize=(15, 4.5), layout='constrained')
    axes, bars = figure.subplots(1, 3), list(_bars(results))
    for axis, (title, names) in zip(axes, panels):
        _draw_bars(axis, bars, names)
        axis.set_title(title)
        axis.spines[['top', 'right']].set_visible(False)
    several = any(len(tests) > 1 for *_, tests in bars)
    axes[0].set_ylabel('hundredths' + '; whiskers: range over seeds' * several)
    handles, _ = axes[0].get_legend_handles_labels()
    if any(is_scored for _, is_scored, _ in bars):
        scored = 'with a score of expected OKS, and fusion by uncertainty if it was tested'
        handles.append(Patch(facecolor='white', edgecolor='black', hatch=_HATCH, label=scored))
    figure.legend(handles=handles, loc='outside lower center', ncols=3, frameon=False)
    figure.savefig(path, dpi=110)


def _bars(results: dict) -> Iterator[tuple[str, bool, list[dict]]]:
    # Variant, and tests of all seeds: without a score, and with all that was trained besides.
    found = {(variant, switch): tests for variant, switch, tests in _tests(results)}
    for variant in (variant for variant in ALL if (variant, 'fusion') in found):
        if variant in _MAIN:
            yield variant, False, found[variant, 'fusion']
            scored = [found[variant, each] for each in SCORED if (variant, each) in found]
            yield from ((variant, True, tests) for tests in scored[-1:])


def _draw_bars(
    axis: Axes, bars: Sequence[tuple[str, bool, list[dict]]], names: Sequence[str]
) -> None:
    # A group of bars for each metric, a color for each variant.
    width, colors = 0.8 / max(len(bars), 1), list(dict.fromkeys(variant for variant, *_ in bars))
    for i, (variant, is_scored, tests) in enumerate(bars):
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
            hatch=_HATCH if is_scored else None,
            label=None if is_scored else ALL[variant].title,
        )
    axis.set_xticks(range(len(names)), [name.split('_')[-1] for name in names])
