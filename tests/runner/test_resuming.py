"""Resuming a training, inside an epoch too."""

from pathlib import Path

from pinet_mm import runner

import pytest
import torch
from mmengine.config import Config

from tests.helpers.toy_runs import (
    NOWHERE,
    PRETRAINED,
    Killed,
    Toy,
    parse,
    train,
    weights,
    write_config,
)

SAVE_EPOCHS = 'default_hooks = dict(checkpoint=dict(interval=1))'
SAVE_ITERS = 'default_hooks = dict(checkpoint=dict(interval=1, by_epoch=False))'
COUNT_ITERS = (
    SAVE_ITERS
    + """
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=18, val_interval=18)
log_processor = dict(by_epoch=False)
train_dataloader = dict(sampler=dict(type='InfiniteSampler'))
"""
)


@pytest.mark.parametrize(
    'extra, last, saved',
    [
        (SAVE_EPOCHS, 'epoch_3.pth', 'epoch_1.pth'),
        (SAVE_ITERS, 'iter_18.pth', 'iter_9.pth'),
        (COUNT_ITERS, 'iter_18.pth', 'iter_9.pth'),
    ],
    ids=['epochs', 'iterations inside epochs', 'iterations'],
)
def test_killed_training_ends_as_if_it_had_not_been(tmp_path, extra, last, saved):
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    for folder in (whole, broken):
        folder.mkdir()
    train(whole, extra=extra)
    Toy.kill_at = 10  # in the second of three epochs with six iterations each
    with pytest.raises(Killed):
        train(broken, extra=extra)
    assert Path((broken / 'last_checkpoint').read_text()).name == saved
    Toy.kill_at = None
    train(broken, '--resume', extra=extra)

    expected, found = weights(whole / last), weights(broken / last)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=0, atol=1e-7)


def test_resume_needs_no_pretrained_weights_and_survives_a_move(tmp_path, trained):
    moved = tmp_path / 'moved'
    moved.mkdir()
    (moved / 'epoch_2.pth').write_bytes((trained / 'epoch_2.pth').read_bytes())
    (moved / 'last_checkpoint').write_text('/gone/epoch_2.pth')
    train(moved, '--resume', extra=PRETRAINED)

    assert (moved / 'epoch_3.pth').is_file()
    (config,) = moved.glob('toy_*.py')
    written = [Config.fromfile(config).model.backbone.get('init_cfg')]
    assert written == [dict(type='Pretrained', checkpoint=NOWHERE)]


def test_resume_without_a_checkpoint_starts_as_the_config_says(tmp_path, trained):
    cfg = runner.train_config(
        parse(
            'train',
            write_config(tmp_path),
            '--work-dir',
            tmp_path,
            '--resume',
            '--cfg-options',
            f'load_from={trained / "epoch_3.pth"}',
            'resume=True',
        )
    )
    assert cfg.resume is False
    assert cfg.load_from == str(trained / 'epoch_3.pth')


def test_resume_names_a_checkpoint_that_is_gone(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/gone/epoch_2.pth')
    with pytest.raises(runner.RunError, match='epoch_2.pth. does not exist'):
        runner.train_config(
            parse('train', write_config(tmp_path), '--work-dir', tmp_path, '--resume')
        )


def test_loop_is_left_alone_unless_checkpoints_fall_inside_epochs(tmp_path):
    plain = runner.train_config(parse('train', write_config(tmp_path)))
    assert plain.train_cfg == dict(by_epoch=True, max_epochs=3, val_interval=3)
    inside = runner.train_config(parse('train', write_config(tmp_path, SAVE_ITERS)))
    assert inside.train_cfg == dict(type='ResumableEpochLoop', max_epochs=3, val_interval=3)


@pytest.mark.parametrize('option', ['activation_checkpointing=backbone', 'sync_bn=torch'])
def test_switches_of_mmengine_train_the_same(tmp_path, option):
    for name, options in (('plain', []), ('switched', ['--cfg-options', option])):
        (tmp_path / name).mkdir()
        train(tmp_path / name, *options)
    plain, switched = (weights(tmp_path / name / 'epoch_3.pth') for name in ('plain', 'switched'))
    assert plain.keys() == switched.keys()
    for key, value in plain.items():
        torch.testing.assert_close(switched[key], value, msg=key)
