"""From raw maps to fused poses: the views' average, proposals, refinement, scores, fusion.

The functions take tensors of fixed shapes and never branch on values, so that they compile to one
graph. They use the modules of a head, see `DecodingHead`, and keep no state. Shape shorthand: B
images, V views (2 with flip test, else 1; view by view, the mirrored ones last), K keypoints, M
parts, C channels, H×W map, T proposals per image, ordered by part. `_hm` are map pixels, of the
plain input unless `_scaled` says otherwise, (x, y) last.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..method.agreement import weigh_by_agreement
from ..method.fusion import FusedPoses, PoseFusion, usable_poses
from ..method.layouts import PartLayout
from ..method.proposals import (
    Centers,
    ProposalSampler,
    best_pixels,
    project_offsets,
    read_offsets,
)
from ..method.reading import map_size, sample_pixels
from ..method.refinement import PoseRefinement
from ..method.scoring import score_as_expected, score_of
from ..method.views import ViewMirror, mirror_points
from .codec import PINetCodec
from .lost import mark_lost
from .scales import Proposals, expected_stds, pool_scales, weights_of
from .test_cfg import TestSettings


class DecodingHead(Protocol):
    """The part of a `PINetHead` that decoding reads."""

    codec: PINetCodec
    mirror: ViewMirror
    sampler: ProposalSampler
    offset_branch: nn.Conv2d
    refinement: PoseRefinement | None
    fusion: PoseFusion

    @property
    def layout(self) -> PartLayout:
        """The dataset's keypoints and parts."""
        ...


class RawMaps(NamedTuple):
    """Output of the network for all views of B images at one scale.

    Attributes:
        features: (V·B, C, H, W).
        heatmaps: (V·B, K+M, H, W), keypoints first.
        offsets: (V·B, M·2K, H, W), given by tests and studies only; `PINetHead.test_maps` leaves
            them out, and they are computed only at the proposals.
    """

    features: Tensor
    heatmaps: Tensor
    offsets: Tensor | None = None


def decode(
    head: DecodingHead,
    scales: Sequence[RawMaps],
    image_per_map: Tensor,
    settings: TestSettings,
) -> tuple[FusedPoses, Tensor]:
    """Decode the raw maps of B images of one size into people.

    With several scales, the poses of all are matched together. The score of a keypoint is the mean
    over the scales: the map of each scale is read bilinearly at the keypoint's position in that map
    (coordinates × its factor), clamped to the last pixel. The part-center scores of the other
    scales are multiplied, per image, by a factor that makes their maximum that of scale 1 (unless
    one of the two is not above 0).

    Args:
        head: whose modules and codec are used.
        scales: maps at every factor of `settings.scale_factors`, in that order.
        image_per_map: (B, 2) pixels of the original image, where OKS is computed, per map pixel of
            factor 1.
        settings: of the inference.

    Returns:
        People, keypoints in network-input pixels (`sources` // (T/M) is the part), marked where
        numbers are not finite, see `mark_lost`; and the heatmaps (B, K+M, H, W) of factor 1,
        averaged over the views.
    """
    # Peaks and sub-pixel offsets need more digits than half precision has.
    with torch.autocast(image_per_map.device.type, enabled=False):
        proposals, keypoint_scores, heatmaps = score_proposals(head, scales, settings)
        fused = fuse(head, proposals, keypoint_scores, image_per_map, settings)
    # NaN is no peak, so that maps of it propose nobody.
    return mark_lost(fused, ~(heatmaps.abs().flatten(1).amax(dim=1) < torch.inf)), heatmaps


def score_proposals(
    head: DecodingHead,
    scales: Sequence[RawMaps],
    settings: TestSettings,
    propose: Callable[[Tensor, int, float], Centers] | None = None,
) -> tuple[Proposals, Tensor, Tensor]:
    """Do all of `decode` that comes before fusion.

    Args:
        head: see `decode`.
        scales: see `decode`.
        settings: see `decode`.
        propose: finds the peaks, called as `ProposalSampler.propose`; by default the head's. Not
            called where the settings do without peaks.

    Returns:
        The proposals of all scales; their keypoint scores (B, T, K); the heatmaps that `decode`
        returns.
    """
    k, mirror = head.layout.num_keypoints, head.mirror if settings.flip_test else None
    propose = (propose or head.sampler.propose) if settings.use_peaks else best_pixels
    heatmaps = [average_views(maps.heatmaps, mirror) for maps in scales]
    found = []
    for average, maps, factor in zip(heatmaps, scales, settings.scale_factors):
        centers = propose(average[:, k:], settings.max_per_part, settings.part_thr)
        found.append(propose_poses(head, maps, centers, settings).at_scale_1(factor))
    proposals = pool_scales(found, head.layout.num_parts)
    keypoint_scores = _score_keypoints(
        head, [average[:, :k] for average in heatmaps], proposals, settings
    )
    return proposals, keypoint_scores, heatmaps[0]


def average_views(heatmaps: Tensor, mirror: ViewMirror | None) -> Tensor:
    """Average maps (V·B, K+M, H, W) over the views of an image: (B, K+M, H, W).

    Args:
        heatmaps: of all views.
        mirror: brings the mirrored view back; None if there is none.
    """
    heatmaps = heatmaps.contiguous()  # contiguous, as the maps are read one by one
    if mirror is None:
        return heatmaps
    plain, mirrored = heatmaps.unflatten(0, (2, -1))
    return mirror.maps(mirrored).add_(plain).mul_(0.5)


def propose_poses(
    head: DecodingHead, maps: RawMaps, centers: Centers, settings: TestSettings
) -> Proposals:
    """Read and refine each view's own poses, and average them, in pixels of these maps.

    Args:
        head: see `decode`.
        maps: of all views.
        centers: T of each image, in the plain view.
        settings: see `decode`.
    """
    width, mirror = maps.features.shape[-1], head.mirror if settings.flip_test else None
    centers_hm = centers_of_views(centers.xy_hm, width, settings.flip_test)
    poses_hm = centers_hm[:, :, None] - offsets_of_views(head, maps, centers_hm, mirror)
    pooled = stds_hm = None
    if head.refinement is not None and settings.use_refinement is not False:
        valid = centers.valid.repeat(1 + settings.flip_test, 1)
        refined = head.refinement.refine(maps.features, poses_hm, centers_hm, valid)
        if settings.use_score is not False and score_of(head) is not None:
            pooled = refined.pooled.unflatten(0, (1 + settings.flip_test, -1)).mean(dim=0)
        poses_hm = poses_hm - refined.offsets
        stds_hm = expected_stds(refined.log_scales, mirror)
    poses_hm = average_poses(poses_hm, width, mirror)
    return Proposals(poses_hm, centers.scores, centers.valid, pooled, stds_hm)


def centers_of_views(centers_hm: Tensor, width: int, flip_test: bool) -> Tensor:
    """Repeat centers (B, T, 2) of the plain view in every view: (V·B, T, 2)."""
    if not flip_test:
        return centers_hm
    return torch.cat((centers_hm, mirror_points(centers_hm, width)))


def average_poses(poses_hm: Tensor, width: int, mirror: ViewMirror | None) -> Tensor:
    """Average poses (V·B, T, K, 2) over the views of an image: (B, T, K, 2).

    Args:
        poses_hm: of all views, each in its own map.
        width: of the maps.
        mirror: see `average_views`.
    """
    if mirror is None:
        return poses_hm
    plain, mirrored = poses_hm.unflatten(0, (2, -1))
    return (plain + mirror.poses(mirrored, width)) / 2


def offsets_of_views(
    head: DecodingHead, maps: RawMaps, centers_hm: Tensor, mirror: ViewMirror | None
) -> Tensor:
    """Read or compute every view's offsets at its centers: (V·B, T, K, 2) map pixels.

    Args:
        head: see `decode`.
        maps: of all views.
        centers_hm: (V·B, T, 2), of all views.
        mirror: see `average_views`.
    """
    parts = head.layout.num_parts
    if maps.offsets is None:
        branch, pixels = head.offset_branch, sample_pixels(maps.features, centers_hm)
        orders = (None,) if mirror is None else (None, mirror.parts)
        views = pixels.unflatten(0, (len(orders), -1))
        return torch.cat(
            [
                project_offsets(view, branch.weight, branch.bias, parts, order)
                for view, order in zip(views, orders)
            ]
        )
    order = None
    if mirror is not None:
        own, images = torch.arange(parts, device=centers_hm.device), centers_hm.shape[0] // 2
        order = torch.stack((own, mirror.parts)).repeat_interleave(images, dim=0)
    return read_offsets(maps.offsets, centers_hm, parts, order)


def fuse(
    head: DecodingHead,
    proposals: Proposals,
    keypoint_scores: Tensor,
    image_per_map: Tensor,
    settings: TestSettings,
) -> FusedPoses:
    """Fuse the proposals of one scale, or of all, into people, see `decode`.

    Args:
        head: see `decode`.
        proposals: that are matched.
        keypoint_scores: (B, T, K).
        image_per_map: (B, 2).
        settings: see `decode`.
    """
    scale = image_per_map[:, None, None]
    score = score_of(head)
    expected = None if score is None or proposals.pooled is None else score(proposals.pooled)
    pose_scores = head.codec.rules.pose_scores(proposals.scores) if expected is None else expected
    poses_img = proposals.poses_hm * scale
    usable = usable_poses(poses_img, keypoint_scores, pose_scores)
    lost, valid = (proposals.valid & ~usable).any(dim=1), proposals.valid & usable
    merge: bool | Tensor = settings.use_fusion
    if merge and settings.use_uncertainty and proposals.stds_hm is not None:
        merge = weights_of(keypoint_scores, proposals.stds_hm)
    fused = head.fusion(poses_img, keypoint_scores, pose_scores, valid, settings.oks_thr, merge)
    if expected is not None:
        fused = score_as_expected(fused, expected, valid)
    if settings.use_agreement:
        poses_img = torch.where(valid[..., None, None], poses_img, 0)
        fused = weigh_by_agreement(
            fused, poses_img, valid, head.fusion.sigmas, head.layout.num_parts
        )
    keypoints_in = fused.keypoints / scale * head.codec.stride
    stds_in = proposals.stds_of(fused.sources, head.codec.stride)
    _, keypoint_scores, scores, kept, sources, _ = fused
    return mark_lost(
        FusedPoses(keypoints_in, keypoint_scores, scores, kept, sources, stds_in), lost
    )


def _score_keypoints(
    head: DecodingHead, score_maps: Sequence[Tensor], proposals: Proposals, settings: TestSettings
) -> Tensor:
    read, stride = head.codec.rules.score_keypoints, head.codec.stride
    poses_hm, scores = proposals.poses_hm, proposals.scores
    first, *others = score_maps
    found = read(first, poses_hm, scores, stride)
    if not others:
        return found
    # Outside the map of scale 1 no scale counts; a map of ones shows where that is.
    inside = read(torch.ones_like(first), poses_hm, torch.ones_like(scores), stride)
    for maps, factor in zip(others, settings.scale_factors[1:]):
        last = map_size(maps, poses_hm.dtype) - 1
        points_scaled = torch.minimum(poses_hm * factor, last).clamp(min=0)
        found = found + read(maps, points_scaled, scores, stride) * (inside > 0.5)
    return found / len(score_maps)
