"""The exported module: a PINet from pixels to people, for any number and size of images.

Shape shorthand: N images, V views (2 with flip test, else 1), C channels, K keypoints, T proposals
per image, P rows for its people, H×W input pixels. `_in` are input pixels, (x, y) last.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import RunError
from ..method.fusion import FusedPoses
from ..method.layouts import PartLayout
from ..method.proposals import KERNELS, Centers, find_peaks
from ..models.decoding import fuse, score_proposals
from ..models.estimator import PINet
from ..models.scales import Proposals
from ..models.test_cfg import TestSettings

MULTIPLE = 32  # HRNet halves five times


class _Steps(nn.Module):
    # From images to features, and on to people.

    def __init__(self, model: PINet, max_poses: int | None = None):
        super().__init__()
        self.model, self.settings = model, _exportable_settings(model)
        self.num_proposals = num_proposals(self.settings, model.head.layout)
        self.max_poses = self.num_proposals if max_poses is None else max_poses
        if self.max_poses < 1:
            raise RunError(f'max_poses must be at least 1; found {max_poses}')

    def extract(self, images: Tensor) -> list[Tensor]:
        """Compute the head's features (V·N, C, h, w) of images at every scale factor.

        Args:
            images: see `ExportablePINet.forward`.
        """
        scales = self.model.extract_scales(self._normalize(images), self.settings)
        return [feats[-1] for feats in scales]

    def propose(self, features: Sequence[Tensor]) -> tuple[Proposals, Tensor]:
        """Propose poses from all scales' features: the proposals and keypoint scores (N, T, K)."""
        head = self.model.head
        maps = [head.test_maps([each]) for each in features]
        return score_proposals(head, maps, self.settings, propose_any_size)[:2]

    def find(
        self, proposals: Proposals, keypoint_scores: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Fuse proposals into people, see `ExportablePINet.forward`."""
        head = self.model.head
        image_per_map = proposals.scores.new_full((proposals.scores.shape[0], 2), head.codec.stride)
        return self._pad(fuse(head, proposals, keypoint_scores, image_per_map, self.settings))

    def _normalize(self, images: Tensor) -> Tensor:
        preprocessor = self.model.data_preprocessor
        if not preprocessor._channel_conversion:  # a network of BGR images, as they are read
            images = images.flip(1)
        if not preprocessor._enable_normalize:
            return images
        return (images - preprocessor.mean) / preprocessor.std

    def _pad(self, fused: FusedPoses) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scores = fused.scores.masked_fill(~fused.kept, -torch.inf)
        scores, order = scores.topk(min(self.max_poses, self.num_proposals))
        found, index = scores > -torch.inf, order[..., None]
        keypoint_scores = fused.keypoint_scores
        if self.model.head.codec.rules.clamp_scores:
            keypoint_scores = keypoint_scores.clamp(0, 1)
        k = fused.keypoints.shape[2]
        keypoints = fused.keypoints.gather(1, index[..., None].expand(-1, -1, k, 2))
        keypoint_scores = keypoint_scores.gather(1, index.expand(-1, -1, k))
        more = max(self.max_poses - self.num_proposals, 0)
        return (
            F.pad(torch.where(found[..., None, None], keypoints, 0), (0, 0, 0, 0, 0, more)),
            F.pad(torch.where(found[..., None], keypoint_scores, 0), (0, 0, 0, more)),
            F.pad(torch.where(found, scores, 0), (0, more)),
            found.sum(dim=1),
        )


class ExportablePINet(_Steps):
    """A PINet from pixels to people in tensors of fixed shapes; it shares the model's weights.

    OKS does not depend on a common scale, so it is computed in input pixels instead of those of
    the original image.

    Args:
        max_poses: P; by default T, so that nobody is left out.

    Raises:
        RunError: a number is not what a graph can have.
    """

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find the people of N images.

        Args:
            images: (N, 3, H, W) float32, RGB, 0 to 255; H and W multiples of 32.

        Returns:
            `keypoints` (N, P, K, 2) input pixels, `keypoint_scores` (N, P, K), `scores` (N, P)
            best first, and `count` (N,) int64 people; 0 in the rows beyond them.
        """
        return self.find(*self.propose(self.extract(images)))


class StepsToo(_Steps):
    """An `ExportablePINet` that also gives what is to be found in the graph by name.

    The head's features mark where backbone and neck end; the proposals are the poses before fusion.
    """

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Find the people of N images, see `ExportablePINet.forward`.

        Args:
            images: see there.

        Returns:
            What it returns; of the proposals, ordered by part, the poses (N, T, K, 2) in input
            pixels, keypoint scores (N, T, K), and which are poses at all (N, T); the features
            (V·N, C, h, w) of every scale.
        """
        features = self.extract(images)
        proposals, keypoint_scores = self.propose(features)
        poses_in = proposals.poses_hm * self.model.head.codec.stride
        people = self.find(proposals, keypoint_scores)
        return *people, poses_in, keypoint_scores, proposals.valid, *features


def num_proposals(settings: TestSettings, layout: PartLayout) -> int:
    """Return T, the proposals of an image at all scales."""
    return len(settings.scale_factors) * settings.max_per_part * layout.num_parts


def _exportable_settings(model: PINet) -> TestSettings:
    settings = model.head.check_settings(model.test_cfg)
    smallest = (MULTIPLE // model.head.codec.stride) ** 2
    if settings.max_per_part > smallest:
        raise RunError(
            f'max_per_part must be at most {smallest}, the pixels of the smallest '
            f'map, to be exported; found {settings.max_per_part}'
        )
    return settings


def propose_any_size(part_maps: Tensor, max_per_part: int, part_thr: float) -> Centers:
    """Find the peaks of maps whose size is not known yet, see `proposals.find_peaks`."""
    return find_peaks(part_maps, max_per_part, part_thr, pool_any_size)


def pool_any_size(part_maps: Tensor) -> Tensor:
    """Compute `proposals.pool_maps` in a graph, which chooses the window from the map size."""
    sides = torch.scalar_tensor(part_maps.shape[-2] + part_maps.shape[-1], device=part_maps.device)
    pooled = part_maps
    for above, kernel in KERNELS:
        larger = F.max_pool2d(part_maps, kernel, stride=1, padding=kernel // 2)
        pooled = torch.where(sides > 2 * above, larger, pooled)
    return pooled
