"""The light neck: its values, where it ends, and what it refuses."""

from pinet_mm.models import SeparableFPN

import pytest
import torch
import torch.nn.functional as F

from tests.helpers.toys import scramble


def feats(*channels, side=16):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, count, side >> i, (side >> i) * 2, generator=generator)
        for i, count in enumerate(channels)
    ]


def normed(x, norm):
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def separable(x, block):
    y = F.conv2d(
        x, block.depthwise.weight, padding=block.depthwise.weight.shape[-1] // 2, groups=x.shape[1]
    )
    y = normed(y, block.depthwise_norm).clamp(min=0)
    return (y + normed(F.conv2d(y, block.pointwise.weight), block.norm)).clamp(min=0)


def test_maps_are_merged_from_coarse_to_fine():
    neck = scramble(SeparableFPN((3, 5, 7), 4, kernel_size=3, num_blocks=1, num_final_blocks=2))
    maps = feats(3, 5, 7)
    with torch.no_grad():
        (found,) = neck.eval()(maps)
        expected = None
        for i in (2, 1, 0):
            conv, norm = neck.laterals[i]
            own = normed(F.conv2d(maps[i], conv.weight), norm)
            if expected is not None:
                own = own + F.interpolate(expected, scale_factor=2, mode='bilinear')
            expected = own
            for block in neck.blocks[i]:
                expected = separable(expected, block)
    torch.testing.assert_close(found, expected)
    assert found.shape == (2, 4, 16, 32) and found.std() > 0.1


def test_counts_of_convolutions():
    neck = SeparableFPN((3, 5, 7), 4, num_blocks=3, num_final_blocks=2)
    assert [len(blocks) for blocks in neck.blocks] == [2, 3, 3]
    assert {block.depthwise.kernel_size for blocks in neck.blocks for block in blocks} == {(5, 5)}
    assert (neck.in_channels, neck.out_channels) == ((3, 5, 7), 4)


def test_one_map_is_enough():
    neck = SeparableFPN([3], 4).eval()
    assert neck(feats(3))[0].shape == (2, 4, 16, 32)


def test_sides_need_not_be_halves():
    neck = SeparableFPN((3, 5), 4).eval()
    (found,) = neck([torch.randn(1, 3, 9, 7), torch.randn(1, 5, 5, 4)])
    assert found.shape == (1, 4, 9, 7)


def test_every_parameter_learns():
    neck = SeparableFPN((3, 5, 7), 4)
    neck(feats(3, 5, 7))[0].pow(2).sum().backward()
    assert [
        name
        for name, value in neck.named_parameters()
        if value.grad is None or not value.grad.any()
    ] == []


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(in_channels=()),
            r'in_channels must be a list of the channels of every map; found \(\)',
        ),
        (dict(in_channels=24), 'in_channels must be a list of the channels of every map; found 24'),
        (dict(in_channels=(3, 0)), 'in_channels must be integers from 1; found 0'),
        (dict(out_channels=0), 'out_channels must be integers from 1; found 0'),
        (dict(out_channels=4.0), r'out_channels must be integers from 1; found 4\.0'),
        (dict(num_blocks=0), 'num_blocks must be integers from 1; found 0'),
        (dict(num_final_blocks=True), 'num_final_blocks must be integers from 1; found True'),
        (dict(kernel_size=4), 'kernel_size must be odd; found 4'),
        (dict(kernel_size=-3), 'kernel_size must be integers from 1; found -3'),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        SeparableFPN(**dict(dict(in_channels=(3, 5), out_channels=4), **options))


def test_all_maps_are_needed():
    with pytest.raises(ValueError, match='3 feature maps are needed; found 2'):
        SeparableFPN((3, 5, 7), 4)(feats(3, 5))
