"""The table of docs/robustness.md is that of the stored counts, and what counts them is there."""

import importlib.util

import pytest

from tests.helpers import counts, long_runs, robustness
from tests.helpers.tools import ROOT


def test_the_page_shows_the_stored_counts():
    table = robustness.to_table(counts.read(robustness.STORE))
    assert f'\n\n{table}\n' in robustness.PAGE.read_text()


def test_all_that_was_tried_was_survived():
    found = counts.read(robustness.STORE)
    assert set(found) == set(robustness.TOPICS)
    assert {name for name, each in found.items() if not each.is_survived} == set()


def test_a_topic_that_is_empty_or_missing_is_not_survived():
    found = dict.fromkeys(robustness.TOPICS, counts.Count(2, 2))
    assert robustness.all_survived(found)
    for bad in (counts.Count(0, 0), counts.Count(2, 1)):
        assert not robustness.all_survived({**found, 'maps': bad})
    del found['maps']
    assert not robustness.all_survived(found)


@pytest.mark.parametrize(
    'said, status, tried, passed',
    [
        ('7 passed before\n3 passed, 2 deselected in 1.00s\n', 0, 3, 3),
        ('1 failed, 3 passed, 1 error in 1.00s', 1, 5, 3),
        ('251 deselected in 7.39s', 5, 1, 0),
        ('INTERNALERROR> RuntimeError: 3\n\n2 passed in 7.39s', 3, 3, 2),
        ('', 4, 1, 0),
    ],
)
def test_a_pytest_that_breaks_off_or_finds_no_test_has_failed(said, status, tried, passed):
    assert robustness.count_outcomes(said, status) == counts.Count(tried, passed)


def test_what_counts_a_topic_is_there():
    for topic in robustness.TOPICS.values():
        if topic.is_tested:
            assert all((ROOT / file).is_file() for file in topic.by.split())
        else:
            assert importlib.util.find_spec(f'tests.helpers.{topic.by.split()[0]}')


def test_a_table_takes_the_place_of_another():
    found = dict(images=counts.Count(1200, 1200, '47425 kinds'))
    page = f'before\n\n{robustness.HEAD}| old | 1 |\n\nafter\n'
    assert robustness.with_table(page, robustness.to_table(found)) == (
        f'before\n\n{robustness.HEAD}| images: bad ones refused in a line, odd ones read | 1 200 '
        '(47 425 kinds) | 0 of 8 in `onnx_runner.py` | 1 200 | '
        '`python -m tests.helpers.robustness --count` |\n\nafter\n'
    )


def test_a_growth_that_was_measured_is_kept(tmp_path, monkeypatch):
    # Five times through all objects of a process that ran a thousand tests: ten seconds.
    monkeypatch.setattr(long_runs.gc, 'collect', lambda: None)
    grown = long_runs.measured(lambda number: None, 5)
    counts.keep(tmp_path / 'long.json', predictions=grown.count())
    assert counts.read(tmp_path / 'long.json')['predictions'].tried == 5
