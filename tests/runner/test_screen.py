"""What a run shows on the screen, and what goes to its log file alone."""

import logging
import multiprocessing
import re

from pinet_mm import runner
from pinet_mm.errors import RunError
from pinet_mm.runner.screen import ScreenFilter, describe_model, require_batches

import cv2
import pytest
from mmengine.logging import MMLogger, print_log
from torch import nn
from torch.utils.data import DataLoader

from tests.helpers import toy_runs
from tests.helpers.clean import MANAGERS, leaving_nothing
from tests.helpers.toy_runs import Toy, ToyDataset, parse, train, write_config


def run(folder, capsys, *options, extra=''):
    """Train a toy; return the lines of the screen, and the text of the log file."""
    train(folder, *options, extra=extra)
    (log,) = folder.glob('*/*.log')
    shown = re.sub(r'\x1b\[\d+m', '', capsys.readouterr().out)
    return [line for line in shown.splitlines() if line], log.read_text()


def said(lines):
    """Return what a logger said, without times; a warning is of the toy's metric alone."""
    return [line.partition(' - INFO - ')[2] for line in lines if ' - INFO - ' in line]


def test_a_training_says_what_it_trains_and_then_its_progress(tmp_path, capsys):
    shown, logged = run(tmp_path, capsys)
    # 3 · 4 + 4 weights and biases of the backbone, 4 + 1 of the head.
    assert said(shown)[:4] == [
        'training Toy on ToyBackbone, 21 parameters, device cpu',
        'on 12 images (ToyDataset) in 6 batches, to epoch 3; validation on 12 images (ToyDataset) '
        'in 6 batches',
        f'log, with config and environment: {next(tmp_path.glob("*/*.log"))}',
        f'checkpoints: {tmp_path}',
    ]
    assert all(
        re.match(r'Epoch\((train|val)\)|Saving checkpoint', line) for line in said(shown)[4:]
    )
    for text in ('System environment', 'Config:', 'train_cfg', 'Hooks will be executed'):
        assert text in logged and not any(text in line for line in shown)


def test_parameter_groups_and_frozen_ones_are_for_the_log(tmp_path, capsys, monkeypatch):
    init = Toy.__init__

    def frozen(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.backbone.linear.weight.requires_grad = False

    monkeypatch.setattr(Toy, '__init__', frozen)
    extra = (
        'optim_wrapper = dict('
        'optimizer=dict(weight_decay=0.1), paramwise_cfg=dict(bias_decay_mult=0))'
    )
    shown, logged = run(tmp_path, capsys, extra=extra)
    assert 'paramwise_options -- ' in logged and 'requires_grad=False' in logged
    assert len(shown) < 20 and not any(
        text in line for line in shown for text in ('paramwise', 'requires_grad')
    )


def test_all_is_shown_on_request(tmp_path, capsys):
    shown, _ = run(tmp_path, capsys, extra="log_level = 'DEBUG'")
    assert any('System environment' in line for line in shown)


def test_an_evaluation_is_as_quiet(tmp_path, trained, capsys):
    runner.test(
        parse('test', write_config(tmp_path), trained / 'epoch_3.pth', '--work-dir', tmp_path)
    )
    shown = [line for line in re.sub(r'\x1b\[\d+m', '', capsys.readouterr().out).splitlines()]
    assert said(shown)[:2] == [
        'evaluating Toy on ToyBackbone, 21 parameters, device cpu',
        'on 12 images (ToyDataset) in 6 batches',
    ]
    assert len(shown) < 8


def test_a_resumed_training_says_where_it_goes_on(tmp_path, capsys):
    train(tmp_path, extra='train_cfg = dict(max_epochs=1)')
    capsys.readouterr()
    train(tmp_path, '--resume')
    shown = capsys.readouterr().out
    assert 'resumed epoch: 1, iter: 6' in shown and 'Config:' not in shown


def test_what_a_dataset_prints_goes_to_the_log(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ToyDataset, '__init__', lambda self: print('index created!'), raising=False)
    shown, logged = run(tmp_path, capsys)
    assert 'index created!' in logged and 'index created!' not in '\n'.join(shown)


def test_a_dataset_without_images_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(toy_runs, 'SAMPLES', 0)
    with pytest.raises(RunError, match='^the dataset ToyDataset has no images$'):
        train(tmp_path)


def test_images_that_make_no_batch_are_named(tmp_path):
    message = '^the dataset ToyDataset has 12 images .* no batch of 13: .* or set drop_last=False$'
    with pytest.raises(RunError, match=message):
        options = ('train_dataloader.batch_size=13', 'train_dataloader.drop_last=True')
        train(tmp_path, '--cfg-options', *options)


@pytest.mark.parametrize(
    'share, message',
    [
        ([3, 5], 'has 2 images for this process, which make no batch of 7: lower batch_size'),
        ([], 'has 12 images, of which this process has no batch: use fewer processes'),
    ],
)
def test_the_share_of_a_process_is_what_counts(share, message):
    loader = DataLoader(range(12), 7, sampler=share, drop_last=True)
    with pytest.raises(RunError, match=message):
        require_batches(loader)


@pytest.mark.parametrize(
    'module, level, is_shown',
    [
        ('my_hooks', logging.INFO, True),
        ('mmengine.hooks.early_stopping_hook', logging.INFO, True),
        ('mmengine.model.base_module', logging.INFO, False),
        ('mmpose.models.heads', logging.INFO, False),
        ('mmpose.models.heads', logging.WARNING, True),
        ('mmengine.fileio.file_client', logging.WARNING, False),
    ],
)
def test_who_speaks_decides(module, level, is_shown):
    records = []
    logger = MMLogger.get_instance(f'screen {module} {level}', log_level='INFO')
    (handler,) = logger.handlers
    handler.addFilter(ScreenFilter())
    handler.emit = records.append
    speak = eval('lambda log, logger, level: log("a line", logger, level)', dict(__name__=module))
    speak(print_log, logger, level)
    assert len(records) == is_shown


def test_a_run_leaves_nothing_to_the_next_test(tmp_path):
    state = (
        lambda: [list(manager._instance_dict) for manager in MANAGERS],
        cv2.getNumThreads,
        lambda: multiprocessing.get_start_method(allow_none=True),
    )
    multiprocessing.set_start_method(None, force=True)
    cv2.setNumThreads(2)
    before = [each() for each in state]
    with leaving_nothing():
        train(tmp_path, '--no-validate')
        changed = [each() for each in state]
    assert [each() for each in state] == before
    assert all(after != first for after, first in zip(changed, before))


def test_parameters_that_stay_as_they_are_are_counted():
    model = nn.Sequential(nn.Linear(999, 1), nn.Linear(1999, 1000))
    model[0].requires_grad_(False)
    assert describe_model(model) == (
        'Sequential, 2.0 M parameters, 2.0 M of them trained, device cpu'
    )
    model[1].requires_grad_(False)
    assert '0 of them trained' in describe_model(model)
