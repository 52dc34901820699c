"""The tools for a GPU from the command line; on CUDA, if there is any, all of it."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

from studies import gpu
from studies.benchmark import gpu as speed
from studies.gpu import running
from studies.gpu.running import Finding, Place
from tests.helpers.gpus import TINY

ROOT = Path(__file__).parents[2]

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')

# --- the tools -----------------------------------------------------------------------------------


def run_tool(monkeypatch, tool, *arguments):
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')
    return ended.value.code


def test_the_check_prints_and_writes(tmp_path, monkeypatch, capsys):
    path = tmp_path / 'out' / 'check.json'
    arguments = ('--device', 'cpu', '--only', 'environment', 'waiting', '--out', path)
    assert run_tool(monkeypatch, 'gpu_check.py', *arguments) == 0
    rows = json.loads(path.read_text())
    assert [row['check'] for row in rows] == ['environment', 'environment', 'waiting']
    assert '| waiting | all | left out |' in path.with_suffix('.md').read_text()
    assert 'cpu is no CUDA device' in capsys.readouterr().out

    monkeypatch.setitem(gpu.CHECKS, 'waiting', lambda place: iter([Finding('x', 2.0, 1.0)]))
    assert run_tool(monkeypatch, 'gpu_check.py', *arguments) == 1
    assert '1 FAILED' in capsys.readouterr().out


def test_the_check_refuses_what_it_does_not_know(monkeypatch):
    assert 'there are no checks' in run_tool(monkeypatch, 'gpu_check.py', '--only', 'nothing')
    if not torch.cuda.is_available():
        assert 'no CUDA device' in run_tool(monkeypatch, 'gpu_check.py')


# --- on a GPU ------------------------------------------------------------------------------------


@cuda
@pytest.mark.parametrize('name', [name for name in gpu.CHECKS if name != 'compilation'])
def test_the_checks_pass_on_cuda(name):
    rows = running.run_checks({name: gpu.CHECKS[name]}, Place(torch.device('cuda:0'), True), 300)
    assert [gpu.line(row) for row in rows if row['verdict'] == running.FAILED] == []


@cuda
def test_the_benchmark_runs_on_cuda():
    tables = speed.bench_gpu(60, 'cuda:0', (TINY,), (1,))
    assert {'Goals', speed.IMAGES, speed.SHARE} <= {table.title for table in tables}
