"""MMEngine's switches that PINet trains with: gradient checkpointing, synchronized batch norm."""

import pytest
import torch
from mmengine.model import convert_sync_batchnorm, revert_sync_batchnorm
from mmengine.runner import turn_on_activation_checkpointing

from tests.helpers.toys import build_codec, build_model, make_sample, people

SIZE = (64, 64)


def norms(model, kind=torch.nn.modules.batchnorm._BatchNorm):
    return [module for module in model.modules() if isinstance(module, kind)]


def step(model):
    """Losses and gradients of a step, and the bytes that autograd keeps for it."""
    codec, kept = build_codec('three', SIZE), []
    samples = [make_sample(codec, people(n, 5, SIZE, n)) for n in (2, 3)]
    inputs = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))

    def keep(tensor):
        kept.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = model.loss(inputs, samples)
    sum(losses.values()).backward()
    return losses, {name: value.grad for name, value in model.named_parameters()}, sum(kept)


@pytest.mark.parametrize(
    'modules, most',
    [('backbone', 0.5), (['backbone.stage2', 'backbone.stage3', 'backbone.stage4'], 0.95)],
)
def test_checkpointed_modules_give_equal_gradients(modules, most):
    plain, checkpointed = (build_model().train() for _ in range(2))
    turn_on_activation_checkpointing(checkpointed, modules)  # as Runner.train does
    losses, gradients, kept = step(plain)
    found, found_gradients, found_kept = step(checkpointed)
    for name, loss in losses.items():
        assert torch.equal(found[name], loss)
    for name, gradient in gradients.items():
        assert found_gradients[name] is not None, name
        torch.testing.assert_close(found_gradients[name], gradient, msg=name)
    assert gradients['backbone.conv1.weight'].abs().max() > 0
    assert 0 < found_kept < most * kept, found_kept / kept


def test_a_config_can_ask_for_synchronized_norms():
    # Every norm is replaced, the refinement's among them, and inference computes the same.
    model, inputs = build_model(), torch.randn(1, 3, *SIZE)
    count = len(norms(model))
    with torch.no_grad():
        expected = model.extract_feat(inputs)[-1]
        model = convert_sync_batchnorm(model, 'torch').eval()
        found = model.extract_feat(inputs)[-1]
    assert len(norms(model, torch.nn.SyncBatchNorm)) == count > 50
    assert isinstance(model.head.refinement.stem.bn, torch.nn.SyncBatchNorm)
    torch.testing.assert_close(found, expected)
    # What mmengine does with one process.
    assert norms(revert_sync_batchnorm(model), torch.nn.SyncBatchNorm) == []


@pytest.mark.parametrize('valid', [0, 1])
def test_a_process_without_proposals_answers_the_others(monkeypatch, valid):
    # A synchronized norm waits for all processes: one that skipped it would stop the training.
    refinement = convert_sync_batchnorm(build_model().head.refinement, 'torch').train()
    monkeypatch.setattr('pinet_mm.method.refinement._several_processes', lambda: True)
    asked = []
    monkeypatch.setattr(
        torch.nn.SyncBatchNorm,
        'forward',
        lambda self, nodes: asked.append(self) or nodes * self.weight + self.bias,
    )
    features = torch.randn(1, 60, 16, 16, requires_grad=True)
    poses_hm, centers_hm = torch.rand(1, 3, 5, 2) * 15, torch.randint(0, 16, (1, 3, 2))
    offsets = refinement(features, poses_hm, centers_hm, torch.arange(3)[None] < valid)
    assert len(asked) == len(norms(refinement))
    assert (offsets[0, valid:] == 0).all()
    offsets.sum().backward()
    assert [name for name, value in refinement.named_parameters() if value.grad is None] == []
