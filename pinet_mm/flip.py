"""The flip test's geometry: a mirrored input whose maps mirror back onto the plain ones exactly.

Map pixel i stands at input pixel i·stride. A plainly mirrored input puts it at a multiple of the
stride plus stride - 1, so the mirrored input is moved left by stride - 1. `_in` are network-input
pixels, `_hm` map pixels; (x, y) last.
"""

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def mirror_inputs(inputs: Tensor, stride: int) -> Tensor:
    """Mirror normalised inputs (..., W_in) left-right, moved left by stride - 1 pixels.

    The freed columns on the right are 0, the mean colour.
    """
    return F.pad(inputs.flip(-1)[..., stride - 1:], (0, stride - 1))


def mirror_maps(maps: Tensor, channel_order: Sequence[int]) -> Tensor:
    """Bring maps (B, C, H, W) of a mirrored input back: mirror, and swap left/right channels."""
    return maps.flip(-1)[:, list(channel_order)]


def mirror_points(points_hm: Tensor, map_width: int) -> Tensor:
    """Take map pixels (..., 2) of a picture to those of its mirrored input, or back."""
    x, y = points_hm.split(1, dim=-1)
    return torch.cat((map_width - 1 - x, y), dim=-1)
