"""Every mutation through every tool: training, evaluation, fusion, comparison, check.

What is refused is refused with file, record and field. What is handled is said, and trains and
evaluates as the file that was meant: nobody is lost, and perfect poses have AP 1. The page of the
documentation has what comes out here.
"""

from collections import Counter

import pytest

from tests.helpers.doors import DOORS, OUTCOMES, PAGE, outcome
from tests.helpers.mutations import BYTES, CONTENT, UNREADABLE

MUTATIONS = [*CONTENT, *BYTES, *UNREADABLE]


def rows_of_the_page():
    """The first cell of each row of the last section -> its other cells."""
    section = PAGE.read_text().partition('## What was tried')[2]
    rows = [line.strip('| ').split(' | ') for line in section.splitlines() if line[:1] == '|']
    return {first: cells for first, *cells in rows}


ROWS = rows_of_the_page()


@pytest.mark.parametrize('name', DOORS)
@pytest.mark.parametrize('mutation', MUTATIONS, ids=[each.name for each in MUTATIONS])
def test_a_tool_refuses_or_handles_a_mutation_as_the_page_says(mutation, name, tmp_path):
    found = outcome(mutation, DOORS[name], tmp_path)
    assert found not in ('silent loss', 'traceback')
    assert found == ROWS[mutation.name][list(DOORS).index(name)]
    assert found != 'refused' or not (tmp_path / 'work').exists()


def test_the_page_has_every_mutation_and_adds_up():
    names = [each.name for each in MUTATIONS]
    assert len(set(names)) == len(names) >= 60
    assert list(ROWS)[-len(names) :] == names
    for column, door in enumerate(DOORS):
        sums = Counter(ROWS[name][column] for name in names)
        assert ROWS[door] == [str(sums[each]) for each in OUTCOMES]
        assert ROWS[door][3:] == ['0', '0']
