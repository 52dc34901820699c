"""Paired differences between evaluations, and the study's questions as such differences.

Every evaluation measured the same images in the same folds, so two of them are compared fold by
fold: what makes a fold hard is hard for both.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Test = tuple[str, str]  # a variant and how it was evaluated, see `variants`


class Difference(NamedTuple):
    """How far one evaluation is above another, in points (hundredths).

    Attributes:
        mean: over folds, each the mean over seeds that both have.
        error: standard error of the mean over folds.
        seeds: the mean over folds for every seed.
    """

    mean: float
    error: float
    seeds: tuple[float, ...]


@dataclass(frozen=True)
class Claim:
    """What the method promises.

    Attributes:
        title: in a table.
        above: the evaluation that should be ahead.
        below: the one it should be ahead of.
        metric: the one they are compared by.
        wanted: points; None where nothing is promised.
    """

    title: str
    above: Test
    below: Test
    metric: str = 'AP'
    wanted: float | None = 0.0


CLAIMS: tuple[Claim, ...] = (
    Claim(
        'refinement, against a model trained without',
        ('three-parts', 'fusion'),
        ('three-parts_no-refinement', 'fusion'),
        wanted=8,
    ),
    Claim(
        'refinement, left out of the same model',
        ('three-parts', 'fusion'),
        ('three-parts', 'no-refinement'),
        wanted=8,
    ),
    Claim(
        'the same, one center',
        ('one-centre', 'fusion'),
        ('one-centre', 'no-refinement'),
        wanted=None,
    ),
    Claim(
        'fusion against NMS, with refinement',
        ('three-parts', 'fusion'),
        ('three-parts', 'nms'),
        wanted=1,
    ),
    Claim(
        'fusion against NMS, trained without refinement',
        ('three-parts_no-refinement', 'fusion'),
        ('three-parts_no-refinement', 'nms'),
        wanted=2,
    ),
    Claim(
        'fusion against NMS, refinement left out of both',
        ('three-parts', 'no-refinement'),
        ('three-parts', 'no-refinement_nms'),
        wanted=None,
    ),
    Claim(
        'three parts against one center, both with refinement and fusion',
        ('three-parts', 'fusion'),
        ('one-centre', 'fusion'),
        wanted=3,
    ),
    Claim(
        'the same, recall of people near another in any part',
        ('three-parts', 'fusion'),
        ('one-centre', 'fusion'),
        'recall_near_any',
        wanted=8,
    ),
    Claim(
        'the same, recall of people whose bodies are near',
        ('three-parts', 'fusion'),
        ('one-centre', 'fusion'),
        'recall_near_body',
        wanted=8,
    ),
    Claim(
        'three parts against one center, both with refinement left out',
        ('three-parts', 'no-refinement'),
        ('one-centre', 'no-refinement'),
        wanted=None,
    ),
    Claim(
        'the same, recall of people near another in any part',
        ('three-parts', 'no-refinement'),
        ('one-centre', 'no-refinement'),
        'recall_near_any',
        wanted=None,
    ),
    Claim(
        'three parts against one center, hard images',
        ('three-parts', 'fusion'),
        ('one-centre', 'fusion'),
        'AP_hard',
        wanted=None,
    ),
    Claim(
        'agreement of the parts in the scores',
        ('three-parts', 'agreement'),
        ('three-parts', 'fusion'),
        wanted=None,
    ),
    Claim(
        'three parts against one center, both with agreement',
        ('three-parts', 'agreement'),
        ('one-centre', 'agreement'),
        wanted=None,
    ),
    Claim(
        'PINet against CID on hard images',
        ('three-parts', 'fusion'),
        ('cid', 'fusion'),
        'AP_hard',
    ),
    Claim('the same, both without flip', ('three-parts', 'no-flip'), ('cid', 'no-flip'), 'AP_hard'),
    Claim(
        'PINet against DEKR on hard images',
        ('three-parts', 'fusion'),
        ('dekr', 'fusion'),
        'AP_hard',
    ),
    Claim(
        'all that was added, against the paper',
        ('together', 'score_uncertainty'),
        ('base', 'fusion'),
        wanted=6,
    ),
    Claim(
        'the same, recall of people near another in any part',
        ('together', 'score_uncertainty'),
        ('base', 'fusion'),
        'recall_near_any',
        wanted=10,
    ),
    Claim('expected OKS as score, of the paper', ('base', 'score'), ('base', 'fusion'), wanted=2),
    Claim(
        'expected OKS as score, of what was added',
        ('together', 'score'),
        ('together', 'fusion'),
        wanted=2,
    ),
    Claim(
        'fusion by uncertainty, of what was added',
        ('together', 'score_uncertainty'),
        ('together', 'score'),
        wanted=None,
    ),
    Claim(
        'three parts against one center, both with all that was added',
        ('together', 'score_uncertainty'),
        ('together_one-centre', 'score_uncertainty'),
        wanted=3,
    ),
    Claim(
        'the same, recall of people near another in any part',
        ('together', 'score_uncertainty'),
        ('together_one-centre', 'score_uncertainty'),
        'recall_near_any',
        wanted=None,
    ),
    *(
        Claim(
            f'all that was added against CID, {band} images',
            ('together', 'score_uncertainty'),
            ('cid', 'fusion'),
            f'AP_{band}',
        )
        for band in ('easy', 'medium', 'hard')
    ),
    Claim(
        'three parts against two', ('three-parts', 'fusion'), ('two-parts', 'fusion'), wanted=None
    ),
    Claim(
        "the paper's convention against the release's",
        ('three-parts', 'fusion'),
        ('release', 'fusion'),
        wanted=None,
    ),
)


def folds_of(results: dict, test: Test, metric: str) -> dict:
    """Collect a metric's folds of every seed that is there: seed -> (F,) array, in points."""
    variant, switch = test
    found = {}
    for row, content in results['rows'].items():
        name, seed = row.split('/')
        if name == variant and switch in content['tests']:
            folds = content['tests'][switch]['metrics'][metric]['folds']
            found[int(seed)] = 100 * np.array(folds, float)
    return found


def compare(results: dict, above: Test, below: Test, metric: str = 'AP') -> Difference | None:
    """Compare two evaluations on the seeds that both have; None where there is no such seed.

    Args:
        results: content of a results file.
        above: variant and way of evaluation.
        below: another.
        metric: name in `metrics.measure`. Folds where one of the two has no value are left out.
    """
    first, second = folds_of(results, above, metric), folds_of(results, below, metric)
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    differences = np.stack([first[seed] - second[seed] for seed in seeds])
    differences = differences[:, np.isfinite(differences).all(axis=0)]
    folds = differences.mean(axis=0)
    error = folds.std(ddof=1) / np.sqrt(len(folds)) if len(folds) > 1 else float('nan')
    return Difference(
        float(folds.mean()), float(error), tuple(map(float, differences.mean(axis=1)))
    )


def judge(results: dict) -> list[tuple[Claim, Difference, bool]]:
    """Judge every claim that the results have figures for.

    Returns:
        Claim, difference, and whether it holds: at least as wanted, at least twice its standard
        error, and with every seed above 0; False where nothing is wanted.
    """
    judged = []
    for claim in CLAIMS:
        difference = compare(results, claim.above, claim.below, claim.metric)
        if difference is not None:
            holds = (
                claim.wanted is not None
                and min(difference.seeds) > 0
                and (difference.mean >= claim.wanted and difference.mean >= 2 * difference.error)
            )
            judged.append((claim, difference, holds))
    return judged
