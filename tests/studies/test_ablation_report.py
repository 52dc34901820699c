"""What the ablation reports: paired differences, claims, tables."""

import json

import numpy as np
import pytest

from studies.ablation import claims, report
from tests.helpers.ablations import results_of


def test_differences_are_paired_over_folds_and_seeds():
    results = results_of(
        three_parts=[(0, 'fusion', [0.30, 0.20, 0.40]), (1, 'fusion', [0.34, 0.20, 0.40])],
        one_centre=[
            (0, 'fusion', [0.26, 0.14, 0.38]),
            (1, 'fusion', [0.24, 0.18, 0.34]),
            (2, 'fusion', [0.9, 0.9, 0.9]),
        ],
    )
    difference = claims.compare(results, ('three-parts', 'fusion'), ('one-centre', 'fusion'))
    # Seed 0: 4, 6, 2; seed 1: 10, 2, 6; their means 7, 4, 4: variance 3, error 1.
    assert difference.mean == pytest.approx(5)
    assert difference.error == pytest.approx(1)
    assert difference.seeds == pytest.approx((4, 6))
    judged = {claim.title: holds for claim, _, holds in claims.judge(results)}
    assert judged['three parts against one center, both with refinement and fusion'] is True


def test_a_claim_needs_its_points_and_twice_its_error():
    noisy = results_of(
        three_parts=[(0, 'fusion', [0.9, 0.1, 0.35])], one_centre=[(0, 'fusion', [0.1, 0.2, 0.3])]
    )
    even = results_of(
        three_parts=[(0, 'fusion', [0.1, 0.2])], one_centre=[(0, 'fusion', [0.1, 0.2])]
    )
    one_fold = results_of(three_parts=[(0, 'fusion', [0.9])], one_centre=[(0, 'fusion', [0.1])])
    one_seed_behind = results_of(
        three_parts=[(0, 'fusion', [0.9, 0.8]), (1, 'fusion', [0.2, 0.1])],
        one_centre=[(0, 'fusion', [0.1, 0.0]), (1, 'fusion', [0.3, 0.2])],
    )
    small = results_of(
        three_parts=[(0, 'fusion', [0.12, 0.22, 0.32])], one_centre=[(0, 'fusion', [0.1, 0.2, 0.3])]
    )
    for results in (noisy, small, even, one_fold, one_seed_behind):
        assert {holds for _, _, holds in claims.judge(results)} == {False}


def test_folds_without_a_value_are_left_out():
    results = results_of(
        three_parts=[(0, 'fusion', [0.3, np.nan, 0.5])], one_centre=[(0, 'fusion', [0.2, 0.1, 0.2])]
    )
    assert claims.compare(
        results, ('three-parts', 'fusion'), ('one-centre', 'fusion')
    ).mean == pytest.approx(20)
    assert claims.compare(results, ('three-parts', 'nms'), ('one-centre', 'nms')) is None


# Report and results file


def test_the_report_has_spread_speed_and_verdicts(tmp_path):
    results = results_of(
        three_parts=[(0, 'fusion', [0.3, 0.5]), (1, 'fusion', [0.4, 0.6])],
        cid=[(0, 'fusion', [0.2, 0.3])],
    )
    (tmp_path / 'results.json').write_text(json.dumps(results))
    table, image = report.write_report(tmp_path / 'results.json', tmp_path / 'out')
    text = table.read_text()
    assert 'at each stage' not in text
    assert 'People: 9 all, 4 near_any.' in text
    assert '| three parts | fusion | 45.0 ± 7.1 |' in text  # 40 and 50
    assert '| 13 |' in text
    assert 'DEKR was skipped: no operators.' in text
    # Against CID on the one seed that both have: 10 and 20.
    assert '| AP hard | +15.0 ± 5.0 | +15.0 | ahead | yes |' in text
    assert image.stat().st_size > 10_000


def test_the_report_says_in_what_was_trained(tmp_path):
    results = results_of(cid=[(0, 'fusion', [0.2])], one_centre=[(0, 'fusion', [0.2])])
    for row, precision in (('one-centre/0', 'float32'), ('cid/0', 'bfloat16')):
        results['rows'][row]['trained_in'] = precision
    (tmp_path / 'results.json').write_text(json.dumps(results))
    text = report.write_report(tmp_path / 'results.json', tmp_path)[0].read_text()
    assert 'Trained in bfloat16 and float32.' in text
