"""How checks of a GPU are run and judged: limits, errors, time."""

import time

import pytest
import torch

from studies.benchmark.budget import OutOfTime, time_limit
from studies.gpu import running
from studies.gpu.running import Finding, LeftOut
from tests.helpers.gpus import CPU, verdicts

# --- running -------------------------------------------------------------------------------------


def test_a_finding_is_judged_by_its_limit():
    assert Finding('a', 1.0, 1.0).verdict() == 'ok'
    assert Finding('a', 1.1, 1.0).verdict() == 'FAILED'
    assert Finding('a', float('nan'), 1.0).verdict() == 'FAILED'
    assert Finding('a', 'text').verdict() == 'seen'


def test_an_error_in_a_check_is_a_row_and_the_next_one_runs():
    def broken(place):
        yield Finding('first', 0.0, 0)
        raise RuntimeError('no kernel image')

    def absent(place):
        raise LeftOut('no such card')
        yield

    told = []
    rows = running.run_checks(
        dict(a=broken, b=absent, c=lambda place: iter([Finding('x', 0.0, 0)])), CPU, 60, told.append
    )
    assert verdicts(rows) == ['ok', 'FAILED', 'left out', 'ok'] and told == rows
    here = broken.__code__.co_firstlineno + 2
    assert rows[1]['unit'] == f'RuntimeError: no kernel image [studies/test_gpu_running.py:{here}]'
    assert rows[2]['unit'] == 'no such card'
    assert running.failed(rows) and not running.failed(rows[2:])


def test_the_budget_stops_a_check_and_leaves_out_the_others():
    def slow(place):
        yield Finding('first', 0.0, 0)
        time.sleep(10)

    start = time.monotonic()
    rows = running.run_checks(dict(a=slow, b=slow), CPU, 0.2)
    assert time.monotonic() - start < 5
    assert verdicts(rows) == ['ok', 'left out', 'left out']
    assert rows[1]['unit'] == 'stopped at the end of the budget'
    assert rows[2]['unit'] == 'the budget of 0.2 s was used up'


def test_a_time_limit_ends_with_its_block():
    with pytest.raises(OutOfTime), time_limit(0.01):
        time.sleep(5)
    with time_limit(0.05):
        pass
    time.sleep(0.1)


def test_exact_products_leave_tf32_and_bring_it_back():
    before = torch.backends.cudnn.allow_tf32
    with running.exact_products():
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
