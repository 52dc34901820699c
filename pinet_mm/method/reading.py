"""Reading maps at points: at pixels, between them, or as `F.grid_sample` does.

Coordinates are map pixels (`_hm`, (x, y) last, pixel centers at integers). Shape shorthand: B
images, C channels, H×W map, T points per image.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Since torch 2.7; before it, an export only says that it compiles.
_TELLS_EXPORTS = hasattr(torch.compiler, 'is_exporting')


def is_exporting() -> bool:
    """Return whether a graph is being exported; with an older torch, also whether it compiles."""
    return torch.compiler.is_exporting() if _TELLS_EXPORTS else torch.compiler.is_compiling()


def sample_pixels(maps: Tensor, centers_hm: Tensor) -> Tensor:
    """Read maps (B, C, H, W) at integer pixels (B, T, 2), all inside the map: (B, T, C)."""
    (b, c, h, w), (x, y) = maps.shape, centers_hm.unbind(dim=-1)
    image, pixels = torch.arange(b, device=maps.device)[:, None], maps.permute(0, 2, 3, 1)
    if is_exporting() or not pixels.is_contiguous():
        return pixels[image, y, x]
    # Whole pixels by one flat index take two thirds of the time.
    index = (image * h + y).mul_(w).add_(x)
    return pixels.flatten(0, 2).index_select(0, index.flatten()).view(*x.shape, c)


def average_maps(maps: Tensor, windows: Sequence[int]) -> list[Tensor]:
    """Average maps (B, C, H, W) over n×n pixels, for each window n: (B, C, ⌈H/n⌉, ⌈W/n⌉).

    Args:
        maps: (B, C, H, W); pixels beyond them do not count.
        windows: their sides n.
    """
    return [
        F.avg_pool2d(maps, window, ceil_mode=True, count_include_pad=False) for window in windows
    ]


def map_size(maps: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the size (W, H) of maps as a tensor, which an exported graph keeps dynamic."""
    return torch.stack(
        [
            torch.full((), side, dtype=dtype, device=maps.device)
            for side in (maps.shape[-1], maps.shape[-2])
        ]
    )


# (x, y) of the four pixels around a point, relative to the upper left one.
_CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))


def sample_bilinear(maps: Tensor, points_hm: Tensor) -> Tensor:
    """Read maps (B, C, H, W) bilinearly at (B, ..., 2) map pixels: (B, ..., C).

    Pixels outside the map count as 0, so that a point within one pixel of the border blends into
    it. Gradients reach the maps and the points.

    Channels-last maps are read by whole pixels on a CPU and without gradients: at C = 480 a
    hundred times as fast.
    """
    if _can_read_rows(maps, points_hm):
        return _sample_rows(maps, points_hm)
    size = map_size(maps, points_hm.dtype)
    # grid_sample without align_corners reads pixel i at (2i + 1) / size - 1.
    return _sample_grid(maps, (2 * points_hm + 1) / size - 1)


def sample_grid(maps: Tensor, grid: Tensor) -> Tensor:
    """Read maps (B, C, H, W) as `F.grid_sample` does without aligned corners: (B, ..., C).

    It takes the same shortcut as `sample_bilinear`.

    Args:
        maps: (B, C, H, W).
        grid: (B, ..., 2) x, y; -1 and 1 are the outer edges of the outermost pixels.
    """
    if _can_read_rows(maps, grid):
        return _sample_rows(maps, ((grid + 1) * map_size(maps, grid.dtype) - 1) / 2)
    return _sample_grid(maps, grid)


def _sample_grid(maps: Tensor, grid: Tensor) -> Tensor:
    values = F.grid_sample(maps, grid.flatten(1, -2)[:, :, None], align_corners=False)
    return values[..., 0].transpose(1, 2).reshape(*grid.shape[:-1], maps.shape[1])


def _can_read_rows(maps: Tensor, points: Tensor) -> bool:
    return (
        maps.device.type == 'cpu'
        and not is_exporting()
        and maps.shape[1] > 1
        and maps.is_contiguous(memory_format=torch.channels_last)
        and not (torch.is_grad_enabled() and (maps.requires_grad or points.requires_grad))
    )


def _sample_rows(maps: Tensor, points_hm: Tensor) -> Tensor:
    (b, c, h, w), points = maps.shape, points_hm.flatten(1, -2)
    # The four pixels around a point are one more dimension, so that each step takes all at once.
    x, y = (points.floor()[..., None, :] + points.new_tensor(_CORNERS)).unbind(dim=-1)
    weights = (1 - (points[..., :1] - x).abs_()).mul_(1 - (points[..., 1:] - y).abs_())
    row, column = y.long().clamp_(0, h - 1), x.long().clamp_(0, w - 1)
    weights.mul_((row == y) & (column == x))  # 0 for pixels outside the map
    first = torch.arange(b, device=maps.device)[:, None, None] * (h * w)
    index = row.mul_(w).add_(column).add_(first).flatten(0, 1)
    values = F.embedding_bag(
        index,
        maps.permute(0, 2, 3, 1).reshape(-1, c),
        mode='sum',
        per_sample_weights=weights.flatten(0, 1),
    )
    return values.view(*points_hm.shape[:-1], c)
