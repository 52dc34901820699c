"""Pose Refinement (PR): a graph network that moves all keypoints of a proposed pose at once.

Shape shorthand: B images, T poses per image, S poses in all, K keypoints, C feature channels.
Coordinates are map pixels (`_hm`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import check_number
from .reading import sample_bilinear, sample_pixels
from .scoring import PoseScore


def normalized_adjacency(num_keypoints: int, skeleton: Sequence[tuple[int, int]]) -> Tensor:
    """Return D^-1/2 (A + I) D^-1/2 of the undirected skeleton: (K, K)."""
    adjacency = torch.eye(num_keypoints)
    if len(skeleton):
        i, j = torch.tensor(skeleton).T
        adjacency[i, j] = adjacency[j, i] = 1
    scale = adjacency.sum(dim=1).rsqrt()
    return scale[:, None] * adjacency * scale


def waits_for_others(norm: nn.Module) -> bool:
    """Return whether a norm in training waits for all processes, even for one without data."""
    return isinstance(norm, nn.SyncBatchNorm) and _several_processes()


def _several_processes() -> bool:
    distributed = torch.distributed
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


class GraphConv(nn.Module):
    """ReLU(BN(A · (x · W) + b)) on node features (S, K, C)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.bn = nn.BatchNorm1d(channels)
        nn.init.xavier_uniform_(self.weight, gain=math.sqrt(2))
        nn.init.uniform_(self.bias, -1 / math.sqrt(channels), 1 / math.sqrt(channels))

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Compute the next features (S, K, C) of nodes (S, K, C) linked by `adjacency` (K, K)."""
        if not self.bn.training:
            return self._forward_folded(nodes, adjacency)
        nodes = adjacency @ (nodes @ self.weight) + self.bias
        normalized: Tensor = self.bn(nodes.flatten(0, 1))
        return normalized.view_as(nodes).relu()

    def _forward_folded(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        # Running statistics make the normalization part of the weights: two products and the ReLU
        # are left.
        mean, variance = self.bn.get_buffer('running_mean'), self.bn.get_buffer('running_var')
        scale = self.bn.weight * (variance + self.bn.eps).rsqrt()
        bias = (self.bias - mean) * scale + self.bn.bias
        mixed = torch.bmm(adjacency.expand(nodes.shape[0], -1, -1), nodes)
        moved = torch.addmm(bias, mixed.flatten(0, 1), self.weight * scale)
        return moved.relu_().view_as(nodes)


class GraphResidualBlock(nn.Module):
    """x + conv2(conv1(x)) on node features (S, K, C), without activation after the sum."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = GraphConv(channels)
        self.conv2 = GraphConv(channels)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Compute the next features (S, K, C), see `GraphConv.forward`."""
        change: Tensor = self.conv2(self.conv1(nodes, adjacency), adjacency)
        return nodes + change


class PoseRefinement(nn.Module):
    """Predict how far off each keypoint of a proposed pose is.

    Args:
        in_channels: C.
        num_keypoints: K.
        skeleton: edges of the adjacency before training.
        num_layers: residual blocks L; the paper uses 2 on COCO, 3 on CrowdPose and OCHuman.
        sample_features: reads features at keypoints, called as `sample_bilinear`; the head passes
            the one of its convention.
        score: arguments of a `PoseScore` beside `in_channels`; None for a model without it.

    Raises:
        InputError: `num_layers` is no count.

    Attributes:
        product_dtype: half precision for the products of graph convolutions, or None; sums and
            predicted offsets stay in float32.
    """

    product_dtype: torch.dtype | None = None

    def __init__(
        self,
        in_channels: int,
        num_keypoints: int,
        skeleton: Sequence[tuple[int, int]],
        num_layers: int = 3,
        sample_features: Callable[[Tensor, Tensor], Tensor] = sample_bilinear,
        score: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        check_number('refinement.num_layers', num_layers, 0, whole=True)
        self.sample_features = sample_features
        self.adjacency = nn.Parameter(normalized_adjacency(num_keypoints, skeleton))
        self.stem = GraphConv(in_channels)
        self.blocks = nn.ModuleList(GraphResidualBlock(in_channels) for _ in range(num_layers))
        self.predictor = nn.Sequential(
            nn.Linear(3 * in_channels, in_channels),
            nn.BatchNorm1d(in_channels),
            nn.ReLU(),
            nn.Linear(in_channels, 2 * num_keypoints),
        )
        self.score = None if score is None else PoseScore(in_channels, **score)

    def forward(
        self, features: Tensor, poses_hm: Tensor, centers_hm: Tensor, valid: Tensor | None = None
    ) -> Tensor:
        """Predict refining offsets; the refined pose is pose - refining offset.

        Args:
            features: (B, C, H, W).
            poses_hm: (B, T, K, 2).
            centers_hm: (B, T, 2) integer pixels that proposed the poses.
            valid: (B, T) boolean, the poses that are refined and, in training, enter the batch
                statistics; by default all.

        Returns:
            (B, T, K, 2) map pixels, 0 for invalid poses.
        """
        if valid is None:
            valid = torch.ones(poses_hm.shape[:2], dtype=torch.bool, device=poses_hm.device)
        if self.training:
            return self._forward_valid(features, poses_hm, centers_hm, valid)
        return self.refine(features, poses_hm, centers_hm, valid)[0]

    def refine(
        self, features: Tensor, poses_hm: Tensor, centers_hm: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Predict refining offsets in evaluation mode, and return what they were predicted from.

        Args:
            features: see `forward`.
            poses_hm: see `forward`.
            centers_hm: see `forward`.
            valid: see `forward`.

        Returns:
            What `forward` returns, and the poses' pooled features (B, T, 3C).
        """
        # All poses at once: selecting the valid ones would make the host wait for the device.
        nodes = self.sample_features(features, poses_hm).flatten(0, 1)
        center = sample_pixels(features, centers_hm).flatten(0, 1)
        pooled = self.pool_nodes(nodes, center)
        refining = self.predictor(pooled).view_as(poses_hm)
        refining = torch.where(valid[..., None, None], refining, 0)
        return refining, pooled.unflatten(0, valid.shape)

    def _forward_valid(
        self, features: Tensor, poses_hm: Tensor, centers_hm: Tensor, valid: Tensor
    ) -> Tensor:
        refining = torch.zeros_like(poses_hm)
        # Batch statistics need two poses. With fewer, every parameter gets a gradient of 0, since
        # distributed training needs one.
        if int(valid.sum()) < 2 and not waits_for_others(self.stem.bn):
            return refining + 0 * sum(parameter.sum() for parameter in self.parameters())
        nodes = self.sample_features(features, poses_hm)[valid]
        center = sample_pixels(features, centers_hm)[valid]
        return refining.masked_scatter(valid[..., None, None], self.refine_nodes(nodes, center))

    def refine_nodes(self, nodes: Tensor, center: Tensor) -> Tensor:
        """Predict offsets (S, K, 2) from the features of nodes (S, K, C) and centers (S, C)."""
        offsets: Tensor = self.predictor(self.pool_nodes(nodes, center))
        return offsets.view(*nodes.shape[:2], 2)

    def pool_nodes(self, nodes: Tensor, center: Tensor) -> Tensor:
        """Compute a pose's features (S, 3C) from those of nodes (S, K, C) and centers (S, C)."""
        half = self.product_dtype
        with torch.autocast(nodes.device.type, half, enabled=half is not None):
            nodes = self.stem(nodes, self.adjacency).to(nodes.dtype)
            for block in self.blocks:
                nodes = block(nodes, self.adjacency)
        return torch.cat((nodes.mean(dim=1), nodes.amax(dim=1), center), dim=1)
