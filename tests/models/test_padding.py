"""Constant padding and folded norms compute what timm's networks compute."""

import copy

from pinet_mm.models.norms import fuse_norms
from pinet_mm.models.padding import ConstantSameConv2d, make_padding_constant

import pytest
import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from tests.helpers import toys
from tests.helpers.timm_networks import LITE, assert_same_maps, build, noise

# --- padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'kernel, stride, dilation',
    [(3, 2, 1), (5, 2, 1), (3, 1, 1), (4, 1, 1), (3, 2, 2), (7, 4, 1), (1, 2, 1)],
)
@pytest.mark.parametrize('size', [(8, 12), (7, 12), (9, 13)])
def test_constant_padding_is_timms(kernel, stride, dilation, size):
    torch.manual_seed(0)
    conv = Conv2dSame(3, 4, kernel, stride=stride, dilation=dilation)
    other = nn.Sequential(copy.deepcopy(conv))
    assert make_padding_constant(other) == 1 and make_padding_constant(other) == 0
    assert type(other[0]) is ConstantSameConv2d
    assert torch.equal(other(noise(2, 3, *size)), conv(noise(2, 3, *size)))
    assert list(other[0].state_dict()) == list(conv.state_dict())


def test_constant_padding_is_a_constant_of_the_graph():
    conv = nn.Sequential(Conv2dSame(3, 4, 5, stride=2))
    make_padding_constant(conv)
    height = torch.export.Dim('height', min=1, max=64)
    program = torch.export.export(conv, (noise(1, 3, 64, 64),), dynamic_shapes=({2: 32 * height},))
    pads = [node.args[1] for node in program.graph.nodes if 'pad' in str(node.target)]
    assert pads == [[1, 2, 1, 2]]


def test_a_tf_network_is_timms():
    net = timm.create_model(LITE, features_only=True, out_indices=(1, 2, 3, 4))
    backbone = build(LITE)
    assert sum(type(each) is ConstantSameConv2d for each in backbone.modules()) == 5
    assert list(backbone.net.state_dict()) == list(net.state_dict())
    backbone.net.load_state_dict(net.state_dict())
    assert_same_maps(backbone, net)


# --- folded norms --------------------------------------------------------------------------------


class Branches(nn.Module):
    """A norm of a sum, registered behind a convolution; and a convolution that is used twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.twice, self.twice_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.last, self.last_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.given, self.given_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.norm(self.first(x) + self.second(x))
        y = self.twice(x)
        x = self.last_norm(self.last(y + self.twice_norm(y)))
        z = self.given(x)
        return z, self.given_norm(z)


def test_norms_are_folded_where_they_alone_take_a_convolution():
    net = toys.scramble(Branches()).eval()
    folded = copy.deepcopy(net)
    assert fuse_norms(folded, lambda: folded(noise(1, 3, 4, 4))) == 1
    assert isinstance(folded.last_norm, nn.Identity)
    assert sum(isinstance(each, nn.BatchNorm2d) for each in folded.modules()) == 3
    for one, other in zip(folded(noise(2, 3, 5, 5)), net(noise(2, 3, 5, 5)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('name', ['repvit_m0_9', 'ghostnetv2_100', LITE])
def test_folding_keeps_the_maps_of_a_network(name):
    backbone = toys.scramble(build(name)).eval()
    folded = copy.deepcopy(backbone)
    with torch.no_grad():
        assert fuse_norms(folded, lambda: folded(noise(1, 3, 64, 64))) > 40
        for one, other in zip(folded(noise(1, 3, 64, 64)), backbone(noise(1, 3, 64, 64))):
            assert (one - other).norm() < 1e-4 * other.norm()
