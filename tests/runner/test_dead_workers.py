"""A process that loads data dies: which, of what, and how to go on."""

import os
import signal

from pinet_mm import runner
from pinet_mm.errors import RunError
from pinet_mm.runner.workers import death_of_process, death_of_worker, naming_dead_workers

import pytest
from torch import distributed

from tests.helpers.toy_runs import ToyDataset, parse, train, write_config

WORKERS = ('--cfg-options', 'train_dataloader.num_workers=1', 'test_dataloader.num_workers=1')


@pytest.fixture
def dying(monkeypatch):
    """Loading the eighth sample kills the process that loads."""
    item, main = ToyDataset.__getitem__, os.getpid()

    def kill(self, index):
        if index == 7 and os.getpid() != main:
            os.kill(os.getpid(), signal.SIGKILL)
        return item(self, index)

    monkeypatch.setattr(ToyDataset, '__getitem__', kill)


# PyTorch notices a dead process by a signal, whose handler raises wherever Python is just then, in
# pytest's own code as well: such a test is run by itself.
@pytest.mark.slow
def test_a_training_names_the_signal_and_how_to_go_on(dying, tmp_path):
    message = (
        r'a process that loads data died \(pid \d+\): killed, as .* memory .*num_workers=N.*; '
        r'stopped at iteration \d'
    )
    with pytest.raises(RunError, match=message) as error:
        train(tmp_path, *WORKERS[:2])
    assert '\n' not in str(error.value)


@pytest.mark.slow
def test_an_evaluation_names_it_too(dying, tmp_path, trained):
    words = (write_config(tmp_path), trained / 'epoch_1.pth', '--work-dir', tmp_path)
    with pytest.raises(RunError, match=r'a process that loads data died \(pid \d+\): killed'):
        runner.test(parse('test', *words, WORKERS[0], WORKERS[2]))


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
