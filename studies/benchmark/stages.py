"""Inference, cut into the stages whose times are measured.

Shape shorthand: B images, V views, K keypoints.
"""

from collections.abc import Mapping, Sequence

from pinet_mm.method.reading import sample_pixels
from pinet_mm.models.decoding import (
    RawMaps,
    average_poses,
    average_views,
    centers_of_views,
    fuse,
    offsets_of_views,
)
from pinet_mm.models.estimator import PINet
from pinet_mm.models.head import PINetHead
from pinet_mm.models.scales import Proposals
from pinet_mm.models.test_cfg import TestSettings

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor

from .timing import Chain, chain_of

# The stages from maps to people.
DECODING = ('average', 'peaks', 'gather', 'sampling', 'refinement', 'scoring', 'fusion', 'packing')


class DecodingStages:
    """`PINetHead.predict` from its raw maps on, at one scale, one stage per method.

    A test compares the people with those of the head.

    Args:
        head: in evaluation mode.
        settings: of the inference.
        maps: of one scale.
        image_per_map: (B, 2), see `decoding.decode`.
    """

    def __init__(
        self, head: PINetHead, settings: TestSettings, maps: RawMaps, image_per_map: Tensor
    ):
        self.head, self.settings, self.maps = head, settings, maps
        self.image_per_map, self.mirror = image_per_map, head.mirror if settings.flip_test else None
        self.graph_network = None if settings.use_refinement is False else head.refinement
        self.num_keypoints, self.num_parts = head.layout.num_keypoints, head.layout.num_parts

    def chain(self) -> Chain:
        """Name the stages in their order; the last one returns the people of every image."""
        return chain_of(self, *DECODING)

    def average(self) -> None:
        """Average the score maps of both views."""
        self.heatmaps = average_views(self.maps.heatmaps, self.mirror)

    def peaks(self) -> None:
        """Find the peaks of the part maps."""
        self.centers = self.head.sampler.propose(
            self.heatmaps[:, self.num_keypoints :],
            self.settings.max_per_part,
            self.settings.part_thr,
        )

    def gather(self) -> None:
        """Read the poses that every view proposes at the peaks."""
        self.centers_hm = centers_of_views(
            self.centers.xy_hm, self.heatmaps.shape[-1], self.settings.flip_test
        )
        self.poses_hm = self.centers_hm[:, :, None] - offsets_of_views(
            self.head, self.maps, self.centers_hm, self.mirror
        )

    def sampling(self) -> None:
        """Read the features at keypoints and part centers."""
        if self.graph_network is not None:
            self.nodes = self.graph_network.sample_features(
                self.maps.features, self.poses_hm
            ).flatten(0, 1)
            self.center = sample_pixels(self.maps.features, self.centers_hm).flatten(0, 1)

    def refinement(self) -> None:
        """Run the graph network, matrix products mostly."""
        if self.graph_network is not None:
            refining = self.graph_network.refine_nodes(self.nodes, self.center)
            valid = self.centers.valid.repeat(len(self.poses_hm) // len(self.centers.valid), 1)
            self.poses_hm = self.poses_hm - torch.where(
                valid[..., None, None], refining.view_as(self.poses_hm), 0
            )

    def scoring(self) -> None:
        """Average the poses of the views and score their keypoints."""
        self.poses_hm = average_poses(self.poses_hm, self.heatmaps.shape[-1], self.mirror)
        self.keypoint_scores = self.head.codec.rules.score_keypoints(
            self.heatmaps[:, : self.num_keypoints],
            self.poses_hm,
            self.centers.scores,
            self.head.codec.stride,
        )

    def fusion(self) -> None:
        """Compare all poses, match and fuse them."""
        self.fused = fuse(
            self.head,
            Proposals(self.poses_hm, self.centers.scores, self.centers.valid),
            self.keypoint_scores,
            self.image_per_map,
            self.settings,
        )

    def packing(self) -> list[InstanceData]:
        """Copy the people to numpy arrays."""
        return self.head.pack(self.fused)[0]


class InferenceStages(DecodingStages):
    """Inference from images to people, in which the network finds a given crowd.

    The network runs and its features are used, but its maps are replaced by those of the crowd, so
    that the number of people is known, whatever the weights.

    Args:
        model: in evaluation mode.
        pipeline: of the test.
        images: B, (h, w, 3) uint8 BGR.
        maps: of the crowd; their features are not used.
    """

    __test__ = False  # the name must not make pytest collect it

    def __init__(
        self,
        model: PINet,
        pipeline: Sequence[Mapping],
        images: Sequence[np.ndarray],
        maps: RawMaps,
    ):
        settings = model.head.check_settings(model.test_cfg)
        super().__init__(model.head, settings, maps, torch.empty(0))
        self.model, self.pipeline, self.images = model, Compose(pipeline), images

    def chain(self) -> Chain:
        """Name the stages in their order; the last one returns the people of every image."""
        return chain_of(self, 'input', 'backbone', 'branches', *DECODING)

    def input(self) -> None:
        """Resize, pack, normalize and move the images."""
        packed = [
            self.pipeline(dict(img=image, img_path='', **self.model.dataset_meta))
            for image in self.images
        ]
        data = self.model.data_preprocessor(pseudo_collate(packed))
        self.inputs, self.samples = data['inputs'], data['data_samples']

    def backbone(self) -> None:
        """Extract the features of all views."""
        self.feats = self.model.extract_views(self.inputs, self.settings.flip_test)

    def branches(self) -> None:
        """Run the head's convolutions, and take the crowd's maps in place of theirs."""
        own = self.head.test_maps(self.feats)
        self.maps = self.maps._replace(features=own.features)
        self.image_per_map = self.head.image_per_map(self.samples, own.heatmaps.device)

    def gather(self) -> None:
        """Compute the offsets of the peaks, and take the crowd's in place of them."""
        super().gather()
        offsets_of_views(self.head, self.maps._replace(offsets=None), self.centers_hm, self.mirror)
