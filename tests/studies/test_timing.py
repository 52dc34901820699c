"""The clocks and reports of the benchmark by hand, and its peak memory."""

import json

import numpy as np
import pytest
import torch

from studies import benchmark
from studies.benchmark import (
    memory,
    timing,
    to_text,
)
from studies.benchmark.report import Table, section, write_report


class Clock:
    """A clock that moves only when somebody works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        """A function that takes `seconds`, one after the other, then the last of them."""
        seconds = list(seconds)

        def function(*_):
            self.now += seconds.pop(0) if len(seconds) > 1 else seconds[0]

        return function


def test_the_median_turn_counts():
    # Two calls come before the turns: one that loads, one that tells how many a turn needs.
    clock = Clock()
    slow = clock.work([9, 9, 1, 2, 5, 3, 90])
    assert timing.call_times(dict(slow=slow), repeats=5, clock=clock) == dict(slow=3000)


def test_fast_functions_are_averaged_over_a_turn():
    clock, calls = Clock(), []
    work = clock.work([1 / 128])
    times = timing.call_times(dict(fast=lambda: calls.append(work())), 3, 1 / 8, clock)
    assert times == dict(fast=1000 / 128) and len(calls) == 2 + 3 * 16


def test_functions_take_turns():
    order = []
    timing.call_times({name: lambda name=name: order.append(name) for name in 'ab'}, 2, least=0)
    assert ''.join(order) == 'aabb' + 'abab'


def test_every_stage_has_its_own_median():
    clock = Clock()
    chain = dict(first=clock.work([1, 2, 30]), last=clock.work([50, 7, 6]))
    assert timing.chain_times(dict(it=chain), 3, clock) == dict(it=dict(first=2000, last=7000))


def test_stages_hand_on_their_results():
    assert timing.run_chain(dict(one=lambda value: [value], two=lambda value: [*value, 2])) == [
        None,
        2,
    ]


@pytest.mark.parametrize('function', [timing.call_times, timing.chain_times])
def test_no_repeats(function):
    with pytest.raises(ValueError, match='repeats must be at least 1; found 0'):
        function({}, repeats=0)


def test_one_thread_is_timed_by_the_processor(monkeypatch):
    for threads, clock in ((1, timing.time.process_time), (2, timing.time.perf_counter)):
        monkeypatch.setattr(torch, 'get_num_threads', lambda threads=threads: threads)
        assert timing.clock_of('cpu') is clock


# --- reports -------------------------------------------------------------------------------------


def test_table_by_hand():
    rows = [dict(persons=2, ms=1.23456), dict(persons=30, ms=321.7), dict(persons=None, ms=0.5)]
    assert to_text(rows) == (
        '| persons | ms |\n|-----------|-------|\n| 2 | 1.23 |\n| 30 | 322 |\n| – | 0.500 |'
    )


def test_a_report_by_hand(tmp_path):
    machine = dict(date='2026-01-02', versions=dict(torch='9', numpy='8'))
    table = Table('decode', 'Title', 'Note.', [dict(a=1, b=None)])
    text, data = write_report(tmp_path / 'new', machine, [table, table])
    assert (text.name, data.name) == ('benchmark.md', 'benchmark.json')
    assert text.read_text() == (
        '# Benchmark\n\n- date: 2026-01-02\n- versions: torch 9, numpy 8\n\n'
        + '\n'.join([section(table)] * 2)
    )
    assert section(table) == '## Title\n\nNote.\n\n| a | b |\n|-----|-----|\n| 1 | – |\n'
    rows = dict(part='decode', title='Title', note='Note.', rows=[dict(a=1, b=None)])
    assert json.loads(data.read_text()) == dict(
        schema='pinet_mm.benchmark/1', machine=machine, tables=[rows, rows]
    )


def test_a_machine_tells_what_figures_depend_on():
    machine = benchmark.describe_machine('cpu')
    assert machine['device'] == 'cpu' and machine['threads'] == torch.get_num_threads()
    assert machine['hardware'] and machine['date'].startswith('20')
    # The installed package's version may lack the name of the build, +cpu or +cu130.
    assert torch.__version__.startswith(machine['versions']['torch'])
    assert {'cores', 'load_average', 'python', 'system'} < set(machine)


def fill(megabytes):
    return np.ones(megabytes * memory.MB, np.uint8).sum()


@pytest.mark.slow
def test_peak_memory_is_that_of_the_call_alone():
    block = fill(500)  # what this process does is not in it
    with memory.peak_memory('cpu') as peak:
        small, large, again = (peak(fill, megabytes) for megabytes in (1, 301, 1))
    assert block and large - small == pytest.approx(300, abs=10)
    assert again == pytest.approx(small, abs=10)


def test_resident_memory_grows_with_what_is_used():
    before = memory.resident(fill, 1)
    assert memory.resident(fill, int(before) + 100) >= before + 90
