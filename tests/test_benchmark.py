"""The benchmark: its clock and table by hand, and that what it races does the same work."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from toys import LAYOUTS

from pinet_mm.benchmark import bench_encode, encode, processor_times, timing, to_markdown
from pinet_mm.codec import PINetCodec
from pinet_mm.runner import RunError

ROOT = Path(__file__).parents[1]


class Clock:
    """A processor clock that moves only when somebody works."""

    def __init__(self, monkeypatch):
        self.now = 0.
        monkeypatch.setattr(timing.time, 'process_time', lambda: self.now)

    def work(self, seconds):
        """A function that takes `seconds`, one after the other, then the last of them."""
        seconds = list(seconds)

        def function():
            self.now += seconds.pop(0) if len(seconds) > 1 else seconds[0]
        return function


def test_the_median_turn_counts(monkeypatch):
    # Two calls come before the turns: one that loads, one that tells how many a turn needs.
    slow = Clock(monkeypatch).work([9, 9, 1, 2, 5, 3, 90])
    assert processor_times(dict(slow=slow), repeats=5) == dict(slow=3000)


def test_fast_functions_are_averaged_over_a_turn(monkeypatch):
    clock, calls = Clock(monkeypatch), []
    work = clock.work([1 / 128])
    times = processor_times(dict(fast=lambda: calls.append(work())), repeats=3, least=1 / 8)
    assert times == dict(fast=1000 / 128) and len(calls) == 2 + 3 * 16


def test_functions_take_turns():
    order = []
    processor_times({name: lambda name=name: order.append(name) for name in 'ab'}, 2, least=0)
    assert ''.join(order) == 'aabb' + 'abab'


def test_no_repeats():
    with pytest.raises(ValueError, match='repeats must be at least 1; found 0'):
        processor_times({}, repeats=0)


def test_table_by_hand():
    rows = [dict(persons=2, ms=1.23456), dict(persons=30, ms=321.7)]
    assert to_markdown(rows) == '| persons | ms |\n| --- | --- |\n| 2 | 1.23 |\n| 30 | 322 |'


def test_naive_loops_and_codec_encode_the_same():
    crowd = encode.random_crowd(5, 14, (256, 256))
    assert crowd[0].min() >= 0 and crowd[0].max() < 256 and crowd[1].all()
    codec = PINetCodec((256, 256), (64, 64), LAYOUTS['crowdpose']())
    wanted = encode.naive_loops().encode(*crowd, codec.layout.parts, (64, 64), 4)
    for name, maps in codec.encode(*crowd).items():
        np.testing.assert_allclose(maps, wanted[name], rtol=1e-6, atol=1e-5, err_msg=name)


def test_a_row_of_encoding():
    row, = bench_encode(persons=[1], repeats=1)
    assert list(row) == ['persons', 'naive', 'SPR', 'whole', 'sparse', 'release, whole',
                         'naive / whole', 'naive / sparse']
    assert row['naive / whole'] == row['naive'] / row['whole']
    assert row['naive / sparse'] == row['naive'] / row['sparse'] > 1


def test_an_installed_package_has_no_naive_loops(monkeypatch, tmp_path):
    monkeypatch.setattr(encode, '__file__', str(tmp_path / 'a' / 'b' / 'encode.py'))
    with pytest.raises(RunError, match='part of a checkout, not of an installed package; there '
                                       f'is no {tmp_path}/tests/naive.py'):
        bench_encode()


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools' / 'benchmark.py'), run_name='__main__')


def test_the_tool_prints_and_writes(tmp_path, monkeypatch, capsys):
    path = tmp_path / 'rows.json'
    run_tool(monkeypatch, 'encode', '--persons', 1, '--repeats', 1, '--json', path)
    rows = json.loads(path.read_text())
    assert [row['persons'] for row in rows] == [1]
    assert to_markdown(rows) in capsys.readouterr().out


def test_the_tool_ends_with_one_line(monkeypatch):
    with pytest.raises(SystemExit, match='^error: repeats must be at least 1; found 0$'):
        run_tool(monkeypatch, 'encode', '--repeats', 0)
