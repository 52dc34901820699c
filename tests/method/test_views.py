"""The mirrored and the scaled views: where their pixels come from; all maps share one origin."""

from pinet_mm.method.views import (
    ViewMirror,
    mirror_inputs,
    mirror_maps,
    mirror_points,
    scale_inputs,
    scaled_side,
)
from pinet_mm.models.codec import PINetCodec

import numpy as np
import pytest
import torch

from studies import naive


def noise(w_in, channels=3, h_in=8):
    return torch.randn(2, channels, h_in, w_in, generator=torch.Generator().manual_seed(w_in))


# --- mirrored ------------------------------------------------------------------------------------


@pytest.mark.parametrize('stride', [1, 2, 4])
@pytest.mark.parametrize('w_in', [8, 32])
def test_mirrored_inputs_by_loops(stride, w_in):
    inputs = noise(w_in)
    mirrored = mirror_inputs(inputs, stride)
    assert mirrored.shape == inputs.shape
    for x in range(w_in):
        source = w_in - 1 - x - (stride - 1)
        expected = inputs[..., source] if source >= 0 else torch.zeros(2, 3, 8)
        assert torch.equal(mirrored[..., x], expected)


def test_mirrored_inputs_by_hand():
    row = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8.0])
    assert mirror_inputs(row[None], 4)[0].tolist() == [5, 4, 3, 2, 1, 0, 0, 0]
    assert mirror_inputs(row[None], 1)[0].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    # The last three columns are lost, so that pixel 4i of one view is a pixel 4i of the other.
    assert mirror_inputs(mirror_inputs(row[None], 4), 4)[0].tolist() == [1, 2, 3, 4, 5, 0, 0, 0]


@pytest.mark.parametrize('stride', [2, 4, 8])
def test_mirroring_inputs_twice_is_the_identity_away_from_the_border(stride):
    inputs = noise(64)
    twice = mirror_inputs(mirror_inputs(inputs, stride), stride)
    keep = 64 - (stride - 1)
    assert torch.equal(twice[..., :keep], inputs[..., :keep])
    assert not twice[..., keep:].any()


@pytest.mark.parametrize('stride', [2, 4])
def test_maps_of_the_mirrored_view_lie_on_the_plain_ones(stride):
    inputs = noise(48)
    plain, mirrored = (
        view[..., ::stride, ::stride] for view in (inputs, mirror_inputs(inputs, stride))
    )
    assert not torch.equal(mirrored, plain)
    assert torch.equal(mirror_maps(mirrored, (0, 1, 2)), plain)


def test_a_symmetric_filter_keeps_the_maps_aligned():
    # A network that looks at input pixels 4i - 2 to 4i + 2; only the border pixel sees the rim.
    kernel = torch.tensor([[[[1, 3, 4, 3, 1.0]]]])
    inputs = noise(64, channels=1)
    plain, mirrored = (
        torch.conv2d(view, kernel, stride=4, padding=(0, 2))
        for view in (inputs, mirror_inputs(inputs, 4))
    )
    back = mirror_maps(mirrored, (0,))
    torch.testing.assert_close(back[..., :-1], plain[..., :-1])
    unmoved = mirror_maps(torch.conv2d(inputs.flip(-1), kernel, stride=4, padding=(0, 2)), (0,))
    assert (unmoved - plain).abs()[..., :-1].max() > 1


def test_mirrored_maps_swap_channels():
    maps = noise(6, channels=4, h_in=3)
    back = mirror_maps(maps, (2, 1, 3, 0))
    for x, (channel, source) in [(x, pair) for x in range(6) for pair in enumerate((2, 1, 3, 0))]:
        assert torch.equal(back[:, channel, :, x], maps[:, source, :, 5 - x])
    swaps = [1, 0, 3, 2]
    assert torch.equal(mirror_maps(mirror_maps(maps, swaps), swaps), maps)


def test_mirrored_points():
    points = torch.tensor([[0, 1], [9, 2], [4.5, 3], [-2, 0], [2.25, 7]])
    mirrored = mirror_points(points, 10)
    assert mirrored.tolist() == [[9, 1], [0, 2], [4.5, 3], [11, 0], [6.75, 7]]
    assert torch.equal(mirror_points(mirrored, 10), points)
    pixels = torch.tensor([[[3, 5]], [[0, 0]]])
    assert mirror_points(pixels, 4).dtype == torch.long
    assert mirror_points(pixels, 4).tolist() == [[[0, 5]], [[3, 0]]]


def test_mirrored_points_find_the_mirrored_pixels():
    maps = noise(7, h_in=5)
    mirrored = mirror_maps(maps, range(3))
    for y, x in np.ndindex(5, 7):
        mirrored_x, mirrored_y = mirror_points(torch.tensor([x, y]), 7).tolist()
        assert torch.equal(mirrored[..., mirrored_y, mirrored_x], maps[..., y, x])


def test_targets_of_mirrored_people_mirror_back(toy_layout):
    # A person at input x stands at W_in - 4 - x in the mirrored view, with left and right swapped.
    codec = PINetCodec((128, 96), (32, 24), toy_layout)
    rng = np.random.default_rng(0)
    keypoints, area = rng.uniform(20, 70, (3, 5, 2)), np.array([500.0, 600.0, 700.0])
    visible = rng.integers(0, 2, (3, 5))
    flips = list(toy_layout.flip_indices)
    mirrored = keypoints[:, flips] * [-1, 1] + [128 - 4, 0]
    plain = codec.encode(keypoints, visible, area)
    back = codec.encode(mirrored, visible[:, flips], area)
    order = (*flips, *(5 + i for i in toy_layout.part_flip_indices))
    for name in ('heatmaps', 'areas'):
        channels = order if name == 'heatmaps' else toy_layout.part_flip_indices
        maps = mirror_maps(torch.from_numpy(back[name])[None], channels)[0]
        np.testing.assert_allclose(maps, plain[name], atol=1e-6, err_msg=name)
    # Poses read from the mirrored view's own offsets are the mirrored poses.
    part, y, x = np.argwhere(plain['areas'] > 0)[0]
    mirrored_x = mirror_points(torch.tensor([x, y]), 32)[0]
    poses = []
    for maps, column in ((plain, x), (back, int(mirrored_x))):
        offsets, weights = (
            maps[name].reshape(3, 5, 2, 24, 32)[part, :, :, y, column]
            for name in ('offsets', 'offset_weights')
        )
        poses.append((torch.tensor([column, y]) - torch.from_numpy(offsets), weights > 0))
    (pose, labeled), (other, other_labeled) = poses
    other = mirror_points(other, 32)[flips]
    assert labeled.any() and (labeled == other_labeled[flips]).all()
    torch.testing.assert_close(other[labeled], pose[labeled], atol=1e-4, rtol=0)


def test_view_mirror_by_loops(toy_layout):
    mirror, flips = ViewMirror(toy_layout), toy_layout.flip_indices
    parts = toy_layout.part_flip_indices
    assert mirror.state_dict() == {}
    heatmaps, poses = noise(6, channels=5 + len(parts)), torch.rand(2, 7, 5, 2)
    back, poses_back = mirror.maps(heatmaps), mirror.poses(poses, 6)
    for x in range(6):
        for k, source in enumerate(flips):
            assert torch.equal(back[:, k, :, x], heatmaps[:, source, :, 5 - x])
        for m, source in enumerate(parts):
            assert torch.equal(back[:, 5 + m, :, x], heatmaps[:, 5 + source, :, 5 - x])
    for k, source in enumerate(flips):
        assert torch.equal(poses_back[:, :, k, 0], 5 - poses[:, :, source, 0])
        assert torch.equal(poses_back[:, :, k, 1], poses[:, :, source, 1])


# --- scaled --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'side, factor, wanted',
    [
        (512, 0.5, 256),
        (512, 1.5, 768),
        (500, 0.5, 256),
        (640, 1.1, 704),
        (576, 0.7, 448),
        (64, 0.1, 64),
        (32, 1.5, 64),
        (96, 2, 192),
        (129, 0.5, 128),
        (127, 0.5, 64),
    ],
)
def test_sides_are_multiples_of_64(side, factor, wanted):
    assert scaled_side(side, factor) == wanted


@pytest.mark.parametrize('factor', [0.5, 0.75, 1.3, 2])
def test_scaled_inputs_by_loops(factor):
    inputs = noise(72, h_in=40)
    scaled = scale_inputs(inputs, factor)
    assert scaled.shape[:2] == (2, 3)
    for b, y, x in np.ndindex(2, *scaled.shape[2:]):
        if x % 5 == 0 or y % 7 == 0:
            expected = naive.bilinear(inputs[b, 1].numpy(), x / factor, y / factor)
            assert scaled[b, 1, y, x].item() == pytest.approx(expected, abs=1e-4)


def test_factor_1_changes_nothing():
    inputs = noise(72, h_in=40)
    assert scale_inputs(inputs, 1.0) is inputs


@pytest.mark.parametrize('factor', [0.5, 2])
def test_every_scale_has_the_same_origin(factor):
    # Map pixel i stands at input pixel 4i, at every scale: i and i · factor show the same.
    inputs = noise(128, h_in=128)
    plain, scaled = (maps[..., ::4, ::4] for maps in (inputs, scale_inputs(inputs, factor)))
    if factor < 1:
        plain, scaled = scaled, plain
    torch.testing.assert_close(scaled[..., ::2, ::2], plain, atol=1e-4, rtol=0)


def test_what_lies_outside_is_0():
    scaled = scale_inputs(torch.ones(1, 3, 64, 80), 1.5)  # 96 × 120 in 128 × 128
    assert scaled.shape == (1, 3, 128, 128)
    torch.testing.assert_close(scaled[..., :95, :119], torch.ones(1, 3, 95, 119))
    assert not scaled[..., 96:, :].any() and not scaled[..., 120:].any()
