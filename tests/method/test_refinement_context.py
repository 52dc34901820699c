"""Features that the refinement reads of averaged maps, against plain loops."""

from pinet_mm.errors import InputError
from pinet_mm.method.refinement import PoseRefinement

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.refinements import EDGES, C, K, shake
from tests.helpers.refining import assert_all_learn, build_refining, make_batch

H, W = 16, 24


def make_net(context, train=False):
    torch.manual_seed(0)
    return shake(PoseRefinement(C, K, EDGES, 1, context=context)).double().train(train)


def make_inputs():
    """Features, poses of which some leave the map, integer centers."""
    torch.manual_seed(1)
    features = torch.randn(2, C, H, W, dtype=torch.float64)
    poses = torch.rand(2, 4, K, 2, dtype=torch.float64) * torch.tensor([W + 6, H + 6]) - 3
    centers = torch.stack((torch.randint(W, (2, 4)), torch.randint(H, (2, 4))), dim=-1)
    return features, poses, centers


def averaged(channel, window):
    """The mean of every n×n pixels (H, W), of fewer at the right and lower border, by loops."""
    h, w = channel.shape
    return np.array(
        [
            [
                np.mean(
                    [
                        channel[j, i]
                        for j in range(y, min(y + window, h))
                        for i in range(x, min(x + window, w))
                    ]
                )
                for x in range(0, w, window)
            ]
            for y in range(0, h, window)
        ]
    )


@pytest.mark.parametrize('context', [(), (2,), (2, 4), (3, 5), (17, 99)])
def test_each_keypoint_reads_every_map_where_it_lies_there(context):
    net, (features, poses, _) = make_net(context), make_inputs()
    found = net.read_nodes(features, poses)
    assert found.shape == (2, 4, K, (1 + len(context)) * C)
    for b, t, k in np.ndindex(2, 4, K):
        x, y = poses[b, t, k].tolist()
        expected = []
        for window in (1, *context):
            # Centers of the first averaged pixel and of the next one: (n - 1) / 2 and n further.
            at = [(side - (window - 1) / 2) / window for side in (x, y)]
            expected += [naive.bilinear(averaged(c, window), *at) for c in features[b].numpy()]
        np.testing.assert_allclose(found[b, t, k], expected, atol=1e-12)


def test_all_passes_read_maps_that_are_averaged_once(monkeypatch):
    net, (features, poses, centers) = make_net((2, 4)), make_inputs()
    net.num_passes, valid = 2, torch.ones(2, 4, dtype=torch.bool)
    first = net.refine_once(features, poses, centers, valid).offsets
    wanted = first + net.refine_once(features, poses - first, centers, valid).offsets
    sides, average = [], torch.nn.functional.avg_pool2d

    def count(maps, side, *args, **options):
        sides.append(side)
        return average(maps, side, *args, **options)

    monkeypatch.setattr(torch.nn.functional, 'avg_pool2d', count)
    assert torch.equal(net.refine(features, poses, centers, valid).offsets, wanted)
    assert sides == [2, 4]


def test_a_plane_reads_the_same_at_all_strides():
    # An average over pixels is the value in their middle: no map is shifted against another.
    net = make_net((2, 4))
    y, x = torch.meshgrid(torch.arange(float(H)), torch.arange(float(W)), indexing='ij')
    features = (3 * x - 2 * y + 1).double().expand(1, C, H, W)
    poses = 4 + torch.rand(1, 4, K, 2).double() * torch.tensor([W - 9, H - 9])
    expected = 3 * poses[..., 0] - 2 * poses[..., 1] + 1
    found = net.read_nodes(features, poses)
    torch.testing.assert_close(found, expected[..., None].expand_as(found))


def test_a_keypoint_sees_what_is_near_it():
    features, poses, centers = make_inputs()
    poses[:] = torch.tensor([9.0, 9.0])
    centers[:] = 0
    changed = features.clone()
    changed[:, :, 11, 11] += 5  # two pixels off, in the same four by four pixels
    for context, sees in (((), False), ((2,), True), ((4,), True)):
        net = make_net(context)
        one, other = (net(each, poses, centers) for each in (features, changed))
        assert torch.equal(one, other) != sees


@pytest.mark.parametrize('train', [True, False])
def test_channels_last_features_give_the_same(train):
    features, poses, centers = make_inputs()
    rows = features.contiguous(memory_format=torch.channels_last)
    with torch.set_grad_enabled(train):
        one, other = (make_net((2, 4), train)(each, poses, centers) for each in (features, rows))
    torch.testing.assert_close(one, other)
    assert one.any()


def test_running_statistics_fold_into_the_first_layer():
    net, (features, poses, _) = make_net((2, 4)), make_inputs()
    nodes = net.read_nodes(features, poses).flatten(0, 1)
    mixed = torch.stack([net.adjacency @ (pose @ net.stem.weight) for pose in nodes])
    step = net.stem.bn((mixed + net.stem.bias).flatten(0, 1)).view_as(mixed).relu()
    torch.testing.assert_close(net.stem(nodes, net.adjacency), step)


def test_without_windows_the_network_is_the_papers():
    torch.manual_seed(0)
    plain = PoseRefinement(C, K, EDGES)
    torch.manual_seed(0)
    empty = PoseRefinement(C, K, EDGES, context=())
    for name, value in plain.state_dict().items():
        assert torch.equal(value, empty.state_dict()[name]), name
    features, poses, _ = make_inputs()
    wanted = plain.sample_features(features, poses)
    assert torch.equal(plain.read_nodes(features, poses), wanted)


@pytest.mark.parametrize('counts', [(4, 2), (0, 0)])
def test_every_parameter_gets_a_finite_gradient(counts):
    head, (features, samples) = build_refining(dict(context=(2, 4))), make_batch(counts)
    assert head.refinement.stem.weight.shape == (36, 12)
    assert_all_learn(head, head.loss([features], samples))


def test_windows_are_counts_above_one():
    for window in (1, 2.5, True):
        with pytest.raises(InputError, match='a window of refinement.context must be'):
            PoseRefinement(C, K, EDGES, context=(window,))
    with pytest.raises(InputError, match='refinement.context must be a list of windows; found 2'):
        PoseRefinement(C, K, EDGES, context=2)
