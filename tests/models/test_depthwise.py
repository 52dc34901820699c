"""Depthwise convolutions that train with their own weight gradient: autograd's, names, copies."""

import copy
from types import SimpleNamespace

from pinet_mm.models import CompiledDepthwiseHook, SeparableFPN, TimmBackbone, depthwise
from pinet_mm.models.padding import make_padding_constant

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from timm.layers import Conv2dSame
from torch import nn

KINDS = [(3, 1, False), (5, 1, False), (3, 2, False), (5, 2, False), (3, 2, True), (5, 2, True)]


@pytest.fixture
def eager(monkeypatch):
    """Compute the gradient without compiling it; counts how often."""
    calls = []

    def compute(*args):
        calls.append(args[2:])
        return depthwise.weight_gradient(*args)

    monkeypatch.setattr(depthwise, 'compiled_gradient', lambda: compute)
    return calls


def pair(kernel, stride, same):
    """A depthwise convolution, and its copy with the other gradient."""
    torch.manual_seed(0)
    options = dict(stride=stride, groups=6, bias=False)
    plain = nn.Sequential(
        Conv2dSame(6, 6, kernel, **options)
        if same
        else nn.Conv2d(6, 6, kernel, padding=kernel // 2, **options)
    )
    make_padding_constant(plain)
    other = copy.deepcopy(plain)
    assert depthwise.compile_depthwise_gradients(other) == 1
    return plain, other


def gradients(net, amp=False, size=(8, 12), seed=1):
    torch.manual_seed(seed)
    x = torch.randn(2, 6, *size, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        y = net(x)
    y.backward(torch.randn(y.shape).to(y.dtype))
    return y.detach(), x.grad, net[0].weight.grad


@pytest.mark.parametrize('kind', KINDS)
def test_gradients_are_autograds(kind, eager):
    plain, other = pair(*kind)
    for found, expected in zip(gradients(other), gradients(plain), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert eager == [kind[:2]]


@pytest.mark.parametrize('kind', [(3, 1, False), (5, 2, False), (5, 2, True)])
def test_odd_sides(kind, eager):
    plain, other = pair(*kind)
    for found, expected in zip(
        gradients(other, size=(9, 7)), gradients(plain, size=(9, 7)), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert len(eager) == 1


@pytest.mark.parametrize('kind', KINDS)
def test_gradients_under_autocast(kind, eager):
    # Both round what they give to bfloat16, which has 8 binary digits.
    plain, other = pair(*kind)
    found, expected = gradients(other, amp=True), gradients(plain, amp=True)
    assert found[0].dtype is torch.bfloat16 and found[2].dtype is torch.float32
    assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])
    torch.testing.assert_close(found[2], expected[2], rtol=2**-7, atol=1e-3)
    assert len(eager) == 1


def test_a_first_layer_gives_no_gradient_of_images(eager):
    plain, other = pair(3, 2, False)
    images = torch.randn(1, 6, 8, 8)
    for net in (plain, other):
        net(images).square().sum().backward()
    torch.testing.assert_close(other[0].weight.grad, plain[0].weight.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('kind', [(3, 1, False), (5, 2, True)])
def test_nothing_changes_outside_training(kind, eager):
    plain, other = pair(*kind)
    x = torch.randn(2, 6, 8, 8, requires_grad=True)
    assert torch.equal(other.eval()(x), plain.eval()(x))
    other(x).sum().backward()
    with torch.no_grad():
        assert torch.equal(other.train()(x), plain(x))
    other.requires_grad_(False)
    other(x).sum().backward()
    assert eager == []
    other.requires_grad_(True)
    other(x).sum().backward()
    assert len(eager) == 1


def test_other_convolutions_stay():
    others = [
        nn.Conv2d(6, 6, 3, groups=6),
        nn.Conv2d(6, 6, 3, groups=3, bias=False),
        nn.Conv2d(6, 12, 3, groups=6, bias=False),
        nn.Conv2d(1, 1, 3, bias=False),
        nn.Conv2d(6, 6, 3, groups=6, dilation=2, bias=False),
        nn.Conv2d(6, 6, (1, 3), groups=6, bias=False),
        nn.Conv2d(6, 6, 3, stride=(1, 2), groups=6, bias=False),
        nn.Conv2d(6, 6, 3, padding='same', groups=6, bias=False),
        nn.Conv2d(6, 6, 3, padding=1, padding_mode='reflect', groups=6, bias=False),
    ]
    kinds = [type(each) for each in others]
    assert depthwise.compile_depthwise_gradients(nn.ModuleList(others)) == 0
    assert [type(each) for each in others] == kinds


@pytest.fixture
def network():
    torch.manual_seed(0)
    backbone = TimmBackbone('tf_efficientnet_lite0', frozen_stages=1)
    return nn.Sequential(backbone, SeparableFPN(backbone.channels, 8)).train()


def test_a_whole_network_learns_the_same_and_its_checkpoints_are_plain(network, eager):
    other = copy.deepcopy(network)
    assert depthwise.compile_depthwise_gradients(other) == 16 + 5
    assert list(other.state_dict()) == list(network.state_dict())
    images = torch.randn(2, 3, 64, 64)
    for net in (network, other):
        net(images)[0].square().mean().backward()
    for (name, found), expected in zip(other.named_parameters(), network.parameters(), strict=True):
        assert (found.grad is None) == (expected.grad is None), name
        if found.grad is not None:
            assert (found.grad - expected.grad).norm() <= 1e-3 * expected.grad.norm() + 1e-6, name
    assert len(eager) == 15 + 5  # the first stage is frozen
    network.load_state_dict(other.state_dict())


def test_copies_and_moving_averages_work(network, eager):
    depthwise.compile_depthwise_gradients(network)
    copied = copy.deepcopy(network)
    average = ExponentialMovingAverage(network, momentum=0.5)
    copied(torch.randn(2, 3, 64, 64))[0].mean().backward()
    assert eager and next(network[1].parameters()).grad is None
    with torch.no_grad():
        network[1].blocks[0][0].depthwise.weight.add_(1)
    average.update_parameters(network)
    average.update_parameters(network)
    assert list(average.module.state_dict()) == list(network.state_dict())
    assert average.module(torch.randn(1, 3, 64, 64))[0].isfinite().all()


class FakeRunner:
    def __init__(self, model):
        self.model, self.said = model, []
        self.logger = SimpleNamespace(info=self.said.append, warning=self.said.append)


def test_the_hook_changes_a_model_on_the_cpu(network, monkeypatch):
    monkeypatch.setattr(depthwise, '_can_compile', lambda: True)
    runner = FakeRunner(network)
    CompiledDepthwiseHook().before_train(runner)
    assert runner.said == ['21 depthwise convolutions with a compiled gradient']
    CompiledDepthwiseHook().before_train(runner)
    assert runner.said[1:] == ['0 depthwise convolutions with a compiled gradient']


def test_the_hook_leaves_other_devices_and_models_alone(network):
    kinds = [type(each) for each in network.modules()]
    runner = FakeRunner(network.to('meta'))
    CompiledDepthwiseHook().before_train(runner)
    assert runner.said == [] and [type(each) for each in network.modules()] == kinds
    plain = nn.Conv2d(3, 3, 3)
    CompiledDepthwiseHook().before_train(FakeRunner(plain))
    assert type(plain) is nn.Conv2d


def test_without_a_compiler_the_hook_warns_and_changes_nothing(network, monkeypatch):
    monkeypatch.setattr(depthwise, '_can_compile', lambda: False)
    kinds = [type(each) for each in network.modules()]
    runner = FakeRunner(network)
    CompiledDepthwiseHook().before_train(runner)
    assert 'torch.compile found no C++ compiler' in runner.said[0] and len(runner.said) == 1
    assert [type(each) for each in network.modules()] == kinds


def test_a_failure_is_told_by_the_class_that_every_torch_has(monkeypatch):
    failure = torch._dynamo.exc.BackendCompilerFailed

    def fails(*args):
        raise failure.__new__(failure)  # what its constructor takes differs

    monkeypatch.setattr(torch, 'compile', lambda function: fails)
    assert not depthwise._can_compile()


def test_as_many_shapes_are_compiled_as_a_network_has(monkeypatch):
    limit = torch._dynamo.config.cache_size_limit
    monkeypatch.setattr(
        torch, 'compile', lambda *_, **__: lambda: torch._dynamo.config.cache_size_limit
    )
    assert depthwise.compiled_gradient.__wrapped__()() == depthwise.MOST_SHAPES > limit
    assert torch._dynamo.config.cache_size_limit == limit


@pytest.mark.slow
@pytest.mark.parametrize('amp', [False, True])
def test_the_compiled_loop_is_the_same(amp):
    for kind in KINDS:
        plain, other = pair(*kind)
        found, expected = gradients(other, amp), gradients(plain, amp)
        torch.testing.assert_close(
            found[2], expected[2], rtol=2**-7 if amp else 1e-5, atol=1e-3 if amp else 1e-5
        )
