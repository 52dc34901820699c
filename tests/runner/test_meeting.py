"""Processes that are numbered wrongly, do not meet, or begin otherwise than others: one line."""

from types import SimpleNamespace

from pinet_mm.cli import train
from pinet_mm.errors import RunError
from pinet_mm.runner import meeting
from pinet_mm.runner.alike import facts_of, require_same
from pinet_mm.runner.meeting import VARIABLES, check_launcher

import pytest
from mmengine.config import Config
from mmengine.runner import IterBasedTrainLoop
from torch import distributed
from torch.utils.data import DataLoader, SequentialSampler

from tests.helpers.toy_runs import write_config

WHOLE = dict(RANK='0', WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT='29500')


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in {*meeting.LEAST, *(each for names in VARIABLES.values() for each in names)}:
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm', 'mpi'])
def test_a_launcher_that_started_nothing_is_one_line(launcher, tmp_path):
    message = f'error: --launcher {launcher} is for runs that .* starts, .*; missing: '
    with pytest.raises(SystemExit, match=message) as leaving:
        train.main([write_config(tmp_path), '--launcher', launcher])
    assert '\n' not in leaving.value.code


@pytest.mark.parametrize('name', WHOLE)
def test_a_variable_that_is_missing_is_named(name, monkeypatch):
    set_all(monkeypatch, **{key: value for key, value in WHOLE.items() if key != name})
    with pytest.raises(RunError, match=f'missing: {name}$'):
        check_launcher('pytorch')


@pytest.mark.parametrize(
    'name, value, message',
    [
        ('WORLD_SIZE', 'x', "WORLD_SIZE must be a whole number of at least 1; found 'x'"),
        ('WORLD_SIZE', '0', "WORLD_SIZE must be a whole number of at least 1; found '0'"),
        ('RANK', '-1', "RANK must be a whole number of at least 0; found '-1'"),
        ('RANK', '2', 'RANK must be at most 1; found 2'),
        ('LOCAL_RANK', '1.5', "LOCAL_RANK must be a whole number of at least 0; found '1.5'"),
        (
            'LOCAL_WORLD_SIZE',
            '0',
            "LOCAL_WORLD_SIZE must be a whole number of at least 1; found '0'",
        ),
        ('MASTER_PORT', '65536', 'MASTER_PORT must be at most 65535; found 65536'),
    ],
)
def test_variables_that_number_nothing_are_named(name, value, message, monkeypatch):
    set_all(monkeypatch, **WHOLE)
    check_launcher('pytorch')
    monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=f'^the variable {message}$'):
        check_launcher('pytorch')


def test_a_single_process_asks_only_who_shares_its_cores(monkeypatch):
    set_all(monkeypatch, RANK='x', WORLD_SIZE='x')
    check_launcher('none')
    monkeypatch.setenv('LOCAL_WORLD_SIZE', 'x')
    with pytest.raises(RunError, match='LOCAL_WORLD_SIZE must be'):
        check_launcher('none')


def test_slurm_without_a_gpu_is_refused(monkeypatch):
    set_all(monkeypatch, SLURM_PROCID='0', SLURM_NTASKS='1', SLURM_NODELIST='a')
    monkeypatch.setattr(meeting.torch.cuda, 'device_count', lambda: 0)
    with pytest.raises(RunError, match='numbers processes by GPUs, and this machine has none'):
        check_launcher('slurm')
    monkeypatch.setattr(meeting.torch.cuda, 'device_count', lambda: 1)
    check_launcher('slurm')


def test_mpi_is_told_where_processes_meet(monkeypatch):
    numbers = dict.fromkeys(VARIABLES['mpi'], '1')
    set_all(monkeypatch, **numbers)
    with pytest.raises(RunError, match='mpi needs .*: mpirun -x MASTER_ADDR=NAME$'):
        check_launcher('mpi')
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    check_launcher('mpi')


def test_a_process_that_waits_alone_says_for_whom(monkeypatch):
    set_all(monkeypatch, **WHOLE)
    with pytest.raises(
        RunError, match=r'the 2 processes .* did not meet at 127.0.0.1:29500: Timed'
    ):
        with meeting.meeting():
            raise distributed.DistStoreError('Timed out after 6 seconds.\nand more')


def test_processes_of_different_models_are_told_apart():
    mismatch = 'params[2] in this process with sizes [2, 4] appears not to match sizes of the same'
    with pytest.raises(RunError, match='must have the same model; found params'):
        with meeting.meeting():
            raise RuntimeError(mismatch)
    with pytest.raises(RuntimeError, match='^another$'):
        with meeting.meeting():
            raise RuntimeError('another')


def facts(**settings):
    images = range(settings.pop('images', 3))
    sampler = SequentialSampler(range(settings.pop('share', 3)))
    run = SimpleNamespace(iter=settings.pop('iter', 0), train_loop=settings.pop('loop', None))
    run.train_dataloader = DataLoader(images, sampler=sampler)
    run.cfg = Config(
        dict(dict(lr=0.1, steps=[dict(at=1)], data_root='/a', work_dir='w'), **settings)
    )
    return facts_of(run)


@pytest.mark.parametrize(
    'changed, message',
    [
        (dict(lr=0.2), 'lr is 0.1 in process 0 and 0.2 in process 1'),
        (dict(steps=[dict(at=2)]), 'steps.0.at is 1 in process 0 and 2 in process 1'),
        (dict(amp=True), 'amp is nothing in process 0 and True in process 1'),
        (dict(images=2), 'the number of images is 3 in process 0 and 2 in process 1'),
        (
            dict(share=2),
            r'the number of batches \(.*round_up=True\) is 3 in process 0 and 2 in .* 1',
        ),
        (dict(iter=6), 'the first iteration is 0 in process 0 and 6 in process 1'),
    ],
)
def test_processes_that_begin_otherwise_are_refused(changed, message):
    with pytest.raises(RunError, match=f'must begin alike, .*; {message}$'):
        require_same(facts(), facts(**changed), 1)


@pytest.mark.parametrize(
    'changed', [{}, dict(data_root='/b'), dict(work_dir='v'), dict(load_from='a.pth')]
)
def test_machines_may_have_folders_and_cores_of_their_own(changed):
    require_same(facts(), facts(loader=dict(num_workers=2), **changed), 1)


def test_processes_that_count_iterations_may_have_batches_of_their_own():
    loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    require_same(facts(loop=loop), facts(loop=loop, share=2), 1)
