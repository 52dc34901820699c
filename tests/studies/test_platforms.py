"""The matrix of platforms: its cells, their steps without any network, the table of the page."""

import json
import subprocess
import sys

import pytest

from studies.platforms import cells, matrix, table

LISTED = 'torch (2.9.1)\nAvailable versions: 2.9.1, 2.10.0, 2.4.1, 2.4.0, 2.3.1, 1.13.1\n'


@pytest.mark.parametrize(
    'which, bound, found',
    [
        ('newest', '2.4', '2.10.0'),
        ('oldest', '2.4', '2.4.0'),
        ('oldest', '2.5', '2.9.1'),
        ('newest', '3', None),
    ],
)
def test_torch_is_chosen_within_the_bound(which, bound, found):
    assert cells.choose_torch(LISTED, which, bound) == found


def test_no_torch_is_chosen_where_pip_lists_none():
    assert cells.choose_torch('ERROR: No matching distribution found', 'oldest', '2.4') is None


def test_bound_is_that_of_the_package():
    assert cells.read_bound() == '2.4'


def test_every_python_has_its_cells():
    names = [cell.name for cell in cells.all_cells()]
    assert len(set(names)) == len(names) == 3 * len(cells.PYTHONS)
    assert {'3.10 light', '3.13 train oldest', '3.14 train newest'} <= set(names)


def test_an_interpreter_has_the_version_asked_for():
    version = '{}.{}'.format(*sys.version_info)
    code = 'import sys; print("%d.%d" % sys.version_info[:2])'
    python = cells.find_python(version)
    assert python is None or subprocess.check_output([python, '-c', code], text=True) == (
        f'{version}\n'
    )
    assert cells.find_python('3.99') is None


def test_each_way_installs_what_it_names(tmp_path):
    train = cells.commands_of(cells.Cell('3.12', 'train', 'oldest'), tmp_path, 'w.whl', '2.4.0')
    assert train['install'][-2:] == ['w.whl[train]', 'torch==2.4.0']
    assert list(train)[:4] == ['install', 'mmpose', 'doctor', 'inference']
    light = cells.commands_of(cells.Cell('3.12', 'light'), tmp_path, 'w.whl', None, uv='uv')
    assert light['install'][:3] == ['uv', 'pip', 'install'] and light['install'][-1] == 'w.whl'
    assert '--noconftest' in light['tests'] and 'training' not in light


# --- running -------------------------------------------------------------------------------------


def test_steps_keep_time_status_and_last_words(tmp_path):
    hidden = "print('first'); print('3 passed in /some/folder/x')"
    done = matrix.run_step([sys.executable, '-c', hidden], tmp_path, 20)
    assert done['ok'] and done['said'] == ['3 passed in x'] and 0 <= done['seconds'] < 20
    failed = matrix.run_step([sys.executable, '-c', 'no_such_name'], tmp_path, 20)
    assert not failed['ok'] and failed['said'][-1].startswith('NameError')
    late = matrix.run_step([sys.executable, '-c', 'import time; time.sleep(9)'], tmp_path, 0.1)
    assert not late['ok'] and late['said'] == ['stopped after 0 s']


def test_a_cell_without_an_interpreter_is_listed_as_such(tmp_path):
    assert matrix.run_cell(cells.Cell('3.99', 'light'), tmp_path / 'w.whl', tmp_path, 1) == {
        'status': 'no interpreter'
    }


def test_a_cell_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, 'find_python', lambda version: sys.executable)
    monkeypatch.setattr(
        matrix,
        'commands_of',
        lambda *args: dict(
            install=[sys.executable, '-c', ''], doctor=[sys.executable, '-c', 'print("whole")']
        ),
    )
    result = matrix.run_cell(cells.Cell('3.11', 'light'), tmp_path, tmp_path / 'cell', 60)
    assert result['status'] == 'ok' and result['steps']['doctor']['said'] == ['whole']
    assert result['installed_by'] == 'pip' and result['megabytes'] > 1
    assert not (tmp_path / 'cell').exists()


# --- the page ------------------------------------------------------------------------------------

STEP = dict(seconds=2.4, ok=True, said=['3 passed, 1 skipped in 2 s'])
RESULT = dict(
    status='failed',
    python='3.12.1',
    installed_by='uv',
    versions=dict(torch='2.4.0', numpy='2.5'),
    megabytes=5550,
    steps=dict(
        install=dict(STEP, said=[]),
        mmpose=STEP,
        doctor=dict(STEP, ok=False),
        inference=STEP,
        tests=STEP,
    ),
)


def test_the_table_shows_what_ran_and_what_did_not():
    results = {'3.14 light': {'status': 'no interpreter'}, '3.12 train oldest': RESULT}
    assert table.to_table(results).splitlines()[2:] == [
        '| 3.14 | light | - | no interpreter found: not run | - | - | - | - | - | - | - |',
        '| 3.12.1 | train | 2.4.0 | 2.5 | 5.5 | uv | 5 s | failed 2 s | 2 s | - | '
        '3 passed 1 skipped 2 s |',
    ]


def test_the_page_has_the_table_of_the_results():
    results = json.loads(matrix.RESULTS.read_text())
    assert table.to_table(results) in matrix.PAGE.read_text()


def test_only_the_table_of_a_page_is_replaced(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(f'before\n{table.START}\nold\n{table.END}\nafter\n')
    table.write_table(page, {})
    text = page.read_text()
    assert text.startswith('before\n') and text.endswith(f'{table.END}\nafter\n')
    assert 'old' not in text and 'Nothing has been run yet.' in text
