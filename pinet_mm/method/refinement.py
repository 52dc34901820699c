"""Pose Refinement (PR): a graph network that moves all keypoints of a proposed pose at once.

Shape shorthand: B images, T poses per image, S poses in all, K keypoints, C feature channels.
Coordinates are map pixels (`_hm`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import InputError, check_number
from .reading import average_maps, sample_bilinear, sample_pixels
from .scoring import build_score


def normalized_adjacency(num_keypoints: int, skeleton: Sequence[tuple[int, int]]) -> Tensor:
    """Return D^-1/2 (A + I) D^-1/2 of the undirected skeleton: (K, K)."""
    adjacency = torch.eye(num_keypoints)
    if len(skeleton):
        i, j = torch.tensor(skeleton).T
        adjacency[i, j] = adjacency[j, i] = 1
    scale = adjacency.sum(dim=1).rsqrt()
    return scale[:, None] * adjacency * scale


LOG_SCALES = (-4.0, 4.0)  # least and most ln b: 1/55 and 55 map pixels


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
    """ReLU(BN(A · (x · W) + b)) on node features (S, K, C).

    Args:
        channels: of the result.
        in_channels: C; by default as many.
    """

    def __init__(self, channels: int, in_channels: int | None = None):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels or channels, channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.bn = nn.BatchNorm1d(channels)
        nn.init.xavier_uniform_(self.weight, gain=math.sqrt(2))
        nn.init.uniform_(self.bias, -1 / math.sqrt(channels), 1 / math.sqrt(channels))

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Compute the next features (S, K, channels) of nodes linked by `adjacency` (K, K)."""
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
        return moved.relu_().view(*nodes.shape[:2], self.weight.shape[1])


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


class Refined(NamedTuple):
    """What the refinement says of T poses for each of B images.

    Attributes:
        offsets: (B, T, K, 2) map pixels, 0 for invalid poses; the refined pose is pose - offset.
        pooled: (B, T, 3C) what the last pass predicted from; None in training.
        log_scales: (B, T, K) ln b, where the error that is left in x, and likewise in y, is
            expected to have a Laplace distribution of scale b map pixels; 0 for invalid poses, None
            for a refinement without uncertainty.
    """

    offsets: Tensor
    pooled: Tensor | None = None
    log_scales: Tensor | None = None


class PoseRefinement(nn.Module):
    """Predict how far off each keypoint of a proposed pose is.

    Args:
        in_channels: C.
        num_keypoints: K.
        skeleton: edges of the adjacency before training.
        num_layers: residual blocks L; the paper uses 2 on COCO, 3 on CrowdPose and OCHuman.
        sample_features: reads features at keypoints, called as `sample_bilinear`; the head passes
            the one of its convention.
        score: options of a `PoseScore`, see `build_score`; None for a model without it.
        num_passes: how often a pose is refined, each time from where the last pass has moved it;
            all passes have the same weights. Once in the paper.
        uncertainty: predict besides how far off each refined keypoint is expected to be.
        context: windows n of map pixels; features of a keypoint are read also from the map averaged
            over n×n pixels, for each: (2, 4) reads at strides 8 and 16 beside 4. None in the paper.

    Raises:
        InputError: `num_layers`, `num_passes` or a window is no count, `context` no list,
            `uncertainty` neither True nor False, or `score` not what `build_score` takes.

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
        num_passes: int = 1,
        uncertainty: bool = False,
        context: Sequence[int] = (),
    ):
        super().__init__()
        check_number('refinement.num_layers', num_layers, 0, whole=True)
        check_number('refinement.num_passes', num_passes, 1, whole=True)
        if not isinstance(context, list | tuple):
            raise InputError(f'refinement.context must be a list of windows; found {context!r}')
        if not isinstance(uncertainty, bool):
            raise InputError(f'refinement.uncertainty must be True or False; found {uncertainty!r}')
        for window in context:
            check_number('a window of refinement.context', window, 2, whole=True)
        self.sample_features, self.num_passes = sample_features, num_passes
        self.context = tuple(context)
        self.adjacency = nn.Parameter(normalized_adjacency(num_keypoints, skeleton))
        self.stem = GraphConv(in_channels, (1 + len(self.context)) * in_channels)
        self.blocks = nn.ModuleList(GraphResidualBlock(in_channels) for _ in range(num_layers))
        self.predictor = nn.Sequential(
            nn.Linear(3 * in_channels, in_channels),
            nn.BatchNorm1d(in_channels),
            nn.ReLU(),
            nn.Linear(in_channels, 2 * num_keypoints),
        )
        self.score = None if score is None else build_score(in_channels, score)
        self.uncertainty = nn.Linear(in_channels, num_keypoints) if uncertainty else None
        if self.uncertainty is not None:
            # ln b is 0 at first: an error of one map pixel for every keypoint
            nn.init.zeros_(self.uncertainty.weight)
            nn.init.zeros_(self.uncertainty.bias)

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
        return self.refine(features, poses_hm, centers_hm, valid).offsets

    def refine(
        self, features: Tensor, poses_hm: Tensor, centers_hm: Tensor, valid: Tensor
    ) -> Refined:
        """Refine poses in all passes.

        Args:
            features: see `forward`.
            poses_hm: see `forward`.
            centers_hm: see `forward`.
            valid: see `forward`.
        """
        averaged = average_maps(features, self.context)
        refined = self.refine_once(features, poses_hm, centers_hm, valid, averaged)
        for _ in range(self.num_passes - 1):
            moved = poses_hm - refined.offsets
            more = self.refine_once(features, moved, centers_hm, valid, averaged)
            refined = Refined(refined.offsets + more.offsets, more.pooled, more.log_scales)
        return refined

    def refine_once(
        self,
        features: Tensor,
        poses_hm: Tensor,
        centers_hm: Tensor,
        valid: Tensor,
        averaged: Sequence[Tensor] | None = None,
    ) -> Refined:
        """Refine poses in one pass.

        Args:
            features: see `forward`.
            poses_hm: see `forward`.
            centers_hm: see `forward`.
            valid: see `forward`.
            averaged: see `read_nodes`.
        """
        nodes = self.read_nodes(features, poses_hm, averaged)
        center = sample_pixels(features, centers_hm)
        if self.training:
            return self._refine_valid(nodes, center, poses_hm, valid)
        # All poses at once: selecting the valid ones would make the host wait for the device.
        pooled = self.pool_nodes(nodes.flatten(0, 1), center.flatten(0, 1))
        offsets, log_scales = self._predict(pooled)
        offsets = torch.where(valid[..., None, None], offsets.view_as(poses_hm), 0)
        if log_scales is not None:
            log_scales = torch.where(valid[..., None], log_scales.unflatten(0, valid.shape), 0)
        return Refined(offsets, pooled.unflatten(0, valid.shape), log_scales)

    def _refine_valid(
        self, nodes: Tensor, center: Tensor, poses_hm: Tensor, valid: Tensor
    ) -> Refined:
        refining = torch.zeros_like(poses_hm)
        scales = None if self.uncertainty is None else torch.zeros_like(poses_hm[..., 0])
        # Batch statistics need two poses. With fewer, every parameter gets a gradient of 0, since
        # distributed training needs one.
        if int(valid.sum()) < 2 and not waits_for_others(self.stem.bn):
            unmoved = refining + 0 * sum(parameter.sum() for parameter in self.parameters())
            return Refined(unmoved, log_scales=scales)
        offsets, log_scales = self._predict(self.pool_nodes(nodes[valid], center[valid]))
        if scales is not None and log_scales is not None:
            scales = scales.masked_scatter(valid[..., None], log_scales)
        return Refined(refining.masked_scatter(valid[..., None, None], offsets), log_scales=scales)

    def read_nodes(
        self, features: Tensor, poses_hm: Tensor, averaged: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Read the features of keypoints: (B, T, K, C), or with L windows (B, T, K, (1 + L)·C).

        Args:
            features: (B, C, H, W).
            poses_hm: (B, T, K, 2).
            averaged: what `average_maps` makes of the features, where they are read several times.
        """
        read = [self.sample_features(features, poses_hm)]
        for window, maps in zip(self.context, averaged or average_maps(features, self.context)):
            # Pixel i of the averaged map is the mean of pixels n·i to n·i + n - 1, of those inside
            # the map.
            points = (poses_hm - (window - 1) / 2) / window
            read.append(self.sample_features(maps, points))
        return torch.cat(read, dim=-1) if self.context else read[0]

    def _predict(self, pooled: Tensor) -> tuple[Tensor, Tensor | None]:
        # Offsets (S, K, 2) and log-scales (S, K) of pooled features (S, 3C).
        if self.uncertainty is None:
            return self.predictor(pooled).unflatten(1, (-1, 2)), None
        hidden = self.predictor[:-1](pooled)
        log_scales = self.uncertainty(hidden).clamp(*LOG_SCALES)
        return self.predictor[-1](hidden).unflatten(1, (-1, 2)), log_scales

    def refine_nodes(self, nodes: Tensor, center: Tensor) -> Tensor:
        """Predict offsets (S, K, 2) from what `read_nodes` reads of S poses and centers (S, C)."""
        return self._predict(self.pool_nodes(nodes, center))[0]

    def pool_nodes(self, nodes: Tensor, center: Tensor) -> Tensor:
        """Compute features (S, 3C) from what `read_nodes` reads of S poses and centers (S, C)."""
        half = self.product_dtype
        with torch.autocast(nodes.device.type, half, enabled=half is not None):
            nodes = self.stem(nodes, self.adjacency).to(nodes.dtype)
            for block in self.blocks:
                nodes = block(nodes, self.adjacency)
        return torch.cat((nodes.mean(dim=1), nodes.amax(dim=1), center), dim=1)
