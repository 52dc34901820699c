"""Training in bfloat16 on a CPU, and what --amp makes of a config."""

from contextlib import contextmanager

from pinet_mm import runner

import pytest
import torch
from torch import nn

from tests.helpers.toy_runs import Toy, parse, train, weights, write_config


def build_wrapper(model, **settings):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return runner.CPUAmpOptimWrapper(optimizer=optimizer, **settings)


def test_cpu_amp_computes_in_bfloat16_and_learns():
    torch.manual_seed(0)
    model, x = Toy(dict(type='ToyBackbone')), torch.rand(8, 3)
    data = dict(x=x, y=x.sum(1, keepdim=True))
    wrapper = build_wrapper(model, dtype='bfloat16')
    losses = [model.train_step(data, wrapper)['loss'].item() for _ in range(30)]

    assert model.dtype is torch.bfloat16
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses[-1] < 0.2 * losses[0]
    with wrapper.optim_context(model):
        loss = model(**data, mode='loss')['loss']
    loss.backward()
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    assert model(x, data['y'])['loss'].dtype is torch.float32
    assert model.dtype is torch.float32  # outside the context


class Synced(nn.Linear):
    """A model that counts, as DDP has it, how often it was told not to synchronize gradients."""

    unsynced = 0

    @contextmanager
    def no_sync(self):
        self.unsynced += 1
        yield


def test_cpu_amp_accumulates_gradients_without_synchronizing_them():
    model = Synced(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    wrapper = build_wrapper(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    seen = []
    for _ in range(4):
        with wrapper.optim_context(model):
            loss = -model(torch.ones(1, 1)).float().sum()
        wrapper.update_params(loss)
        seen.append((round(model.weight.item(), 4), model.unsynced))
    assert seen == [(0.0, 1), (0.1, 1), (0.1, 2), (0.2, 2)]


def test_cpu_amp_refuses_float16():
    with pytest.raises(ValueError, match="must be 'bfloat16' on a CPU, got 'float16'"):
        build_wrapper(nn.Linear(1, 1), dtype='float16')


def test_cpu_amp_refuses_a_model_elsewhere():
    model = nn.Linear(1, 1, device='meta')
    with pytest.raises(RuntimeError, match='the model is on meta: use AmpOptimWrapper'):
        with build_wrapper(model).optim_context(model):
            pass


def test_amp_option_on_a_cpu(tmp_path, monkeypatch, bfloat16):
    monkeypatch.setattr(runner.settings, 'get_device', lambda: 'cpu')
    config = write_config(
        tmp_path, "optim_wrapper = dict(type='AmpOptimWrapper', loss_scale=512., use_fsdp=True)"
    )
    wrapper = runner.train_config(parse('train', config, '--amp')).optim_wrapper
    assert wrapper.type == 'CPUAmpOptimWrapper'
    assert set(wrapper) == {'type', 'optimizer'}


def test_amp_option_on_a_cpu_without_bfloat16(tmp_path, monkeypatch, without_bfloat16):
    monkeypatch.setattr(runner.settings, 'get_device', lambda: 'cpu')
    config = write_config(
        tmp_path, "optim_wrapper = dict(type='AmpOptimWrapper', loss_scale=512., dtype='bfloat16')"
    )
    wrapper = runner.train_config(parse('train', config, '--amp')).optim_wrapper
    assert wrapper.type == 'OptimWrapper' and set(wrapper) == {'type', 'optimizer'}
    assert len(without_bfloat16) == 1 and '--amp' in without_bfloat16[0]


def test_amp_option_on_a_gpu_keeps_the_dtype(tmp_path, monkeypatch):
    monkeypatch.setattr(runner.settings, 'get_device', lambda: 'cuda')
    wrapper = runner.train_config(
        parse(
            'train',
            write_config(tmp_path),
            '--amp',
            '--cfg-options',
            'optim_wrapper.dtype=bfloat16',
        )
    ).optim_wrapper
    assert (wrapper.type, wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')
    assert wrapper.dtype == 'bfloat16'


def test_amp_option_refuses_other_wrappers(tmp_path):
    config = write_config(tmp_path, "optim_wrapper = dict(type='ApexOptimWrapper')")
    with pytest.raises(runner.RunError, match='--amp cannot replace .* ApexOptimWrapper'):
        runner.train_config(parse('train', config, '--amp'))


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without CUDA')
def test_training_with_amp_on_a_cpu(tmp_path, trained, bfloat16):
    train(tmp_path, '--amp')
    half, full = weights(tmp_path / 'epoch_3.pth'), weights(trained / 'epoch_3.pth')
    difference = max((half[key] - full[key]).abs().max() for key in full)
    assert 0 < difference < 0.02
    assert torch.bfloat16 not in {value.dtype for value in half.values()}
