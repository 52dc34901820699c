"""`tools/benchmark.py`: all parts from the command line, and its errors."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from studies.benchmark import (
    to_text,
)
from studies.benchmark.report import Table
from tests.helpers.timings import SLIM, made_up

ROOT = Path(__file__).parents[2]

# --- the tool ------------------------------------------------------------------------------------


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools' / 'benchmark.py'), run_name='__main__')


def test_the_tool_prints_and_writes(tmp_path, monkeypatch, capsys):
    run_tool(monkeypatch, 'encode', '--persons', 1, '--repeats', 1, '--out', tmp_path)
    (table,) = json.loads((tmp_path / 'benchmark.json').read_text())['tables']
    assert [row['persons'] for row in table['rows']] == [1]
    assert to_text(table['rows']) in capsys.readouterr().out
    assert not (tmp_path / 'scaling.png').exists()


def test_the_tool_runs_all_parts(tmp_path, monkeypatch, capsys):
    given = {}

    def pretend(part, tables):
        def bench(**options):
            given[part] = options
            return tables

        monkeypatch.setattr(f'studies.benchmark.{part}.bench_{part}', bench)

    for part in ('encode', 'decode'):
        pretend(part, [Table(part, f'Of {part}', '', [dict(a=1)])])
    monkeypatch.setattr(
        'studies.benchmark.images.bench_images',
        lambda config, **options: [Table('images', f'Of {config} {options}', '', [dict(a=1)])],
    )
    pretend('scaling', [made_up('persons', [1, 100])])
    pretend('training', [Table('training', 'Of training', '', [dict(a=1)])])
    monkeypatch.chdir(tmp_path)
    run_tool(monkeypatch, 'all', '--device', 'cpu', '--persons', 1, 100)
    folder = tmp_path / 'work_dirs' / 'benchmark'
    assert {path.name for path in folder.iterdir()} == {
        'benchmark.md',
        'benchmark.json',
        'scaling.png',
    }
    titles = [
        table['title'] for table in json.loads((folder / 'benchmark.json').read_text())['tables']
    ]
    common = dict(device='cpu', compiled=False)
    assert titles == [
        'Of encode',
        'Of decode',
        f'Of {SLIM} {common}',
        f'Of pinet_lite_photos.py {common}',
        f'Of pinet_hrnet_coco.py {dict(batches=[1], repeats=3, **common)}',
        'Cost by persons',
        'Of training',
    ]
    assert given['encode'] == dict(persons=[1, 100]) and given['decode'] == dict(device='cpu')
    assert given['scaling'] == dict(config=SLIM, persons=[1, 100], device='cpu')
    assert given['training'] == dict(config=SLIM, device='cpu')
    printed = capsys.readouterr().out
    assert all(f'## {title}' in printed for title in titles)


def test_the_tool_ends_with_one_line(monkeypatch):
    with pytest.raises(SystemExit, match='^error: repeats must be at least 1; found 0$'):
        run_tool(monkeypatch, 'encode', '--repeats', 0)
    with pytest.raises(SystemExit, match='^error: nowhere.py is no config file; tried '):
        run_tool(monkeypatch, 'images', 'nowhere.py')


@pytest.mark.parametrize('part', ['encode', 'decode', 'training'])
def test_weights_that_would_not_be_used_are_refused(monkeypatch, part):
    with pytest.raises(SystemExit, match=f'error: {part} takes no CHECKPOINT, .*; found a.pth'):
        run_tool(monkeypatch, part, SLIM, 'a.pth')
