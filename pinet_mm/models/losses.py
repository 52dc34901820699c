"""What the losses compare: the targets of a batch, and the entries of offset maps that have one.

Offset targets come as whole maps or, with `PINetCodec(sparse_offsets=True)`, as the few pixels
that have any; both become `OffsetRows`, so that the losses are the same. Shape shorthand: B
pictures, K keypoints, M parts, H×W map, P pixels with a target in all pictures, T centres a
picture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class OffsetRows(NamedTuple):
    """Offset targets of a batch, one row for each of P pixels.

    Attributes:
        pixels: (P, 4) int64: picture, part, y, x.
        offsets: (P, K, 2) map pixels, pixel - keypoint.
        weights: (P, K, 2), 1/√S on Ω, else 0.
        areas: (P,) input pixels², S of Eq. 3.
        map_shape: (B, M, H, W).
    """

    pixels: Tensor
    offsets: Tensor
    weights: Tensor
    areas: Tensor
    map_shape: tuple[int, int, int, int]

    def read(self, offset_maps: Tensor) -> Tensor:
        """Read offset maps (B, M·2K, H, W) at the pixels: (P, K, 2)."""
        picture, part, y, x = self.pixels.unbind(1)
        maps = offset_maps.unflatten(1, (self.map_shape[1], -1, 2))
        return maps[picture, part, :, :, y, x]

    def area_maps(self) -> Tensor:
        """Draw the areas as maps (B, M, H, W)."""
        return self._draw(self.areas)

    def weight_maps(self) -> Tensor:
        """Draw the largest weight of every pixel's keypoints as maps (B, M, H, W)."""
        return self._draw(self.weights.amax(dim=(1, 2)))

    def at_centres(self, centres_hm: Tensor) -> tuple[Tensor, Tensor]:
        """Look up offsets and weights at integer pixels, both (B, T, K, 2), 0 where there are none.

        Args:
            centres_hm: (B, T, 2), T = M·t, ordered by part.
        """
        b, m, _, w = self.map_shape
        nothing = len(self.pixels)
        rows = self._draw(torch.arange(nothing, device=self.pixels.device), elsewhere=nothing)
        index = (centres_hm[..., 1] * w + centres_hm[..., 0]).view(b, m, -1)
        row = rows.flatten(2).gather(2, index).flatten(1)
        return tuple(
            torch.cat((values, values.new_zeros(1, *values.shape[1:])))[row]
            for values in (self.offsets, self.weights)
        )

    def _draw(self, values: Tensor, elsewhere: float = 0) -> Tensor:
        maps = values.new_full(self.map_shape, elsewhere)
        maps[self.pixels.unbind(1)] = values
        return maps


class Targets(NamedTuple):
    """A batch of what `PINetCodec.encode` makes, and the mask of valid pixels.

    Attributes:
        heatmaps: (B, K+M, H, W), keypoints first.
        heatmap_weights: alike.
        heatmap_mask: (B, 1, H, W).
        offsets: of all pictures.
    """

    heatmaps: Tensor
    heatmap_weights: Tensor
    heatmap_mask: Tensor
    offsets: OffsetRows


def gather_targets(batch_data_samples: Sequence, num_parts: int) -> Targets:
    """Collect the targets of B samples.

    Args:
        batch_data_samples: maps in `gt_fields`; in place of its `offsets`, `offset_weights` and
            `areas`, rows in `gt_instance_labels`.
        num_parts: M.
    """
    fields = [sample.gt_fields for sample in batch_data_samples]
    heatmaps, heatmap_weights, mask = (
        _stack(fields, name) for name in ('heatmaps', 'heatmap_weights', 'heatmap_mask')
    )
    if 'offsets' in fields[0]:
        offsets = rows_of_maps(
            *(_stack(fields, name) for name in ('offsets', 'offset_weights', 'areas'))
        )
    else:
        offsets = _join_rows(
            [sample.gt_instance_labels for sample in batch_data_samples],
            (len(fields), num_parts, *heatmaps.shape[-2:]),
        )
    return Targets(heatmaps, heatmap_weights, mask, offsets)


def _stack(fields: Sequence, name: str) -> Tensor:
    return torch.stack([getattr(field, name) for field in fields])


def rows_of_maps(offsets: Tensor, weights: Tensor, areas: Tensor) -> OffsetRows:
    """Pick the pixels with a target from offset and weight maps (B, M·2K, H, W) and area maps."""
    weighted = (weights.unflatten(1, (areas.shape[1], -1)) > 0).any(dim=2)
    pixels = (weighted | (areas > 0)).nonzero()
    rows = OffsetRows(pixels, offsets, weights, areas[pixels.unbind(1)], tuple(areas.shape))
    return rows._replace(offsets=rows.read(offsets), weights=rows.read(weights))


def _join_rows(labels: Sequence, map_shape: tuple[int, int, int, int]) -> OffsetRows:
    pixels, offsets, weights, areas = (
        [getattr(label, f'claimed_{name}') for label in labels]
        for name in ('pixels', 'offsets', 'weights', 'areas')
    )
    numbered = [F.pad(rows, (1, 0), value=i) for i, rows in enumerate(pixels)]
    weights = torch.cat(weights)[..., None].expand(-1, -1, 2)
    return OffsetRows(torch.cat(numbered), torch.cat(offsets), weights, torch.cat(areas), map_shape)


def in_omega(predicted: Tensor, wanted: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    """Keep the entries with a target, those of a weight above 0, of three tensors of one shape."""
    omega = weights > 0
    return predicted[omega], wanted[omega], weights[omega]
