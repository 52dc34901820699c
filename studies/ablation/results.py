"""What a results file holds: tests by row and way of evaluation, and names of their metrics."""

from collections.abc import Iterator

from .pinet2 import ALL
from .variants import SCORED, SWITCHES, THRESHOLDS

SEEN_METRICS = (
    'recall_seen_0-25',
    'recall_seen_25-50',
    'recall_seen_50-75',
    'recall_seen_75-100',
    'keypoints_seen',
    'keypoints_hidden',
)
NEAR_METRICS = (
    'recall_near_any',
    'recall_near_head',
    'recall_near_body',
    'recall_near_leg',
    'recall_near_person',
)


def tests_of(results: dict) -> Iterator[tuple[str, str, list[dict]]]:
    """List variant, way of evaluation, and the results of all seeds, in the order of the tables.

    Args:
        results: content of a results file.
    """
    for variant in ALL:
        rows = rows_of(results, variant)
        for switch in (*SWITCHES, *THRESHOLDS, *SCORED):
            tests = [row['tests'][switch] for row in rows if switch in row['tests']]
            if tests:
                yield variant, switch, tests


def rows_of(results: dict, variant: str) -> list[dict]:
    """Return the rows of a variant, one of each seed.

    Args:
        results: content of a results file.
        variant: its name.
    """
    return [
        content for row, content in sorted(results['rows'].items()) if row.split('/')[0] == variant
    ]
