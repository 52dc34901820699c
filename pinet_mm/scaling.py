"""The multi-scale test's geometry: larger and smaller inputs whose maps have one origin.

Map pixel i stands at input pixel i·stride at every scale, so that coordinates of a scaled input
and of its maps are those of the plain one times the factor, without any shift. `_in` are
network-input pixels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MULTIPLE = 64  # HRNet needs multiples of 32, the pipelines of the configs make 64


def scaled_side(side_in: int, factor: float) -> int:
    """Compute the side of a scaled input: the content's, up to a multiple of 64."""
    # The small number: 640 · 1.1 is a rounding error more than 11 · 64.
    return max(math.ceil(side_in * factor / MULTIPLE - 1e-6), 1) * MULTIPLE


def scale_inputs(inputs: Tensor, factor: float) -> Tensor:
    """Scale normalised inputs (B, C, H_in, W_in) bilinearly; at factor 1 they stay as they are.

    Pixel (x, y) of the result shows the input's (x / factor, y / factor). What lies outside the
    input, and fills the sides up to their multiple, is 0, the mean colour.
    """
    if factor == 1:
        return inputs
    h, w = inputs.shape[-2:]
    # grid_sample without align_corners reads pixel i at (2i + 1) / size - 1.
    x, y = (((2 * torch.arange(scaled_side(side, factor), device=inputs.device) / factor + 1)
             / side - 1).to(inputs.dtype) for side in (w, h))
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1)
    return F.grid_sample(inputs, grid.expand(len(inputs), -1, -1, -1), align_corners=False)
