"""The training targets of `targets` for a whole batch at once, as tensors on any device.

What `targets` draws for one image in numpy is computed here for B images, so that a GPU makes the
targets of the crops that it has taken itself. The values are the same.

Equation numbers are those of PINet's supplement. `_hm` are map pixels (pixel centers at integers,
(x, y) last), `_in` network-input pixels. Shape shorthand: B images of N people each, K keypoints,
M parts, J channels, H×W map, P pixels with an offset target in all images.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .targets import LEAST_GAUSSIAN, OffsetTargets


class People(NamedTuple):
    """The people of B images; images with fewer than N are padded.

    Attributes:
        keypoints_in: (B, N, K, 2) network-input pixels.
        labeled: (B, N, K) boolean; nowhere of padding.
        areas_in: (B, N) input pixels², above 0.
    """

    keypoints_in: Tensor
    labeled: Tensor
    areas_in: Tensor


def part_centers(
    keypoints_hm: Tensor, labeled: Tensor, membership: Tensor
) -> tuple[Tensor, Tensor]:
    """Average the labeled keypoints of every part, see `targets.part_centers`.

    Args:
        keypoints_hm: (B, N, K, 2).
        labeled: (B, N, K) boolean.
        membership: (M, K) boolean.

    Returns:
        The centers (B, N, M, 2) and whether each is defined, (B, N, M) boolean.
    """
    keypoints_hm = torch.where(labeled[..., None], keypoints_hm, 0)
    used = (labeled[:, :, None] & membership).to(keypoints_hm.dtype)
    count = used.sum(dim=-1)
    return used @ keypoints_hm / count.clamp(min=1)[..., None], count > 0


def inside_map(points_hm: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Return whether points (..., 2) lie in [0, W) × [0, H), for map_size (w, h): (...) boolean."""
    return ((points_hm >= 0) & (points_hm < points_hm.new_tensor(map_size))).all(dim=-1)


def gaussian_maps(
    points_hm: Tensor, drawn: Tensor, map_size: tuple[int, int], sigma: float
) -> Tensor:
    """Compute the heatmaps (B, J, H, W) of Eq. 1, see `targets.draw_gaussians`.

    Args:
        points_hm: (B, N, J, 2).
        drawn: (B, N, J) boolean; other points leave no trace.
        map_size: (w, h).
        sigma: σ, map pixels.
    """
    across, down = (
        _gaussian_factors(points_hm[..., axis], size, sigma) for axis, size in enumerate(map_size)
    )
    down = down * drawn[..., None]
    return (down[..., :, None] * across[..., None, :]).amax(dim=1)


def _gaussian_factors(centers: Tensor, size: int, sigma: float) -> Tensor:
    # Along one axis: (B, N, J, size), 0 outside the window of each point.
    step = torch.arange(size, device=centers.device, dtype=centers.dtype)
    centers = centers[..., None]
    factors = torch.exp(-(((step - centers) / sigma) ** 2)).clamp(min=float(LEAST_GAUSSIAN))
    low, end = (centers - 3 * sigma - 1).floor(), (centers + 3 * sigma + 2).ceil()
    return factors * ((step >= low) & (step < end))


def disc_offsets(
    centers_hm: Tensor,
    drawn: Tensor,
    keypoints_hm: Tensor,
    present: Tensor,
    areas_in: Tensor,
    map_size: tuple[int, int],
    radius: float,
) -> OffsetTargets:
    """Compute the offset targets (Eq. 2 and 3) of a batch, see `targets.disc_offsets`.

    Args:
        centers_hm: (B, N, M, 2).
        drawn: (B, N, M) boolean; other centers claim nothing, nor do those outside the map.
        keypoints_hm: (B, N, K, 2).
        present: (B, N, K) boolean: labeled and inside the map; others get weight 0.
        areas_in: (B, N) positive, input pixels².
        map_size: (w, h).
        radius: r, a squared distance in map pixels.

    Returns:
        With `pixels` (P, 4): image, part, y, x, sorted so.
    """
    drawn = drawn & inside_map(centers_hm, map_size)
    # The smallest person takes a pixel, of equal ones the first: in this order, the first one does.
    order = areas_in.argsort(dim=1, stable=True)
    image = torch.arange(len(order), device=order.device)[:, None]
    squares_x, squares_y = (
        (torch.arange(size, device=order.device) - centers_hm[image, order][..., axis, None]) ** 2
        for axis, size in enumerate(map_size)
    )
    near = squares_y[..., :, None] + squares_x[..., None, :] <= radius
    near &= drawn[image, order][..., None, None]
    pixels = near.any(dim=1).nonzero()
    person = order[pixels[:, 0], near.to(torch.uint8).argmax(dim=1)[pixels.unbind(1)]]
    owner = pixels[:, 0], person
    weights = present[owner] / areas_in[owner].sqrt()[:, None]
    offsets = pixels[:, None, [3, 2]] - keypoints_hm[owner]
    offsets = torch.where(present[owner][..., None], offsets, 0)
    return OffsetTargets(pixels, offsets, weights, areas_in[owner])
