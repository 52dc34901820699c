"""A light neck that ends at the finest stride of the backbone."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from ..errors import InputError


@MODELS.register_module()
class SeparableFPN(BaseModule):
    """Merge feature maps from coarse to fine, with separable convolutions.

    A 1×1 convolution and a batch norm bring every map to `out_channels`. From the coarsest on, the
    merged map is enlarged bilinearly to the next finer one, added to it and passed through
    separable convolutions: depthwise, batch norm, ReLU; then 1×1, batch norm, plus the input of the
    1×1, ReLU. The result has the stride of the finest map.

    Args:
        in_channels: of the backbone's maps, finest first.
        out_channels: C of the result.
        kernel_size: odd side of the depthwise convolutions.
        num_blocks: separable convolutions at every stride but the finest.
        num_final_blocks: those at the finest stride.
        init_cfg: see MMEngine's `BaseModule`; by default PyTorch's initialization stays.

    Raises:
        ValueError: a number is below 1, or the kernel's side even.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        kernel_size: int = 5,
        num_blocks: int = 1,
        num_final_blocks: int = 2,
        init_cfg=None,
    ):
        super().__init__(init_cfg)
        _check_numbers(in_channels, out_channels, kernel_size, num_blocks, num_final_blocks)
        self.in_channels, self.out_channels = tuple(in_channels), out_channels
        self.laterals = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
            )
            for channels in in_channels
        )
        counts = [num_final_blocks] + [num_blocks] * (len(in_channels) - 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_SeparableConv(out_channels, kernel_size) for _ in range(count)))
            for count in counts
        )

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor]:
        """Merge maps, finest first, into one (B, C, H, W) at the finest stride.

        Raises:
            ValueError: there are more or fewer maps than `in_channels`.
        """
        if len(feats) != len(self.laterals):
            raise InputError(f'{len(self.laterals)} feature maps are needed; found {len(feats)}')
        merged = None
        for lateral, block, feat in reversed(list(zip(self.laterals, self.blocks, feats))):
            own = lateral(feat)
            if merged is not None:
                own = own + F.interpolate(
                    merged, size=feat.shape[-2:], mode='bilinear', align_corners=False
                )
            merged = block(own)
        return (merged,)


def _check_numbers(in_channels, out_channels, kernel_size, num_blocks, num_final_blocks) -> None:
    if not isinstance(in_channels, Sequence) or not in_channels:
        raise InputError(
            f'in_channels must be a list of the channels of every map; found {in_channels!r}'
        )
    numbers = dict(
        out_channels=out_channels,
        kernel_size=kernel_size,
        num_blocks=num_blocks,
        num_final_blocks=num_final_blocks,
    )
    for name, value in [*(('in_channels', each) for each in in_channels), *numbers.items()]:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError(f'{name} must be integers from 1; found {value!r}')
    if kernel_size % 2 == 0:
        raise InputError(f'kernel_size must be odd; found {kernel_size}')


class _SeparableConv(nn.Module):
    def __init__(self, channels: int, kernel_size: int):
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels, bias=False
        )
        self.depthwise_norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.depthwise_norm(self.depthwise(x)))
        return F.relu(x + self.norm(self.pointwise(x)))
