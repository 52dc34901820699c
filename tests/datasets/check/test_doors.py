"""Every mutation through every tool: training, evaluation, fusion, comparison, check.

What is refused is refused with file, record and field. What is handled is said, and trains and
evaluates as the file that was meant: nobody is lost, and perfect poses have AP 1. What comes out
here is in a JSON file beside the page of the documentation; the page has sums and where tools
differ.
"""

import json
from collections import Counter

import pytest

from tests.helpers.doors import DOORS, OUTCOMES, PAGE, STORE, outcome, to_section
from tests.helpers.mutations import BYTES, CONTENT, UNREADABLE

MUTATIONS = [*CONTENT, *BYTES, *UNREADABLE]
FOUND = json.loads(STORE.read_text())


def rows_of_the_page():
    """The first cell of each row of the last section -> its other cells."""
    section = PAGE.read_text().partition('## What was tried')[2]
    rows = [line.strip('| ').split(' | ') for line in section.splitlines() if line[:1] == '|']
    return {first: cells for first, *cells in rows}


@pytest.mark.parametrize('name', DOORS)
@pytest.mark.parametrize('mutation', MUTATIONS, ids=[each.name for each in MUTATIONS])
def test_a_tool_refuses_or_handles_a_mutation_as_is_stored(mutation, name, tmp_path):
    found = outcome(mutation, DOORS[name], tmp_path)
    assert found not in ('silent loss', 'traceback')
    assert found == FOUND[mutation.name][name]
    assert found != 'refused' or not (tmp_path / 'work').exists()


def test_the_page_has_the_sums_of_all_mutations_and_those_with_which_tools_differ():
    names = [each.name for each in MUTATIONS]
    assert len(set(names)) == len(names) >= 60
    assert list(FOUND) == names
    assert PAGE.read_text().endswith(f'\n{to_section(FOUND)}')
    rows = rows_of_the_page()
    for door in DOORS:
        sums = Counter(FOUND[name][door] for name in names)
        assert rows[door] == [str(sums[each]) for each in OUTCOMES]
        assert rows[door][3:] == ['0', '0']
    differing = [name for name in names if len({*FOUND[name].values()}) > 1]
    assert list(rows)[-len(differing) :] == differing and set(names) & set(rows) == {*differing}
    assert all(rows[name] == list(FOUND[name].values()) for name in differing)
