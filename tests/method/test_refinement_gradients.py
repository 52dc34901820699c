"""Pose Refinement: what gets a gradient, and from which poses."""

from pinet_mm.method.refinement import (
    PoseRefinement,
)

import pytest
import torch

from tests.helpers.refinements import C, H, K, W, make_inputs, make_net, shake


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.mark.parametrize('train', [True, False])
@pytest.mark.parametrize('count', [0, 1, 2, 4])
def test_every_parameter_gets_a_gradient(train, count):
    net, inputs = make_net(train=train), make_inputs(b=1)
    net(*inputs, torch.arange(4)[None] < count).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if count < (2 if train else 1):
            assert not parameter.grad.any(), name
    if count == 4:
        # In training the statistics take out what a bias before them adds.
        silent = [
            name for name, parameter in net.named_parameters() if parameter.grad.abs().max() < 1e-9
        ]
        assert all(train and name.endswith('bias') and 'bn' not in name for name in silent)


@pytest.mark.parametrize('train', [True, False])
def test_images_without_proposals_get_gradients(train):
    net = make_net(train=train)
    refining = net(
        torch.randn(2, C, H, W).double(),
        torch.zeros(2, 0, K, 2).double(),
        torch.zeros(2, 0, 2, dtype=torch.long),
    )
    assert refining.shape == (2, 0, K, 2)
    refining.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize('train', [True, False])
def test_features_learn_from_valid_poses_only(train):
    net, (features, poses, centers) = make_net(train=train), make_inputs(b=2)
    features.requires_grad_()
    valid = torch.tensor([[True, True, False, False], [False] * 4])
    poses[0, :2] = torch.rand(2, K, 2) * 2  # in pixels 0 to 2
    poses[0, :2, 0] = 0.5
    poses[0, 2:] = 5.5
    centers[0] = torch.tensor([[0, 1], [1, 0], [8, 6], [4, 4]])
    net(features, poses, centers, valid).square().sum().backward()
    touched = features.grad.abs().amax(dim=1) > 0
    assert touched[0, :2, :2].all()
    assert not touched[0, 3:].any() and not touched[0, :, 3:].any() and not touched[1].any()


def test_junk_in_invalid_poses_reaches_nothing():
    net, (features, poses, centers) = make_net(train=True), make_inputs(b=1)
    features.requires_grad_()
    valid = torch.tensor([[True, True, True, False]])
    gradients = []
    for junk in (3.0, 1e30):
        poses[0, 3] = junk
        features.grad = None
        net(features, poses, centers, valid).square().sum().backward()
        gradients.append(features.grad)
    assert torch.equal(*gradients) and gradients[0].isfinite().all()


def test_gradients_are_derivatives():
    net = shake(PoseRefinement(3, 4, [(0, 1), (1, 2)], num_layers=1)).double().eval()
    features = torch.randn(1, 3, 3, 4, dtype=torch.float64)
    poses = torch.randint(-1, 4, (1, 2, 4, 2)) + 0.1 + 0.8 * torch.rand(1, 2, 4, 2).double()
    centers = torch.tensor([[[0, 1], [3, 2]]])
    names, values = zip(*net.named_parameters())

    def refine(features, poses, *parameters):
        return torch.func.functional_call(
            net, dict(zip(names, parameters)), (features, poses, centers)
        )

    inputs = [tensor.detach().clone().requires_grad_() for tensor in (features, poses, *values)]
    assert torch.autograd.gradcheck(refine, inputs)


@torch.no_grad()
def test_products_in_half_precision():
    # bfloat16 rounds by at most 1/256; the sums of the blocks and the predictions are not rounded.
    net = shake(PoseRefinement(C, K, [(0, 1), (1, 2)], num_layers=2)).eval()
    nodes, center = torch.randn(6, K, C), torch.randn(6, C)
    expected = net.refine_nodes(nodes, center)
    net.product_dtype = torch.bfloat16
    found = net.refine_nodes(nodes, center)
    assert found.dtype is torch.float32
    assert 1e-5 < (found - expected).norm() / expected.norm() < 0.02
