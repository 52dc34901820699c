"""A process that loads data dies: which, of what, and how to go on."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from pinet_mm.errors import RunError
from pinet_mm.runner import workers
from pinet_mm.runner.stopping import saying_how_to_go_on
from pinet_mm.runner.workers import death_of_process, death_of_worker, naming_dead_workers

import pytest
import torch
from torch import distributed

from tests.helpers.tools import ROOT
from tests.helpers.toy_runs import Toy, write_config

DYING = """
import os, signal
from tests.helpers.toy_runs import ToyDataset
item, main = ToyDataset.__getitem__, os.getpid()
def kill(self, index):
    if index == 7 and os.getpid() != main:
        os.kill(os.getpid(), signal.SIGKILL)
    return item(self, index)
ToyDataset.__getitem__ = kill
"""
EXTRA = """
custom_imports = dict(imports=['pinet_mm', 'tests.helpers.toy_runs', 'dying'])
train_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)
"""


def run_dying(tool: str, folder: Path, *words: object) -> str:
    """Run a tool, of which loading the eighth sample kills the process that loads; what it says.

    PyTorch notices a dead process by a signal, whose handler raises wherever Python is just then:
    in a process of its own, so that it is not in pytest's code.
    """
    (folder / 'dying.py').write_text(DYING)
    command = [sys.executable, ROOT / 'tools' / f'{tool}.py', write_config(folder, EXTRA), *words]
    path = os.pathsep.join((str(ROOT), str(folder)))
    done = subprocess.run(
        [*map(str, command), '--work-dir', str(folder / 'run')],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
        timeout=300,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert 'Traceback' not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_training_names_the_signal_and_how_to_go_on(tmp_path):
    message = (
        r'error: a process that loads data died \(pid \d+\): killed, as .* memory '
        r'.*num_workers=N.*; stopped at iteration \d'
    )
    assert re.match(message, run_dying('train', tmp_path))


@pytest.mark.slow
def test_an_evaluation_names_it_too(tmp_path):
    model = Toy(dict(type='ToyBackbone'))
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'weights.pth')
    said = run_dying('test', tmp_path, tmp_path / 'weights.pth')
    assert re.match(r'error: a process that loads data died \(pid \d+\): killed', said)


def test_causes():
    bus = RuntimeError('DataLoader worker (pid 7) is killed by signal: Bus error. It is possible')
    gone = RuntimeError('DataLoader worker (pid(s) 7, 8) exited unexpectedly')
    assert '(pid 7): a bus error, as where /dev/shm is too small' in death_of_worker(bus)
    assert '(pid 7, 8): it ended by itself' in death_of_worker(gone)
    gone.__cause__ = RuntimeError('DataLoader worker (pid 8) is killed by signal: Killed. ')
    assert ': killed, as the system does' in death_of_worker(gone)
    assert death_of_worker(RuntimeError('CUDA out of memory')) is None
    with pytest.raises(RuntimeError, match='^other$'), naming_dead_workers():
        raise RuntimeError('other')


@pytest.mark.parametrize('broken', workers.BROKEN)
def test_a_connection_that_breaks_before_the_death_is_known_waits_for_it(broken, monkeypatch):
    def heard(*_):
        raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')

    before = signal.signal(signal.SIGALRM, heard)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(RunError, match=r'\(pid 7\): killed'), naming_dead_workers():
            raise broken
    finally:
        signal.signal(signal.SIGALRM, before)
    monkeypatch.setattr(workers, 'PATIENCE', 0.01)
    with pytest.raises(broken), naming_dead_workers():
        raise broken


@pytest.mark.parametrize(
    'message, of_a_process',
    [
        ('[gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1000ms for recv', True),
        ('wait timeout after 300000ms, keys: /default_pg/0', True),
        ('Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1)', True),
        ('Connection closed by peer [127.0.0.1]:4242', True),
        ('DataLoader timed out after 30 seconds', False),
        ('a.jpg: the download timed out', False),
    ],
)
def test_timeouts_of_loaders_and_files_are_no_lost_process(monkeypatch, message, of_a_process):
    monkeypatch.setattr(distributed, 'is_initialized', lambda: True)
    death = death_of_process(RuntimeError(message))
    assert (death is not None) == of_a_process
    assert death is None or message in death


def test_weights_without_a_gradient_are_one_line_with_the_setting_that_allows_them(tmp_path):
    said = 'Expected to have finished reduction in the prior iteration before starting a new one.'
    run = SimpleNamespace(iter=1, work_dir=str(tmp_path))
    message = 'no gradient, .*find_unused_parameters=True allows that; stopped at iteration 1; '
    with pytest.raises(RunError, match=message), saying_how_to_go_on(run):
        raise RuntimeError(f'{said}\nParameter indices: 0 1')
