"""The losses of `PINetHead`, and the targets of a batch that they compare its maps with.

A sample holds its offset targets as whole maps or, with `PINetCodec(sparse_offsets=True)`, as the
few pixels that have any; `gather_targets` makes `OffsetTargets` of both, so the losses are the
same. A criterion is a loss module of MMPose, built from a config. Shape shorthand: B images, K
keypoints, M parts, C channels, H×W map, P pixels with an offset target in all images, T proposals
per image.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..method.proposals import Centers, ProposalSampler, draw_pixels, read_offsets
from ..method.refinement import PoseRefinement
from ..method.targets import OffsetTargets
from .codec import OFFSET_KEYS
from .keypoint_losses import KeypointLoss


class Targets(NamedTuple):
    """Targets of a batch, made by `PINetCodec.encode`, and the mask of valid pixels.

    Attributes:
        heatmaps: (B, K+M, H, W), keypoints first.
        heatmap_weights: (B, K+M, H, W).
        heatmap_mask: (B, 1, H, W).
        offsets: of all images, with `pixels` (P, 4) image, part, y, x.
    """

    heatmaps: Tensor
    heatmap_weights: Tensor
    heatmap_mask: Tensor
    offsets: OffsetTargets

    @property
    def part_heatmaps(self) -> Tensor:
        """The part-center maps P*: (B, M, H, W)."""
        return self.heatmaps[:, self.offsets.offsets.shape[1] :]


def gather_targets(batch_data_samples: Sequence | Targets) -> Targets:
    """Collect the targets of B samples.

    Args:
        batch_data_samples: with maps in `gt_fields`, and offset targets either there or as rows
            in `gt_instance_labels`; or the targets themselves, where a batch was encoded at once.
    """
    if isinstance(batch_data_samples, Targets):
        return batch_data_samples
    fields = [sample.gt_fields for sample in batch_data_samples]
    if 'offsets' in fields[0]:
        maps = [_stack(fields, name) for name in ('offsets', 'offset_weights', 'areas')]
        offsets = targets_of_maps(*maps)
    else:
        offsets = _join_targets([sample.gt_instance_labels for sample in batch_data_samples])
    heatmaps, weights, mask = (
        _stack(fields, name) for name in ('heatmaps', 'heatmap_weights', 'heatmap_mask')
    )
    return Targets(heatmaps, weights, mask, offsets)


def _stack(fields: Sequence, name: str) -> Tensor:
    return torch.stack([getattr(field, name) for field in fields])


def targets_of_maps(offsets: Tensor, weights: Tensor, areas: Tensor) -> OffsetTargets:
    """Return the offset targets of a batch from full maps.

    Args:
        offsets: (B, M·2K, H, W); channel order part, keypoint, then x, y.
        weights: (B, M·2K, H, W), the same for x and y.
        areas: (B, M, H, W).
    """
    num_parts = areas.shape[1]
    weighted = (weights.unflatten(1, (num_parts, -1)) > 0).any(dim=2)
    pixels = (weighted | (areas > 0)).nonzero()
    return OffsetTargets(
        pixels,
        _read_pixels(offsets, pixels, num_parts),
        _read_pixels(weights, pixels, num_parts)[..., 0],
        areas[pixels.unbind(1)],
    )


def _join_targets(labels: Sequence) -> OffsetTargets:
    images = [OffsetTargets(*(getattr(label, key) for key in OFFSET_KEYS)) for label in labels]
    numbered = [
        targets._replace(pixels=F.pad(targets.pixels, (1, 0), value=image))
        for image, targets in enumerate(images)
    ]
    return OffsetTargets(*map(torch.cat, zip(*numbered)))


def heatmap_loss(heatmaps: Tensor, targets: Targets, criterion: Callable) -> Tensor:
    """Compute the loss of score and part-center maps.

    Args:
        heatmaps: (B, K+M, H, W) predicted.
        targets: of the batch.
        criterion: called as MMPose's `KeypointMSELoss`.
    """
    return criterion(heatmaps, targets.heatmaps, targets.heatmap_weights, targets.heatmap_mask)


def offset_loss(offset_maps: Tensor, targets: Targets, criterion: Callable) -> Tensor:
    """Compute the loss of offset maps over Ω.

    Args:
        offset_maps: (B, M·2K, H, W) predicted.
        targets: of the batch.
        criterion: see `compare_offsets`.
    """
    wanted = targets.offsets
    predicted = _read_pixels(offset_maps, wanted.pixels, targets.part_heatmaps.shape[1])
    return compare_offsets(predicted, wanted.offsets, wanted.weights, criterion)


def refinement_loss(
    features: Tensor,
    offset_maps: Tensor,
    targets: Targets,
    sampler: ProposalSampler,
    refinement: PoseRefinement,
    criterion: Callable,
) -> Tensor:
    """Compute the loss of refined proposals over Ω.

    Args:
        features: (B, C, H, W).
        offset_maps: (B, M·2K, H, W) predicted; they get no gradient from this loss.
        targets: of the batch.
        sampler: chooses the pixels that propose.
        refinement: moves their poses.
        criterion: see `compare_offsets`.
    """
    part_heatmaps = targets.part_heatmaps
    centers = sampler.sample(part_heatmaps, targets.offsets)
    # Proposals are constants here: only `offset_loss` trains the maps that they come from.
    predicted = read_offsets(offset_maps.detach(), centers.xy_hm, part_heatmaps.shape[1])
    given = offsets_of_passes(refinement, features, predicted, centers)
    wanted, weights = targets_at(targets.offsets, centers.xy_hm, part_heatmaps.shape)
    # All passes in one batch, whose statistics are then those that each pass meets in inference.
    centers_hm, valid, wanted, weights = (
        torch.cat([values] * len(given), dim=1)
        for values in (centers.xy_hm, centers.valid, wanted, weights)
    )
    predicted = torch.cat(given, dim=1)
    poses_hm = centers_hm[:, :, None] - predicted
    refined = refinement.refine_once(features, poses_hm, centers_hm, valid)
    weights = weights * valid[..., None]
    offsets = predicted + refined.offsets
    return compare_offsets(offsets, wanted, weights, criterion, refined.log_scales)


@torch.no_grad()
def offsets_of_passes(
    refinement: PoseRefinement, features: Tensor, predicted: Tensor, centers: Centers
) -> list[Tensor]:
    """Return the offsets (B, T, K, 2) of the poses that each pass of the refinement is given.

    Args:
        refinement: whose modules stay in the modes that they are in.
        features: (B, C, H, W).
        predicted: (B, T, K, 2), what the first pass is given.
        centers: T of each image.
    """
    given = [predicted]
    if refinement.num_passes == 1:
        return given
    modes = {module: module.training for module in refinement.modules()}
    refinement.eval()  # moves poses as it does in inference, and leaves its statistics alone
    for _ in range(refinement.num_passes - 1):
        poses_hm = centers.xy_hm[:, :, None] - given[-1]
        refined = refinement.refine_once(features, poses_hm, centers.xy_hm, centers.valid)
        given.append(given[-1] + refined.offsets)
    for module, training in modes.items():
        module.training = training  # what is frozen stays so
    return given


def targets_at(
    targets: OffsetTargets, centers_hm: Tensor, map_shape: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return offsets (B, T, K, 2) and weights (B, T, K) at pixels, 0 where there are none.

    Args:
        targets: of the batch.
        centers_hm: (B, T, 2) integer pixels, T = M·t, ordered by part.
        map_shape: (B, M, H, W).
    """
    nothing = len(targets.pixels)  # the row that stands for no target
    numbers = torch.arange(nothing, device=targets.pixels.device)
    rows = draw_pixels(targets.pixels, numbers, map_shape, elsewhere=nothing)
    pixel = centers_hm[..., 1] * map_shape[3] + centers_hm[..., 0]
    row = rows.flatten(2).gather(2, pixel.unflatten(1, (map_shape[1], -1))).flatten(1)
    offsets, weights = (
        torch.cat((values, values.new_zeros(1, *values.shape[1:])))[row]
        for values in (targets.offsets, targets.weights)
    )
    return offsets, weights


def compare_offsets(
    predicted: Tensor,
    wanted: Tensor,
    weights: Tensor,
    criterion: Callable,
    log_scales: Tensor | None = None,
) -> Tensor:
    """Compute a loss of offsets over Ω.

    Args:
        predicted: (..., K, 2).
        wanted: (..., K, 2).
        weights: (..., K), above 0 in Ω.
        criterion: a `KeypointLoss`, or called as MMPose's `SoftWeightSmoothL1Loss`.
        log_scales: (..., K) of a refinement with uncertainty, for a `KeypointLoss`.
    """
    if isinstance(criterion, KeypointLoss):
        return criterion(predicted, wanted, weights, log_scales)
    return criterion(*in_omega(predicted, wanted, weights))


def in_omega(predicted: Tensor, wanted: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the entries of Ω, whose weight is above 0, and their weights, all (entries,).

    Args:
        predicted: (..., K, 2).
        wanted: (..., K, 2).
        weights: (..., K), for x and y.
    """
    weights = weights[..., None].expand_as(wanted)
    omega = weights > 0
    return predicted[omega], wanted[omega], weights[omega]


def _read_pixels(offset_maps: Tensor, pixels: Tensor, num_parts: int) -> Tensor:
    # Offset maps (B, M·2K, H, W) at pixels (P, 4): (P, K, 2).
    image, part, y, x = pixels.unbind(1)
    return offset_maps.unflatten(1, (num_parts, -1, 2))[image, part, :, :, y, x]
