"""From raw maps to fused poses: the views' average, proposals, refinement, scores, fusion.

Tensors in, tensors out, of fixed shapes and without a look at their values, so that all of it can
be one graph. Shape shorthand: B pictures, V views (2 with flip test, else 1; view by view, the
mirrored ones last), K keypoints, M parts, C channels, H×W map, T proposals a picture, ordered by
part. `_hm` are map pixels, (x, y) last.
"""

from typing import Optional

import torch
from torch import Tensor, nn

from .flip import ViewMirror, mirror_points
from .fusion import FusedPoses, PoseFusion
from .proposals import Centres, ProposalSampler, read_offsets
from .refinement import PoseRefinement
from .settings import TestSettings


class PoseDecoder(nn.Module):
    """Make poses of a network's maps, by the rules of a codec and the settings of a test.

    The modules belong to the head, which makes a decoder when it needs one.

    Args:
        codec: gives `layout`, `rules` and `stride`, see `PINetCodec`.
        mirror: knows left and right.
        sampler: finds the peaks.
        refinement: or None.
        fusion: matches the poses.
        settings: of the test.
    """

    def __init__(self, codec, mirror: ViewMirror, sampler: ProposalSampler,
                 refinement: Optional[PoseRefinement], fusion: PoseFusion,
                 settings: TestSettings):
        super().__init__()
        self.layout, self.rules, self.stride = codec.layout, codec.rules, codec.stride
        self.mirror, self.sampler, self.fusion = mirror, sampler, fusion
        self.refinement = None if settings.use_refinement is False else refinement
        self.settings = settings

    def forward(self, features: Tensor, heatmaps: Tensor, offsets: Tensor,
                image_per_map: Tensor) -> FusedPoses:
        """Decode the maps of B pictures of one size.

        Args:
            features: (V·B, C, H, W).
            heatmaps: (V·B, K+M, H, W), keypoints first.
            offsets: (V·B, M·2K, H, W).
            image_per_map: (B, 2) pixels of the original picture, where OKS is computed, per map
                pixel.

        Returns:
            Keypoints in network-input pixels; `sources` divided by T/M are parts.
        """
        settings = self.settings
        score_maps, part_maps = self.average_views(heatmaps).split(
            (self.layout.num_keypoints, self.layout.num_parts), dim=1)
        centres = self.sampler.propose(part_maps, settings.max_per_part, settings.part_thr)
        poses_hm = self.propose_poses(features, offsets, centres)
        keypoint_scores = self.rules.score_keypoints(score_maps, poses_hm, centres.scores,
                                                     self.stride)
        scale = image_per_map[:, None, None]
        fused = self.fusion(poses_hm * scale, keypoint_scores,
                            self.rules.pose_scores(centres.scores), centres.valid,
                            settings.oks_thr, settings.use_fusion)
        return fused._replace(keypoints=fused.keypoints / scale * self.stride)

    def average_views(self, heatmaps: Tensor) -> Tensor:
        """Average maps (V·B, K+M, H, W) over the views of a picture: (B, K+M, H, W)."""
        if not self.settings.flip_test:
            return heatmaps
        plain, mirrored = heatmaps.chunk(2)
        return (plain + self.mirror.maps(mirrored)) / 2

    def propose_poses(self, features: Tensor, offsets: Tensor, centres: Centres) -> Tensor:
        """Read and refine each view's own poses, and average them: (B, T, K, 2) map pixels.

        Args:
            features: (V·B, C, H, W).
            offsets: (V·B, M·2K, H, W).
            centres: T of each picture, in the plain view.
        """
        centres_hm, valid, width = centres.xy_hm, centres.valid, features.shape[-1]
        if not self.settings.flip_test:
            predicted = read_offsets(offsets, centres_hm, self.layout.num_parts)
        else:
            mirrored_hm = mirror_points(centres_hm, width)
            plain, mirrored = offsets.chunk(2)
            predicted = torch.cat((
                read_offsets(plain, centres_hm, self.layout.num_parts),
                read_offsets(mirrored, mirrored_hm, self.layout.num_parts, self.mirror.parts)))
            centres_hm, valid = torch.cat((centres_hm, mirrored_hm)), valid.repeat(2, 1)
        poses_hm = centres_hm[:, :, None] - predicted
        if self.refinement is not None:
            poses_hm = poses_hm - self.refinement(features, poses_hm, centres_hm, valid)
        if not self.settings.flip_test:
            return poses_hm
        plain, mirrored = poses_hm.chunk(2)
        return (plain + self.mirror.poses(mirrored, width)) / 2
