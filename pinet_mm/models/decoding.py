"""From raw maps to fused poses: the views' average, proposals, refinement, scores, fusion.

Tensors in, tensors out, of fixed shapes and without a look at their values, so that all of it can
be one graph. Shape shorthand: B pictures, V views (2 with flip test, else 1; view by view, the
mirrored ones last), K keypoints, M parts, C channels, H×W map, T proposals a picture, ordered by
part. `_hm` are map pixels, of the plain input unless `_scaled` says otherwise, (x, y) last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..method.agreement import weigh_by_agreement
from ..method.fusion import FusedPoses, PoseFusion
from ..method.proposals import (
    Centres,
    ProposalSampler,
    map_size,
    project_offsets,
    read_offsets,
    sample_pixels,
)
from ..method.refinement import PoseRefinement
from ..method.views import ViewMirror, mirror_points
from .test_cfg import TestSettings


class RawMaps(NamedTuple):
    """What the network makes of all views of B pictures at one scale.

    Attributes:
        features: (V·B, C, H, W).
        heatmaps: (V·B, K+M, H, W), keypoints first.
        offsets: (V·B, M·2K, H, W), or None: the decoder computes those of the proposals alone.
    """

    features: Tensor
    heatmaps: Tensor
    offsets: Tensor | None = None


class Proposals(NamedTuple):
    """T poses a picture, ordered by part.

    Attributes:
        poses_hm: (B, T, K, 2).
        scores: (B, T) of their part centres.
        valid: (B, T) boolean; the rest only fills up the batch.
    """

    poses_hm: Tensor
    scores: Tensor
    valid: Tensor


class PoseDecoder(nn.Module):
    """Make poses of a network's maps, by the rules of a codec and the settings of a test.

    With several scales, the poses of all are matched together. The score maps are averaged as
    if the smaller ones were enlarged without moving their origin: a keypoint reads every
    scale's map bilinearly at its own place there, beyond the last pixel that pixel, and takes the
    mean. The part-centre scores of every other scale are brought to scale 1's: per picture, their
    maximum becomes its maximum (unless one of the two is not above 0).

    The modules belong to the head, which makes a decoder when it needs one.

    Args:
        codec: gives `layout`, `rules` and `stride`, see `PINetCodec`.
        mirror: knows left and right.
        sampler: finds the peaks.
        offset_branch: the head's convolution, for maps without offsets.
        refinement: or None.
        fusion: matches the poses.
        settings: of the test.
    """

    def __init__(
        self,
        codec,
        mirror: ViewMirror,
        sampler: ProposalSampler,
        offset_branch: nn.Conv2d,
        refinement: PoseRefinement | None,
        fusion: PoseFusion,
        settings: TestSettings,
    ):
        super().__init__()
        self.layout, self.rules, self.stride = codec.layout, codec.rules, codec.stride
        self.mirror, self.sampler, self.fusion = mirror, sampler, fusion
        self.offset_branch = offset_branch
        self.refinement = None if settings.use_refinement is False else refinement
        self.settings = settings

    def forward(self, scales: Sequence[RawMaps], image_per_map: Tensor) -> FusedPoses:
        """Decode the maps of B pictures of one size.

        Args:
            scales: maps at every factor of `settings.scale_factors`, in that order.
            image_per_map: (B, 2) pixels of the original picture, where OKS is computed, per map
                pixel of factor 1.

        Returns:
            Keypoints in network-input pixels; `sources` divided by T/M are parts.
        """
        heatmaps = [self.average_views(maps.heatmaps) for maps in scales]
        poses_hm, scores, valid = self._pool(
            [
                self._propose(average[:, self.layout.num_keypoints :], maps, factor)
                for average, maps, factor in zip(heatmaps, scales, self.settings.scale_factors)
            ]
        )
        keypoint_scores = self._score_keypoints(
            [average[:, : self.layout.num_keypoints] for average in heatmaps], poses_hm, scores
        )
        return self.fuse(Proposals(poses_hm, scores, valid), keypoint_scores, image_per_map)

    def average_views(self, heatmaps: Tensor) -> Tensor:
        """Average maps (V·B, K+M, H, W) over the views of a picture: (B, K+M, H, W)."""
        heatmaps = heatmaps.contiguous()  # map by map in memory, as they are read
        if not self.settings.flip_test:
            return heatmaps
        plain, mirrored = heatmaps.unflatten(0, (2, -1))
        return self.mirror.maps(mirrored).add_(plain).mul_(0.5)

    def fuse(
        self, proposals: Proposals, keypoint_scores: Tensor, image_per_map: Tensor
    ) -> FusedPoses:
        """Make persons of proposals, see `forward`.

        Args:
            proposals: of one scale, or of all.
            keypoint_scores: (B, T, K).
            image_per_map: (B, 2).
        """
        scale, settings = image_per_map[:, None, None], self.settings
        poses_img, valid = proposals.poses_hm * scale, proposals.valid
        fused = self.fusion(
            poses_img,
            keypoint_scores,
            self.rules.pose_scores(proposals.scores),
            valid,
            settings.oks_thr,
            settings.use_fusion,
        )
        if settings.use_agreement:
            fused = weigh_by_agreement(
                fused, poses_img, valid, self.fusion.sigmas, self.layout.num_parts
            )
        return fused._replace(keypoints=fused.keypoints / scale * self.stride)

    def _propose(self, part_maps: Tensor, maps: RawMaps, factor: float) -> Proposals:
        centres = self.sampler.propose(
            part_maps, self.settings.max_per_part, self.settings.part_thr
        )
        poses_scaled = self.propose_poses(maps, centres)
        return Proposals(poses_scaled / factor, centres.scores, centres.valid)

    def propose_poses(self, maps: RawMaps, centres: Centres) -> Tensor:
        """Read and refine each view's own poses, and average them: (B, T, K, 2) map pixels.

        Args:
            maps: of all views.
            centres: T of each picture, in the plain view.
        """
        width, valid = maps.features.shape[-1], centres.valid
        centres_hm = self.centres_of_views(centres.xy_hm, width)
        poses_hm = centres_hm[:, :, None] - self.read_offsets(maps, centres_hm)
        if self.refinement is not None:
            valid = valid.repeat(1 + self.settings.flip_test, 1)
            poses_hm = poses_hm - self.refinement(maps.features, poses_hm, centres_hm, valid)
        if not self.settings.flip_test:
            return poses_hm
        plain, mirrored = poses_hm.unflatten(0, (2, -1))
        return (plain + self.mirror.poses(mirrored, width)) / 2

    def centres_of_views(self, centres_hm: Tensor, width: int) -> Tensor:
        """Repeat centres (B, T, 2) of the plain view in every view: (V·B, T, 2)."""
        if not self.settings.flip_test:
            return centres_hm
        return torch.cat((centres_hm, mirror_points(centres_hm, width)))

    def read_offsets(self, maps: RawMaps, centres_hm: Tensor) -> Tensor:
        """Read or compute every view's offsets at its centres (V·B, T, 2): (V·B, T, K, 2)."""
        parts = self.layout.num_parts
        if maps.offsets is None:
            branch, pixels = self.offset_branch, sample_pixels(maps.features, centres_hm)
            views = pixels.unflatten(0, (1 + self.settings.flip_test, -1))
            return torch.cat(
                [
                    project_offsets(view, branch.weight, branch.bias, parts, order)
                    for view, order in zip(views, (None, self.mirror.parts))
                ]
            )
        order = None
        if self.settings.flip_test:
            own, pictures = torch.arange(parts, device=centres_hm.device), centres_hm.shape[0] // 2
            order = torch.stack((own, self.mirror.parts)).repeat_interleave(pictures, dim=0)
        return read_offsets(maps.offsets, centres_hm, parts, order)

    def _pool(self, scales: Sequence[Proposals]) -> Proposals:
        # Part by part, scale 1 first: of equal poses those come first in fusion.
        first, *others = scales
        if not others:
            return first
        levelled = [first, *(other._replace(scores=_level(other, first)) for other in others)]
        return Proposals(
            *(
                torch.cat(
                    [values.unflatten(1, (self.layout.num_parts, -1)) for values in fields], dim=2
                ).flatten(1, 2)
                for fields in zip(*levelled)
            )
        )

    def _score_keypoints(
        self, score_maps: Sequence[Tensor], poses_hm: Tensor, scores: Tensor
    ) -> Tensor:
        read = self.rules.score_keypoints
        first, *others = score_maps
        found = read(first, poses_hm, scores, self.stride)
        if not others:
            return found
        # Where scale 1 reads nothing, no scale does; a map of ones shows where that is.
        inside = read(torch.ones_like(first), poses_hm, torch.ones_like(scores), self.stride)
        for maps, factor in zip(others, self.settings.scale_factors[1:]):
            last = map_size(maps, poses_hm.dtype) - 1
            points_scaled = torch.minimum(poses_hm * factor, last).clamp(min=0)
            found = found + read(maps, points_scaled, scores, self.stride) * (inside > 0.5)
        return found / len(score_maps)


def _level(proposals: Proposals, reference: Proposals) -> Tensor:
    # Dividing first makes the best of a scale exactly as good as the best of the reference.
    best, wanted = (
        each.scores.masked_fill(~each.valid, -torch.inf).amax(dim=1, keepdim=True)
        for each in (proposals, reference)
    )
    return torch.where(
        (best > 0) & (wanted > 0), proposals.scores / best * wanted, proposals.scores
    )
