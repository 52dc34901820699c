"""A light neck that ends at the finest stride of the backbone."""

from typing import Sequence, Tuple

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class SeparableFPN(BaseModule):
    """Merge feature maps from coarse to fine, with separable convolutions.

    Every map is brought to `out_channels` by a 1×1 convolution; from the coarsest on, a merged map
    is enlarged, added to the next finer one and passed through `num_blocks` separable convolutions
    (depthwise `kernel_size`, then 1×1).

    Args:
        in_channels: of the backbone's maps, finest first.
        out_channels: C of the result.
        kernel_size: odd side of the depthwise convolutions.
        num_blocks: separable convolutions after every merge but the last.
        num_final_blocks: those at the finest stride.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int, kernel_size: int = 5,
                 num_blocks: int = 1, num_final_blocks: int = 2, init_cfg=None):
        super().__init__(init_cfg)
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, out_channels, 1, bias=False),
                          nn.BatchNorm2d(out_channels)) for channels in in_channels)
        counts = [num_final_blocks] + [num_blocks] * (len(in_channels) - 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_SeparableConv(out_channels, kernel_size) for _ in range(count)))
            for count in counts)

    def forward(self, feats: Sequence[Tensor]) -> Tuple[Tensor]:
        """Merge maps, finest first, into one (B, C, H, W) at the finest stride."""
        merged = None
        for lateral, block, feat in reversed(list(zip(self.laterals, self.blocks, feats))):
            own = lateral(feat)
            if merged is not None:
                own = own + F.interpolate(merged, size=own.shape[-2:], mode='bilinear',
                                          align_corners=False)
            merged = block(own)
        return (merged, )


class _SeparableConv(nn.Module):
    def __init__(self, channels: int, kernel_size: int):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2,
                                   groups=channels, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.depthwise_norm(self.depthwise(x)))
        return F.relu(x + self.norm(self.pointwise(x)))
