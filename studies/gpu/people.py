"""Comparing people: whether they are found, their keypoints, scores and expected deviations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pinet_mm.method.fusion import FusedPoses

import numpy as np

from .running import Finding
from .scenes import compare_persons, persons_of

Fields = Mapping[str, Sequence[np.ndarray]]
# A field of `FusedPoses`: how it is called in the table, and its unit.
_KINDS = dict(
    keypoints=('keypoints', 'px, '),
    keypoint_scores=('keypoint scores', ''),
    scores=('scores', ''),
    stds=('deviations', 'px, '),
)
# Of poses of one score either may give a keypoint, and so its deviation.
ALIKE = 0.99


class Limits(NamedTuple):
    """How far people may be from those that were expected.

    Attributes:
        pixels: for keypoints and their deviations.
        share: of the keypoints that must be within it.
        missing: share of the people that may be missing.
        scores: for scores.
        extra: whether people who were not expected count as the missing do.
    """

    pixels: float
    share: float = 0.99
    missing: float = 0.0
    scores: float = 1e-3
    extra: bool = False


def fields_of(fused: FusedPoses) -> Fields:
    """Take the poses that are kept: `'keypoints'` and the like of each image, (N, ...)."""
    return {
        name: persons_of(values, fused.kept)
        for name in _KINDS
        if (values := getattr(fused, name)) is not None
    }


def compare_people(
    name: str, found: Fields, wanted: Fields, side: float, limits: Limits
) -> Iterator[Finding]:
    """Compare people, who are paired by their keypoints.

    Args:
        name: of the comparison.
        found: see `fields_of`.
        wanted: likewise.
        side: of the input, in pixels.
        limits: of all.
    """
    distance = compare_persons(found['keypoints'], wanted['keypoints'], side)
    extra = limits.extra * abs(sum(map(len, found['keypoints'])) - distance.wanted)
    yield Finding(
        f'{name}: people missing{" or too many" * limits.extra}',
        (distance.lost + extra) / max(distance.wanted, 1),
        limits.missing,
        distance.said,
    )
    for what, (said, unit) in _KINDS.items():
        if what in wanted:
            own = distance if what == 'keypoints' else distance.of_values(found[what], wanted[what])
            share = min(limits.share, ALIKE) if what == 'stds' else limits.share
            limit = limits.pixels if unit else limits.scores
            spread = f'median {own.quantile(0.5):.1e}, largest {own.quantile(1):.1e}'
            remark = f'{unit}{share:.0%} of them; {spread}'
            yield Finding(f'{name}: {said}', own.quantile(share), limit, remark)


def compare_fused(
    name: str, found: FusedPoses, wanted: FusedPoses, side: float, limit: float
) -> Iterator[Finding]:
    """Compare fused poses, person by person, all of their keypoints.

    Args:
        name: of the comparison.
        found: on any device.
        wanted: likewise.
        side: of the input, in pixels.
        limit: for keypoints and deviations, in pixels.
    """
    limits = Limits(limit, share=1, extra=True)
    yield from compare_people(name, fields_of(found), fields_of(wanted), side, limits)
