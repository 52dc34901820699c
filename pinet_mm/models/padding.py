"""TensorFlow's 'same' padding as a constant: timm's `tf_*` networks in graphs.

timm computes the padding from the size of every input, which a graph for any size cannot have. A
convolution with kernel k, dilation d and stride s whose input sides are multiples of s always
needs (k - 1) d + 1 - s pixels, the larger half on the right and at the bottom. All convolutions
of a network see such sides if the images' are multiples of the network's total stride (32).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ..environment.deferred import DeferredModule

layers = DeferredModule('timm.layers')  # whoever has such a convolution has imported it


class ConstantSameConv2d(nn.Conv2d):
    """timm's `Conv2dSame` that pads by a constant where this is the same, else as timm does."""

    def pad(self, x: Tensor) -> Tensor:
        """Pad the input as the convolution needs it."""
        if any(side % stride for side, stride in zip(x.shape[-2:], self.stride)):
            return layers.pad_same(x, self.kernel_size, self.stride, self.dilation)
        (top, bottom), (left, right) = map(
            _same_padding, self.kernel_size, self.stride, self.dilation
        )
        return F.pad(x, (left, right, top, bottom))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C_in, H, W) into (B, C_out, ceil(H / stride), ceil(W / stride))."""
        return F.conv2d(
            self.pad(x), self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


def _same_padding(kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    total = max((kernel_size - 1) * dilation + 1 - stride, 0)
    return total // 2, total - total // 2


def make_padding_constant(net: nn.Module) -> int:
    """Turn every `Conv2dSame` into a `ConstantSameConv2d`, in place; weights keep their names.

    Returns:
        How many there were.
    """
    found = [module for module in net.modules() if type(module) is layers.Conv2dSame]
    for module in found:
        module.__class__ = ConstantSameConv2d
    return len(found)
