"""The views of an image at inference: mirrored and scaled inputs whose maps share one origin.

Map pixel i stands at input pixel i·stride. A plainly mirrored input puts it at a multiple of the
stride plus stride - 1, so the mirrored input is moved left by stride - 1. Scaling keeps the
origin: coordinates of a scaled input and of its maps are the plain ones times the factor. `_in` are
network-input pixels, `_hm` map pixels; (x, y) last.
"""

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layouts import PartLayout

MULTIPLE = 64  # HRNet needs multiples of 32; the pipelines of the configs make multiples of 64


def mirror_inputs(inputs: Tensor, stride: int) -> Tensor:
    """Mirror normalized inputs (..., W_in) left-right, moved left by stride - 1 pixels.

    The freed columns on the right are 0, the mean color.
    """
    return F.pad(inputs.flip(-1)[..., stride - 1 :], (0, stride - 1))


def mirror_maps(maps: Tensor, channel_order: Tensor | Sequence[int]) -> Tensor:
    """Bring maps (B, C, H, W) of a mirrored input back: mirror, and swap left/right channels."""
    order = torch.as_tensor(channel_order, device=maps.device)
    return maps.index_select(1, order).flip(-1)


def mirror_points(points_hm: Tensor, map_width: int) -> Tensor:
    """Take map pixels (..., 2) of an image to those of its mirrored input, or back."""
    x, y = points_hm.split(1, dim=-1)
    return torch.cat((map_width - 1 - x, y), dim=-1)


class ViewMirror(nn.Module):
    """Bring what a mirrored view shows back to the plain one; knows a dataset's left and right.

    Args:
        layout: the dataset's keypoints and parts. Where a part has no mirror image among the
            parts, nothing may be mirrored, which `PINetHead.check_settings` sees to.

    Attributes:
        keypoints: (K,) indices, for each keypoint its counterpart.
        parts: (M,) the same of the parts.
        channels: (K+M,) the same of the channels of heatmaps.
    """

    keypoints: Tensor
    parts: Tensor
    channels: Tensor

    def __init__(self, layout: PartLayout):
        super().__init__()
        try:
            parts = torch.tensor(layout.part_flip_indices)
        except ValueError:
            parts = torch.arange(layout.num_parts)
        keypoints = torch.tensor(layout.flip_indices)
        channels = torch.cat((keypoints, layout.num_keypoints + parts))
        # Buffers are where the maps are; they belong to the dataset and stay out of checkpoints.
        self.register_buffer('keypoints', keypoints, persistent=False)
        self.register_buffer('parts', parts, persistent=False)
        self.register_buffer('channels', channels, persistent=False)

    def maps(self, heatmaps: Tensor) -> Tensor:
        """Bring heatmaps (B, K+M, H, W) back."""
        return mirror_maps(heatmaps, self.channels)

    def poses(self, poses_hm: Tensor, map_width: int) -> Tensor:
        """Bring poses (B, T, K, 2) back, left and right swapped."""
        return mirror_points(poses_hm, map_width).index_select(2, self.keypoints)


def scaled_side(side_in: int, factor: float) -> int:
    """Compute the side of a scaled input: `side_in` × `factor`, rounded up to a multiple of 64."""
    # A ratio of whole numbers: sides of an exported graph are symbols that stand for such numbers,
    # and 640 · 1.1 is 11 · 64, not a rounding error more.
    ratio = max(Fraction(factor).limit_denominator(1000), Fraction(1, 1000))
    whole = ratio.denominator * MULTIPLE
    # Not -(-side // whole): ONNX divides negative numbers towards 0.
    return (side_in * ratio.numerator + whole - 1) // whole * MULTIPLE


def scale_inputs(inputs: Tensor, factor: float) -> Tensor:
    """Scale normalized inputs (B, C, H_in, W_in) bilinearly; at factor 1 they stay as they are.

    Pixel (x, y) of the result shows the input's (x / factor, y / factor). What lies outside the
    input, and fills the sides up to their multiple, is 0, the mean color.
    """
    if factor == 1:
        return inputs
    h, w = inputs.shape[-2:]
    # grid_sample without align_corners reads pixel i at (2i + 1) / size - 1.
    x, y = (
        (
            (2 * torch.arange(scaled_side(side, factor), device=inputs.device) / factor + 1) / side
            - 1
        ).to(inputs.dtype)
        for side in (w, h)
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1)
    return F.grid_sample(inputs, grid.expand(inputs.shape[0], -1, -1, -1), align_corners=False)
