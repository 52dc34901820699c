"""Checkpoints on their way to the disk, and the ones that a training goes on from."""

import errno
import os
import re
import shutil
import signal

from pinet_mm.errors import CheckpointError, RunError, Stopped
from pinet_mm.runner import saving

import pytest
import torch

from tests.helpers.toy_runs import Toy, ToyMetric, train, weights

EPOCHS = 'default_hooks = dict(checkpoint=dict(interval=1))'
ONE = 'default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))'


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


@pytest.mark.parametrize('reason', [OSError(errno.ENOSPC, 'No space left on device'), 'torch'])
def test_a_full_disk_is_said_and_leaves_the_last_checkpoint(tmp_path, monkeypatch, reason):
    save, calls = torch.save, []

    def full(content, file):
        calls.append(1)
        if len(calls) == 2:
            file.write(b'half')
            raise reason if isinstance(reason, OSError) else RuntimeError('write failed\nat 0x0')
        save(content, file)

    monkeypatch.setattr(saving.torch, 'save', full)
    with pytest.raises(RunError, match=r'epoch_2.pth could not be written \(.*\); .* --resume$'):
        train(tmp_path, extra=ONE)
    assert names(tmp_path) == ['epoch_1.pth'] and not list(tmp_path.glob('.*part'))
    monkeypatch.setattr(saving.torch, 'save', save)
    train(tmp_path, '--resume', extra=ONE)
    assert names(tmp_path) == ['epoch_3.pth']


def test_a_full_disk_elsewhere_is_said(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('mmengine.hooks.LoggerHook.after_train_iter', full)
    with pytest.raises(RunError, match='No space left on device: make room; stopped at iteration'):
        train(tmp_path, extra=EPOCHS)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_in_a_sentence(tmp_path, monkeypatch, number):
    forward = Toy.forward

    def stopped(self, x, y, mode='tensor'):
        if self.passes == 8:
            os.kill(os.getpid(), number)
        return forward(self, x, y, mode)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(Toy, 'forward', stopped)
    with pytest.raises(Stopped) as error:
        train(tmp_path, extra=EPOCHS)
    newest, config = tmp_path / 'epoch_1.pth', next(tmp_path.glob('toy_*.py'))
    assert re.fullmatch(
        rf'stopped at iteration 8; go on from {newest} by: \S.* {config} --work-dir {tmp_path} '
        '--resume',
        str(error.value),
    )
    assert error.value.number == number
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_old_checkpoint_goes_when_the_new_one_is_there(tmp_path, monkeypatch):
    seen, save = [], saving.torch.save
    monkeypatch.setattr(
        saving.torch, 'save', lambda *args: (seen.append(names(tmp_path)), save(*args))
    )
    train(tmp_path, extra=ONE)
    assert seen == [[], ['epoch_1.pth'], ['epoch_2.pth']] and names(tmp_path) == ['epoch_3.pth']


def test_the_best_checkpoint_stays_until_the_better_one_is_there(tmp_path):
    extra = (
        'default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1, save_best="mean", '
        'rule="less"))\ntrain_cfg = dict(val_interval=1)'
    )
    train(tmp_path, extra=extra)
    assert names(tmp_path) == ['best_mean_epoch_3.pth', 'epoch_3.pth']


@pytest.mark.parametrize('rule, kept', [('greater', []), ('less', ['best_error_epoch_1.pth'])])
def test_a_model_that_finds_nobody_is_not_the_best(tmp_path, capsys, monkeypatch, rule, kept):
    monkeypatch.setattr(ToyMetric, 'compute_metrics', lambda self, results: dict(error=0.0))
    extra = (
        f'default_hooks = dict(checkpoint=dict(save_best="auto", rule={rule!r}))\n'
        'train_cfg = dict(val_interval=1)'
    )
    train(tmp_path, extra=extra)
    assert sorted(path.name for path in tmp_path.glob('best_*')) == kept
    said = capsys.readouterr().out.count('no best checkpoint yet: error is 0.0')
    assert said == (3 if not kept else 0)


@pytest.mark.parametrize(
    'metrics, message',
    [
        (dict(error=1.0), 'save_best: the evaluation gives no coco/AP; it gives error'),
        ({'coco/AP': 'good'}, "save_best: coco/AP must be a number; the evaluation gave 'good'"),
    ],
)
def test_a_metric_that_tells_no_best_is_named(metrics, message, tmp_path, monkeypatch):
    monkeypatch.setattr(ToyMetric, 'compute_metrics', lambda self, results: metrics)
    extra = "default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))"
    with pytest.raises(RunError, match=f'^{message}$'):
        train(tmp_path, extra=extra)
    assert 'epoch_3.pth' in names(tmp_path)


@pytest.mark.parametrize(
    'error',
    [
        torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB.\nmore'),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
        MemoryError(),
    ],
)
def test_a_full_memory_is_one_line(error, tmp_path, monkeypatch):
    forward = Toy.forward

    def fail(self, x, y, mode='tensor'):
        if mode == 'loss' and self.passes == 4:
            raise error
        return forward(self, x, y, mode)

    monkeypatch.setattr(Toy, 'forward', fail)
    with pytest.raises(
        RunError, match=r'^the memory is full \(.*\): .* stopped at iteration 4;'
    ) as it:
        train(tmp_path)
    assert '\n' not in str(it.value)


def test_the_best_is_by_the_first_number_of_the_metric(tmp_path, monkeypatch):
    values = iter([0.0, 0.3, 0.2])
    monkeypatch.setattr(
        ToyMetric, 'compute_metrics', lambda self, _: {'AP': next(values), 'other': 1.0}
    )
    monkeypatch.setattr(ToyMetric, 'default_prefix', 'animals')
    extra = (
        'default_hooks = dict(checkpoint=dict(save_best="auto", rule="greater"))\n'
        'train_cfg = dict(val_interval=1)'
    )
    train(tmp_path, extra=extra)
    assert [path.name for path in tmp_path.glob('best_*')] == ['best_animals_AP_epoch_2.pth']


def test_halves_of_killed_trainings_are_removed(tmp_path):
    (tmp_path / '.epoch_2.pth.99.part').write_bytes(b'half')
    train(tmp_path, extra=EPOCHS)
    assert not list(tmp_path.glob('.*part'))


def cut(path):
    path.write_bytes(path.read_bytes()[:500])


def of_another_network(path):
    content = torch.load(path, weights_only=True)
    content['state_dict'] = {'other.weight': torch.zeros(3)}
    torch.save(content, path)


def with_state(**changes):
    """Return what puts these values into a checkpoint's content or meta."""

    def change(path):
        content = torch.load(path, weights_only=True)
        for key, value in changes.items():
            (content['meta'] if key in ('iter', 'epoch', 'seed') else content)[key] = value
        torch.save(content, path)

    return change


class Trap:
    def __reduce__(self):
        return os.mkdir, ('trap',)


DAMAGES = dict(
    cut=cut,
    empty=lambda path: path.write_bytes(b''),
    missing=lambda path: path.unlink(),
    text=lambda path: path.write_text('no checkpoint'),
    foreign=of_another_network,
    weights=lambda path: torch.save(weights(path), path),
    hostile=lambda path: torch.save(dict(state_dict={}, trap=Trap()), path),
    negative=with_state(iter=-5),
    endless=with_state(epoch=10**12),
    seed=with_state(seed='x'),
    hub=with_state(message_hub={}),
    optimizer=with_state(optimizer=[1]),
    groups=with_state(optimizer=dict(param_groups=[])),
    schedulers=with_state(param_schedulers='x'),
)


@pytest.mark.parametrize('named', [True, False], ids=['named', 'not named'])
@pytest.mark.parametrize('damage', DAMAGES)
def test_resume_falls_back_to_the_newest_that_can_be_used(
    damage, named, tmp_path, trained, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for i in (1, 2):
        shutil.copy(trained / f'epoch_{i}.pth', tmp_path)
        os.utime(tmp_path / f'epoch_{i}.pth', (i, i))
    if named:
        (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    DAMAGES[damage](tmp_path / 'epoch_2.pth')
    if (tmp_path / 'epoch_2.pth').exists():
        os.utime(tmp_path / 'epoch_2.pth', (9, 9))
    train(tmp_path, '--resume', extra=EPOCHS)
    said = capsys.readouterr().out
    if damage != 'missing' or named:
        assert f'{tmp_path}/epoch_2.pth' in said and f'resuming from {tmp_path}/epoch_1.pth' in said
    assert not (tmp_path / 'trap').exists()
    expected, found = weights(trained / 'epoch_3.pth'), weights(tmp_path / 'epoch_3.pth')
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_state_of_another_training_is_named(tmp_path, trained):
    shutil.copy(trained / 'epoch_2.pth', tmp_path)
    groups = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['optimizer']['param_groups']
    with_state(optimizer=dict(state={}, param_groups=groups * 2))(tmp_path / 'epoch_2.pth')
    with pytest.raises(
        CheckpointError, match=r'epoch_2.pth holds the state of another .*load_from'
    ):
        train(tmp_path, '--resume', extra=EPOCHS)


@pytest.mark.parametrize('kind', ['folder', 'loop'])
def test_a_training_needs_to_name_its_last_checkpoint(kind, tmp_path):
    last = tmp_path / 'last_checkpoint'
    last.mkdir() if kind == 'folder' else last.symlink_to(last)
    with pytest.raises(RunError, match='last_checkpoint must be a file'):
        train(tmp_path, extra=EPOCHS)
    assert not list(tmp_path.glob('*.pth'))


def test_resume_never_starts_afresh_over_epochs_that_cannot_be_read(tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes(b'')
    (tmp_path / 'epoch_2.pth').write_text('no checkpoint')
    with pytest.raises(CheckpointError, match='cannot be resumed from any checkpoint') as error:
        train(tmp_path, '--resume', extra=EPOCHS)
    assert '\n' not in str(error.value)
    assert (tmp_path / 'epoch_1.pth').read_bytes() == b''


def test_a_checkpoint_without_the_state_of_a_training_is_refused(tmp_path, trained):
    torch.save(weights(trained / 'epoch_2.pth'), tmp_path / 'bare.pth')
    with pytest.raises(CheckpointError, match='no state of a training to resume: start from it'):
        train(tmp_path, '--resume', tmp_path / 'bare.pth')


def test_a_config_in_a_checkpoint_is_not_run(tmp_path, trained):
    # MMEngine's runner would execute it.
    content = torch.load(trained / 'epoch_2.pth', weights_only=True)
    content['meta']['config'] = f'import os\nos.mkdir({str(tmp_path / "place")!r})'
    torch.save(content, tmp_path / 'epoch_2.pth')
    train(tmp_path, '--resume', tmp_path / 'epoch_2.pth', extra=EPOCHS)
    assert (tmp_path / 'epoch_3.pth').exists() and not (tmp_path / 'place').exists()
