"""Tables and a plot of a results file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pinet_mm.errors import RunError

import numpy as np

from ..tables import to_markdown
from .against import tell_gains
from .by_stage import LEAST_OKS, STAGES
from .claims import judge
from .metrics import CROWDING
from .pinet2 import ALL
from .plot import plot
from .results import NEAR_METRICS, SEEN_METRICS, rows_of, tests_of
from .study import read

_SCORES = ('AP', 'AP50', 'AP75', 'AR', 'AP_easy', 'AP_medium', 'AP_hard', 'AP_box_area')
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
    plot(results, image)
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


def _tables(results: dict) -> Iterator[str]:
    for title, names in (
        ('Accuracy', _SCORES),
        ('By what is seen', SEEN_METRICS),
        ('Recall of people near another', NEAR_METRICS),
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
            for variant, switch, tests in tests_of(results)
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
        found = [row['by_stage'] for row in rows_of(results, variant) if 'by_stage' in row]
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
