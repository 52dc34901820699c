"""`pinet-mm benchmark` is a door to the tool of a checkout."""

import sys

from pinet_mm import cli
from pinet_mm.cli import benchmark

import pytest


def test_benchmark_is_the_tool_of_a_checkout(monkeypatch, tmp_path, capsys):
    tool = tmp_path / 'benchmark.py'
    monkeypatch.setattr(benchmark, 'TOOL', tool)
    with pytest.raises(SystemExit, match='error: benchmark needs a checkout of the project; found'):
        cli.main(['benchmark', 'images'])
    tool.write_text('import sys\nprint(__name__, sys.argv)')
    monkeypatch.setattr(sys, 'argv', ['pinet-mm'])
    cli.main(['benchmark', 'images', 'a.py', '--repeats', '3'])
    words = [str(tool), 'images', 'a.py', '--repeats', '3']
    assert capsys.readouterr().out == f'__main__ {words}\n'
    assert benchmark.make_parser().parse_args(['a', '--b']).words == ['a', '--b']


def test_the_tool_is_where_the_door_looks():
    assert benchmark.TOOL.is_file()
