"""Resuming a training, inside an epoch too."""

from pathlib import Path

from pinet_mm import runner
from pinet_mm.errors import CheckpointError
from pinet_mm.runner.resuming import check_optimizers

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict

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
NAMED_LOOP = (
    SAVE_ITERS
    + """
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=3, val_interval=3)
"""
)
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
        (NAMED_LOOP, 'iter_18.pth', 'iter_9.pth'),
        (COUNT_ITERS, 'iter_18.pth', 'iter_9.pth'),
    ],
    ids=['epochs', 'iterations inside epochs', 'inside epochs of a named loop', 'iterations'],
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
    for extra in (SAVE_ITERS, NAMED_LOOP):
        inside = runner.train_config(parse('train', write_config(tmp_path, extra)))
        assert inside.train_cfg == dict(type='ResumableEpochLoop', max_epochs=3, val_interval=3)
    for extra in (COUNT_ITERS, 'train_cfg = dict(type="MyLoop", _delete_=True)\n' + SAVE_ITERS):
        other = runner.train_config(parse('train', write_config(tmp_path, extra))).train_cfg
        assert (other.get('by_epoch'), other.get('type')) in [(False, None), (None, 'MyLoop')]


def _other_shape(content):
    content['optimizer']['state'][0]['exp_avg'] = torch.zeros(1)


def _other_optimizer(content):
    (group,) = content['optimizer']['param_groups']
    group.pop('betas')
    group['momentum'] = 0.9


@pytest.mark.parametrize(
    'change, message',
    [
        (_other_shape, r'exp_avg must have the shape \(4, 3\); found \(1,\)'),
        (_other_optimizer, 'the state of an optimizer Adam lacks betas'),
    ],
)
def test_the_state_of_another_optimizer_is_refused(tmp_path, trained, change, message):
    content = torch.load(trained / 'epoch_2.pth', weights_only=True)
    change(content)
    torch.save(content, tmp_path / 'epoch_2.pth')
    with pytest.raises(CheckpointError, match=message) as error:
        train(tmp_path, '--resume')
    assert 'load_from=' in str(error.value) and '\n' not in str(error.value)


def test_states_of_several_optimizers_are_checked():
    weight = torch.nn.Parameter(torch.zeros(2))
    wrapper = OptimWrapperDict(
        a=OptimWrapper(torch.optim.Adam([torch.nn.Parameter(torch.zeros(3))])),
        b=OptimWrapper(torch.optim.SGD([weight], 0.1, momentum=0.9)),
    )
    state = wrapper['b'].optimizer.state
    for fits in ({}, dict(momentum_buffer=None), dict(momentum_buffer=torch.ones(2))):
        state[weight] = fits
        check_optimizers(wrapper)
    for odd in (5, dict(momentum_buffer=5), dict(momentum_buffer=torch.ones(1))):
        state[weight] = odd
        with pytest.raises(ValueError, match='must be a dict; found 5|must have the shape'):
            check_optimizers(wrapper)


@pytest.mark.parametrize('option', ['activation_checkpointing=backbone', 'sync_bn=torch'])
def test_switches_of_mmengine_train_the_same(tmp_path, option):
    for name, options in (('plain', []), ('switched', ['--cfg-options', option])):
        (tmp_path / name).mkdir()
        train(tmp_path / name, *options)
    plain, switched = (weights(tmp_path / name / 'epoch_3.pth') for name in ('plain', 'switched'))
    assert plain.keys() == switched.keys()
    for key, value in plain.items():
        torch.testing.assert_close(switched[key], value, msg=key)
