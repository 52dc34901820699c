"""Trainings that go wrong: numbers that are not finite, and what is saved then."""

import math
from pathlib import Path
from types import SimpleNamespace

from pinet_mm.errors import RunError
from pinet_mm.runner.faults import MOST_IN_A_ROW, images_of, losses_of

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper

from tests.helpers.toy_runs import Toy, train, weights

EVERY_ITERATION = 'default_hooks = dict(checkpoint=dict(interval=1, by_epoch=False))'


@pytest.fixture
def poison(monkeypatch):
    """Let the losses of some forward passes, counted from 1, be another number."""

    def spoil(value, *passes):
        forward = Toy.forward

        def spoiled(self, x, y, mode='tensor'):
            found = forward(self, x, y, mode)
            if mode == 'loss' and self.passes in passes:
                found['loss'] = found['loss'] * value
            return found

        monkeypatch.setattr(Toy, 'forward', spoiled)

    return spoil


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_anything_is_saved(tmp_path, poison, value):
    poison(value, 3)
    message = rf'iteration 3, epoch 1: loss is {value}; images of the batch: unknown\. Nothing'
    with pytest.raises(RunError, match=message):
        train(tmp_path, extra=EVERY_ITERATION)
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_1.pth', 'iter_2.pth']
    assert all(value.isfinite().all() for value in weights(tmp_path / 'iter_2.pth').values())


def test_gradients_that_are_not_finite_stop_it_too(tmp_path, monkeypatch):
    # sqrt has an infinite slope at 0, though the loss there is 0.
    forward = Toy.forward

    def steep(self, x, y, mode='tensor'):
        found = forward(self, x, y, mode)
        if mode == 'loss' and self.passes == 2:
            found['loss'] = (self.head.weight * 0).square().sum().sqrt() + found['loss'] * 0
        return found

    monkeypatch.setattr(Toy, 'forward', steep)
    with pytest.raises(RunError, match='iteration 2, epoch 1: the gradients are not finite; '):
        train(tmp_path, extra=EVERY_ITERATION)


def test_bad_batches_are_passed_over_and_counted(tmp_path, poison):
    poison(math.nan, 2, 5)
    train(tmp_path, '--skip-bad-batches', extra=EVERY_ITERATION)
    found = {key: value for key, value in weights(tmp_path / 'iter_18.pth').items()}
    assert all(value.isfinite().all() for value in found.values())
    # What the batch would have taught is left out: nothing moved in iteration 2.
    train(tmp_path, '--resume', extra=EVERY_ITERATION)
    saved = torch.load(tmp_path / 'iter_18.pth', weights_only=True)
    assert saved['message_hub']['runtime_info']['skipped_batches'] == 2


def test_a_batch_that_is_passed_over_changes_nothing(tmp_path, poison):
    poison(math.nan, 2)
    keep = 'default_hooks = dict(checkpoint=dict(interval=1, by_epoch=False, max_keep_ckpts=-1))'
    train(tmp_path, '--skip-bad-batches', extra=keep)
    one, two, three = (weights(tmp_path / f'iter_{i}.pth') for i in (1, 2, 3))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not all(torch.equal(two[key], three[key]) for key in two)


def test_batches_are_not_passed_over_for_ever(tmp_path, poison):
    poison(math.nan, *range(1, 100))
    extra = 'train_cfg = dict(max_epochs=9)'
    with pytest.raises(RunError, match=f'iteration {MOST_IN_A_ROW + 1}, '):
        train(tmp_path, '--skip-bad-batches', extra=extra)


def test_weights_that_are_not_finite_are_not_saved(tmp_path, monkeypatch):
    # Statistics, which no gradient tells of.
    forward = Toy.forward

    def spoil(self, x, y, mode='tensor'):
        if mode == 'loss' and self.passes == 11:
            self.idle.running_mean.fill_(math.nan)
        return forward(self, x, y, mode)

    monkeypatch.setattr(Toy, 'forward', spoil)
    extra = 'default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))'
    message = r'1 weights are not finite, such as idle\.running_mean: nothing was saved'
    with pytest.raises(RunError, match=message):
        train(tmp_path, extra=extra)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    assert Path((tmp_path / 'last_checkpoint').read_text()).name == 'epoch_1.pth'


def test_losses_with_gradients_are_read_without_a_warning(recwarn):
    weight = torch.ones(1, requires_grad=True)
    outputs = dict(loss=2 * weight.sum(), loss_offset=0.5, grad_norm=weight)
    assert losses_of(outputs) == dict(loss=2.0, loss_offset=0.5)
    assert list(recwarn) == []


def test_the_guard_does_not_look_like_another_optimizer_to_schedulers(tmp_path, recwarn):
    train(tmp_path)
    assert 'has been overridden' not in ' '.join(str(each.message) for each in recwarn)


def test_images_are_named_by_path_or_id():
    samples = [SimpleNamespace(metainfo=dict(img_path='a/b.jpg')), SimpleNamespace(metainfo={})]
    assert images_of(dict(data_samples=samples)) == ['a/b.jpg', 'unknown']
    assert images_of(None) == [] and images_of(dict(x=1)) == []


def test_scaled_losses_are_left_to_the_scaler(tmp_path):
    from pinet_mm.runner import FiniteGuard

    parameter = torch.nn.Parameter(torch.ones(1))
    wrapper = OptimWrapper(torch.optim.SGD([parameter], lr=1.0))
    wrapper.loss_scaler = object()
    hub = MessageHub.get_instance('scaled')
    FiniteGuard().before_train(SimpleNamespace(optim_wrapper=wrapper, message_hub=hub))
    parameter.grad = torch.full((1,), math.inf)
    wrapper.step()
    assert parameter.item() == -math.inf  # the wrapper's own step was taken
