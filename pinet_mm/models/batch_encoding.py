"""What `PINetCodec.encode` makes of one image, for a batch of people on any device."""

import torch
from torch import Tensor

from ..errors import InputError
from ..method import targets as paper
from ..method.batch_targets import (
    People,
    disc_offsets,
    gaussian_maps,
    inside_map,
    part_centers,
)
from .codec import PINetCodec
from .losses import Targets


def encode_batch(
    codec: PINetCodec, people: People, declared: Tensor, heatmap_mask: Tensor
) -> Targets:
    """Compute the targets of B images; they equal those that `codec.encode` makes one by one.

    Args:
        codec: gives sizes, layout and the constants of the targets.
        people: of the images.
        declared: (B, K) boolean, the keypoints that the source of each image labels at all.
        heatmap_mask: (B, 1, H, W) boolean, the map pixels that the heatmap loss may use.

    Raises:
        ValueError: the codec's convention is another than the paper's.
    """
    if codec.rules.offset_targets is not paper.disc_offsets:
        raise InputError(
            "targets of a batch follow convention='paper'; found a codec with "
            f'convention={codec.convention!r}'
        )
    device = declared.device
    membership = torch.from_numpy(codec.layout.membership).to(device)
    labeled = people.labeled & declared[:, None]
    areas = people.areas_in.clamp(min=codec.rules.area_floor)
    keypoints_hm = people.keypoints_in / codec.stride
    centers_hm, defined = part_centers(keypoints_hm, labeled, membership)
    present = labeled & inside_map(keypoints_hm, codec.heatmap_size)
    drawn = defined & (areas >= codec.min_area)[..., None]
    heatmaps = gaussian_maps(
        torch.cat((keypoints_hm, centers_hm), dim=2),
        torch.cat((present, drawn & inside_map(centers_hm, codec.heatmap_size)), dim=2),
        codec.heatmap_size,
        codec.sigma,
    )
    taught = torch.cat((declared, (membership & declared[:, None]).any(dim=-1)), dim=1)
    weights = torch.where(heatmaps > 0, 1.0, codec.background_weight)
    offsets = disc_offsets(
        centers_hm, drawn, keypoints_hm, present, areas, codec.heatmap_size, codec.radius
    )
    return Targets(heatmaps, weights * taught[..., None, None], heatmap_mask.float(), offsets)
