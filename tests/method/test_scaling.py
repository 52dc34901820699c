"""Scaled inputs: where their pixels come from, and that every scale has the same origin."""

from pinet_mm.method.views import scale_inputs, scaled_side

import numpy as np
import pytest
import torch

from studies import naive


def picture(h_in, w_in, pictures=2):
    return torch.randn(pictures, 3, h_in, w_in, generator=torch.Generator().manual_seed(w_in))


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
    inputs = picture(40, 72)
    scaled = scale_inputs(inputs, factor)
    assert scaled.shape[:2] == (2, 3)
    for b, y, x in np.ndindex(2, *scaled.shape[2:]):
        if x % 5 == 0 or y % 7 == 0:
            expected = naive.bilinear(inputs[b, 1].numpy(), x / factor, y / factor)
            assert scaled[b, 1, y, x].item() == pytest.approx(expected, abs=1e-4)


def test_factor_1_changes_nothing():
    inputs = picture(40, 72)
    assert scale_inputs(inputs, 1.0) is inputs


@pytest.mark.parametrize('factor', [0.5, 2])
def test_every_scale_has_the_same_origin(factor):
    # Map pixel i stands at input pixel 4i, at every scale: i and i · factor show the same.
    inputs = picture(128, 128)
    plain, scaled = (maps[..., ::4, ::4] for maps in (inputs, scale_inputs(inputs, factor)))
    if factor < 1:
        plain, scaled = scaled, plain
    torch.testing.assert_close(scaled[..., ::2, ::2], plain, atol=1e-4, rtol=0)


def test_what_lies_outside_is_0():
    scaled = scale_inputs(torch.ones(1, 3, 64, 80), 1.5)  # 96 × 120 in 128 × 128
    assert scaled.shape == (1, 3, 128, 128)
    torch.testing.assert_close(scaled[..., :95, :119], torch.ones(1, 3, 95, 119))
    assert not scaled[..., 96:, :].any() and not scaled[..., 120:].any()
