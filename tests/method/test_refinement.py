"""The refinement network against numpy and plain loops, and what must not influence a pose."""

import math

from pinet_mm.method.refinement import (
    GraphConv,
    GraphResidualBlock,
    PoseRefinement,
    normalized_adjacency,
)

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.refinements import EDGES, C, K, W, make_inputs, make_net, shake


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def arrays(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


# --- the network in numpy ------------------------------------------------------------------------


def batch_norm(values, state, prefix):
    """Normalize (..., C) with the running statistics."""
    scale = state[prefix + 'weight'] / np.sqrt(state[prefix + 'running_var'] + 1e-5)
    return (values - state[prefix + 'running_mean']) * scale + state[prefix + 'bias']


def graph_conv(nodes, adjacency, state, prefix):
    """ReLU(BN(A · (x · W) + b)) of one pose (K, C), keypoint by keypoint."""
    moved = [node @ state[prefix + 'weight'] for node in nodes]
    mixed = [
        sum(adjacency[i, j] * moved[j] for j in range(len(nodes))) + state[prefix + 'bias']
        for i in range(len(nodes))
    ]
    return np.maximum(batch_norm(np.array(mixed), state, prefix + 'bn.'), 0)


def refine_one(features, pose, center, state, num_layers):
    """Predict the refining offsets (K, 2) of one pose."""
    nodes = np.array([[naive.bilinear(channel, x, y) for channel in features] for x, y in pose])
    adjacency = state['adjacency']
    nodes = graph_conv(nodes, adjacency, state, 'stem.')
    for i in range(num_layers):
        inner = graph_conv(nodes, adjacency, state, f'blocks.{i}.conv1.')
        nodes = nodes + graph_conv(inner, adjacency, state, f'blocks.{i}.conv2.')
    x, y = center
    pooled = np.concatenate((nodes.mean(axis=0), nodes.max(axis=0), features[:, y, x]))
    hidden = state['predictor.0.weight'] @ pooled + state['predictor.0.bias']
    hidden = np.maximum(batch_norm(hidden, state, 'predictor.1.'), 0)
    return (state['predictor.3.weight'] @ hidden + state['predictor.3.bias']).reshape(-1, 2)


# --- adjacency -----------------------------------------------------------------------------------


def test_adjacency_by_hand():
    # Degrees with self loops: 2, 3, 2, 1.
    six = 1 / math.sqrt(6)
    expected = [[1 / 2, six, 0, 0], [six, 1 / 3, six, 0], [0, six, 1 / 2, 0], [0, 0, 0, 1]]
    found = normalized_adjacency(4, [(0, 1), (2, 1)])
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_adjacency_ignores_direction_and_repetition():
    once = normalized_adjacency(4, [(0, 1), (1, 2)])
    assert torch.equal(once, normalized_adjacency(4, [(1, 0), (2, 1), (1, 2), (0, 1)]))
    assert torch.equal(normalized_adjacency(3, []), torch.eye(3))


def test_network_starts_from_the_skeleton_and_can_learn_it():
    net = PoseRefinement(C, K, EDGES)
    assert torch.equal(net.adjacency, normalized_adjacency(K, EDGES))
    assert net.adjacency.requires_grad
    assert len(net.blocks) == 3


# --- graph convolution ---------------------------------------------------------------------------


def test_graph_conv_is_the_naive_loop():
    conv = shake(GraphConv(4)).double().eval()
    nodes, adjacency = torch.randn(3, K, 4).double(), torch.randn(K, K).double()
    expected = [graph_conv(pose.numpy(), adjacency.numpy(), arrays(conv), '') for pose in nodes]
    found = conv(nodes, adjacency).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found > 0).any() and (found == 0).any()


def test_graph_conv_in_training_normalizes_over_poses_and_keypoints():
    conv = shake(GraphConv(4)).double().train()
    nodes, adjacency = torch.randn(3, K, 4).double(), torch.randn(K, K).double()
    state = {name: value.copy() for name, value in arrays(conv).items()}
    mixed = np.array([adjacency.numpy() @ pose.numpy() @ state['weight'] for pose in nodes])
    mixed = (mixed + state['bias']).reshape(-1, 4)
    mean, variance = mixed.mean(axis=0), mixed.var(axis=0)
    expected = (mixed - mean) / np.sqrt(variance + 1e-5) * state['bn.weight'] + state['bn.bias']
    found = conv(nodes, adjacency).detach().numpy().reshape(-1, 4)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-12)
    running = 0.9 * state['bn.running_mean'] + 0.1 * mean
    np.testing.assert_allclose(conv.bn.running_mean, running, atol=1e-12)
    running = 0.9 * state['bn.running_var'] + 0.1 * mixed.var(axis=0, ddof=1)
    np.testing.assert_allclose(conv.bn.running_var, running, atol=1e-12)


def test_graph_conv_initialization():
    conv = GraphConv(256)
    # Xavier uniform with gain √2: U(±√2 · √(6 / 512)); biases U(±1/16).
    bound = math.sqrt(2) * math.sqrt(6 / 512)
    assert conv.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert conv.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert conv.bias.abs().max().item() == pytest.approx(1 / 16, rel=0.05)
    assert conv.bias.abs().max() <= 1 / 16


def test_residual_block_adds_what_two_convolutions_find():
    block = shake(GraphResidualBlock(4)).eval()
    nodes, adjacency = torch.randn(3, K, 4), torch.randn(K, K)
    inner = block.conv2(block.conv1(nodes, adjacency), adjacency)
    torch.testing.assert_close(block(nodes, adjacency), nodes + inner)
    assert (block(nodes, adjacency) < 0).any()  # nothing follows the sum
    torch.nn.init.zeros_(block.conv2.bn.weight)
    torch.nn.init.zeros_(block.conv2.bn.bias)
    assert torch.equal(block(nodes, adjacency), nodes)


# --- the whole network ---------------------------------------------------------------------------


@pytest.mark.parametrize('num_layers', [0, 1, 3])
def test_refinement_is_the_naive_network(num_layers):
    net, (features, poses, centers) = make_net(num_layers), make_inputs()
    found = net(features, poses, centers)
    assert found.shape == (2, 4, K, 2)
    for b, t in np.ndindex(2, 4):
        expected = refine_one(
            features[b].numpy(),
            poses[b, t].numpy(),
            centers[b, t].tolist(),
            arrays(net),
            num_layers,
        )
        np.testing.assert_allclose(found[b, t].detach(), expected, atol=1e-10)


@pytest.mark.parametrize('train', [True, False])
def test_a_zeroed_last_layer_is_the_identity(train):
    net = make_net(train=train)
    torch.nn.init.zeros_(net.predictor[-1].weight)
    torch.nn.init.zeros_(net.predictor[-1].bias)
    assert not net(*make_inputs()).any()


def test_poses_outside_the_map_see_zeros():
    net, (features, poses, centers) = make_net(), make_inputs()
    poses[1, 2] = torch.tensor([W + 50.0, -3.0])
    x, y = centers[1, 2]
    expected = net.refine_nodes(torch.zeros(1, K, C).double(), features[1, :, y, x][None])
    torch.testing.assert_close(net(features, poses, centers)[1, 2], expected[0])


@pytest.mark.parametrize('train', [True, False])
def test_input_poses_and_features_stay_as_they_are(train):
    net, inputs = make_net(train=train), make_inputs()
    before = [tensor.clone() for tensor in inputs]
    net(*inputs, torch.tensor([[True] * 4, [False] * 4]))
    assert all(map(torch.equal, inputs, before))


# --- valid poses ---------------------------------------------------------------------------------


def test_a_batch_gives_what_its_images_give():
    net, (features, poses, centers) = make_net(), make_inputs(b=3)
    valid = torch.tensor([[True] * 4, [False, True, False, False], [False] * 4])
    together = net(features, poses, centers, valid)
    assert not together[~valid].any() and together[valid].all()
    for i in range(3):
        count = valid[i].sum()
        alone = net(features[i : i + 1], poses[i : i + 1, valid[i]], centers[i : i + 1, valid[i]])
        assert alone.shape == (1, count, K, 2)
        torch.testing.assert_close(together[i, valid[i]], alone[0])


def test_running_statistics_fold_into_the_weights():
    net, (features, poses, _) = make_net(), make_inputs()
    nodes = net.sample_features(features, poses).flatten(0, 1)
    for conv in (net.stem, net.blocks[0].conv1, net.blocks[1].conv2):
        mixed = torch.stack([net.adjacency @ (pose @ conv.weight) for pose in nodes]) + conv.bias
        step = conv.bn(mixed.flatten(0, 1)).view_as(mixed).relu()
        torch.testing.assert_close(conv(nodes, net.adjacency), step)
        assert step.any()


def test_all_poses_are_valid_by_default():
    net, inputs = make_net(), make_inputs()
    everything = torch.ones(2, 4, dtype=torch.bool)
    assert torch.equal(net(*inputs), net(*inputs, everything))


def test_only_valid_poses_enter_the_batch_statistics():
    features, poses, centers = make_inputs(b=1, t=6)
    valid = torch.tensor([[True, False, True, True, False, False]])
    masked, alone = make_net(train=True), make_net(train=True)
    alone.load_state_dict(masked.state_dict())
    found = masked(features, poses, centers, valid)
    expected = alone(features, poses[:, valid[0]], centers[:, valid[0]])
    torch.testing.assert_close(found[valid], expected[0])
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(masked.state_dict()[name], value, msg=name)
    assert masked.stem.bn.num_batches_tracked == 1


@pytest.mark.parametrize('count', [0, 1])
def test_too_few_poses_leave_the_batch_statistics_alone(count):
    net, inputs = make_net(train=True), make_inputs(b=1)
    before = {name: value.clone() for name, value in net.named_buffers()}
    refining = net(*inputs, torch.arange(4)[None] < count)
    assert not refining.any()
    assert all(torch.equal(before[name], value) for name, value in net.named_buffers())
