"""Pose Fusion, Algorithm 1 of the supplement: many estimates of a person become one pose.

Works on the poses of any model. Coordinates may be in any one frame per image; the paper's
areas are image pixels, and OKS does not change with a common scale. Shape shorthand: B images
(any leading dimensions, or none), T poses per image, K keypoints.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FusedPoses(NamedTuple):
    """T rows per image in the order of the algorithm, of which only the kept ones are people.

    Functions that may be compiled return a new tuple: `torch.compile` of PyTorch 2.11 fails where
    they return what `_replace` made.

    Attributes:
        keypoints: (..., T, K, 2) in the frame of the input.
        keypoint_scores: (..., T, K).
        scores: (..., T) of the poses: from `fuse_poses`, the mean of their keypoint scores.
        kept: (..., T) boolean.
        sources: (..., T, K) which input pose each keypoint came from; of an average, the one with
            the highest score.
        stds: (..., T, K) standard deviation that the error of a keypoint is expected to have, in x
            and in y, in the frame of the keypoints; None from a model that does not say.
    """

    keypoints: Tensor
    keypoint_scores: Tensor
    scores: Tensor
    kept: Tensor
    sources: Tensor
    stds: Tensor | None = None

    @property
    def given(self) -> tuple[Tensor, ...]:
        """The tensors that are there, in the order of the attributes."""
        return tuple(values for values in self if values is not None)


def pairwise_oks(keypoints: Tensor, sigmas: Tensor, others: Tensor | None = None) -> Tensor:
    """Compute the object keypoint similarity of all poses of an image with others: (..., T, U).

    The area of a pose is that of its keypoints' bounding box; of two poses it is the mean. All
    keypoints count, whatever their scores.

    Args:
        keypoints: (..., T, K, 2).
        sigmas: (K,).
        others: (..., U, K, 2) in the same frame; by default the poses themselves.
    """
    x, y, areas = own = _in_sigmas(keypoints, sigmas)
    x_other, y_other, areas_other = own if others is None else _in_sigmas(others, sigmas)
    # In place from here on: moving memory takes most of the time.
    squared = (x[..., None] - x_other[..., None, :]).square_()
    down = y[..., None] - y_other[..., None, :]
    # tiny: two poses without extent at one place are the same pose, 0 / tiny = 0.
    tiny = torch.finfo(keypoints.dtype).tiny
    twice_mean_area = areas[..., None] + areas_other[..., None, :] + tiny
    exponent = squared.addcmul_(down, down).div_(-twice_mean_area[..., None, :, :])
    # A CPU takes twenty times as long where the result is next to the smallest normal number:
    # terms stay at e · tiny, and a mean of nothing but those becomes 0.
    similarity = exponent.clamp_(min=math.log(tiny) + 1).exp_().mean(dim=-3)
    return F.threshold(similarity, 3 * tiny, 0, inplace=True)


def _in_sigmas(keypoints: Tensor, sigmas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # x and y (..., K, T) in units of 2σ, keypoints first, so that what is done to each pair of
    # poses fills whole planes; and areas (..., T) of the bounding boxes.
    x, y = (keypoints / (2 * sigmas)[:, None]).transpose(-3, -1).contiguous().unbind(dim=-3)
    sides = keypoints.amax(dim=-2) - keypoints.amin(dim=-2)
    return x, y, sides.prod(dim=-1)


def usable_poses(
    keypoints: Tensor, keypoint_scores: Tensor, pose_scores: Tensor | None = None
) -> Tensor:
    """Return which poses (..., T) are made of finite numbers alone.

    Args:
        keypoints: (..., T, K, 2).
        keypoint_scores: (..., T, K).
        pose_scores: (..., T), if there are any.
    """
    # NaN is below nothing.
    usable = (keypoints.abs() < torch.inf).flatten(-2).all(dim=-1)
    usable = usable & (keypoint_scores.abs() < torch.inf).all(dim=-1)
    return usable if pose_scores is None else usable & (pose_scores.abs() < torch.inf)


def match_poses(oks: Tensor, valid: Tensor, oks_thr: float) -> Tensor:
    """Assign every pose to the best unused pose that takes it (Algorithm 1, lines 3 to 10).

    Greedy matching is the only fixed point of "a pose is kept unless a better kept pose matches
    it": row j is final after j rounds, and real images settle after a few.

    Args:
        oks: (..., T, T), poses ordered from best to worst.
        valid: (..., T) boolean; other poses match nothing.
        oks_thr: a match is an OKS above it.

    Returns:
        (..., T) index of the pose that took each; a pose that was kept has its own index, an
        invalid one -1.
    """
    num_poses = oks.shape[-1]
    if num_poses == 0:
        return valid.long()
    # Above the diagonal: only a better pose takes another. Invalid ones are not kept, and so take
    # nobody; what takes them does not matter.
    match = (oks > oks_thr).triu(1)
    kept = _settle(match.float(), valid.float())[..., :, None] > 0
    index = torch.arange(num_poses, device=oks.device)
    takes = (match | (index[:, None] == index)) & kept
    # The first kept pose in the column: the least index.
    owner = torch.where(takes, index[:, None], num_poses).amin(dim=-2)
    return torch.where(valid, owner, -1)


def _settle(match: Tensor, valid: Tensor) -> Tensor:
    # A pose is kept if no kept pose matches it; as numbers, relu(1 - how many do).
    if match.device.type != 'cpu' and not torch.compiler.is_compiling():
        return keep_in_rounds(match, valid)
    kept = valid[..., None, :]
    ask = not torch.compiler.is_compiling()
    for _ in range(match.shape[-1] - 1):
        settled = (valid[..., None, :] - kept @ match).relu()
        if ask and torch.equal(settled, kept):
            break
        kept = settled
    return kept[..., 0, :]


def keep_in_rounds(match: Tensor, valid: Tensor) -> Tensor:
    """Return which poses `match_poses` keeps, (..., T) of 0 and 1.

    It takes as many rounds as the longest chain of poses may need.

    The host of a GPU would have to wait to know that fewer are enough. A constant 1 is added as
    one pose more, whose row holds `valid`: a round is two kernels, a product and the ReLU.

    Args:
        match: (..., T, T) float, 1 where a pose matches a worse one, else 0.
        valid: (..., T) float, 1 or 0.
    """
    kept = F.pad(valid, (0, 1), value=1)[..., None, :]
    rows = torch.cat((F.pad(-match, (0, 1)), kept), dim=-2)
    for _ in range(match.shape[-1] - 1):
        kept = (kept @ rows).relu_()
    return kept[..., 0, :-1]


def order_by_keypoints(keypoint_scores: Tensor, valid: Tensor) -> Tensor:
    """Order poses by their mean keypoint score, of equal ones the last first: (..., T) indices.

    Args:
        keypoint_scores: (..., T, K).
        valid: (..., T) boolean; other poses come last.
    """
    scores = keypoint_scores.mean(dim=-1).masked_fill(~valid, -torch.inf)
    return scores.argsort(dim=-1, stable=True).flip(-1)


def order_poses(keypoint_scores: Tensor, pose_scores: Tensor | None, valid: Tensor) -> Tensor:
    """Order poses from best to worst, as `fuse_poses` does: (..., T) indices.

    Args:
        keypoint_scores: (..., T, K).
        pose_scores: (..., T), or None, see `fuse_poses`.
        valid: (..., T) boolean; other poses come last.
    """
    if pose_scores is None:
        return order_by_keypoints(keypoint_scores, valid)
    known = pose_scores.masked_fill(~valid, -torch.inf)
    return known.argsort(dim=-1, descending=True, stable=True)


def fuse_poses(
    keypoints: Tensor,
    keypoint_scores: Tensor,
    sigmas: Tensor,
    pose_scores: Tensor | None = None,
    valid: Tensor | None = None,
    oks_thr: float = 0.7,
    merge: bool | Tensor = True,
) -> FusedPoses:
    """Group poses of one person and keep the best keypoints of every group (Algorithm 1).

    Args:
        keypoints: (..., T, K, 2).
        keypoint_scores: (..., T, K), r · H_k[P_k] in PINet.
        sigmas: (K,) OKS sigmas.
        pose_scores: (..., T) decides the order, of equal ones the first comes first; by default
            the order of the official implementation, see `order_by_keypoints`.
        valid: (..., T) boolean, by default all. A pose with a number that is not finite is none.
        oks_thr: poses whose OKS is above it belong together.
        merge: take from the group the keypoint with the highest score (of equal ones that of
            the better pose); if False keep the best pose as it is, which is OKS-NMS; given weights
            (..., T, K) of at least 0, place the keypoint at the weighted mean of the group's, with
            the score and the source of the one with the highest score. Weights that are not finite
            are 0.

    Returns:
        Poses from best to worst by `pose_scores`; rows that were taken or invalid have
        `kept == False`.
    """
    if valid is None:
        valid = torch.ones(keypoint_scores.shape[:-1], dtype=torch.bool, device=keypoints.device)
    usable = usable_poses(keypoints, keypoint_scores, pose_scores)
    valid = valid & usable
    order = order_poses(keypoint_scores, pose_scores, valid)
    valid = valid.gather(-1, order)
    # After the order, which may depend on the last digit of a mean, and that on the strides.
    keypoints = torch.where(usable[..., None, None], keypoints, 0)
    keypoint_scores = torch.where(usable[..., None], keypoint_scores, 0)
    keypoints = keypoints.gather(-3, order[..., None, None].expand(keypoints.shape))
    keypoint_scores = keypoint_scores.gather(-2, order[..., None].expand(keypoint_scores.shape))
    owner = match_poses(pairwise_oks(keypoints, sigmas), valid, oks_thr)
    index = torch.arange(owner.shape[-1], device=owner.device)
    kept = owner == index
    winner = index[:, None].expand(keypoint_scores.shape)
    if (torch.is_tensor(merge) or merge) and owner.shape[-1]:
        winner = torch.where(kept[..., None], _best_of_groups(keypoint_scores, owner), winner)
    chosen = keypoints.gather(-3, winner[..., None].expand(keypoints.shape))
    if torch.is_tensor(merge):
        weights = torch.where(usable[..., None], merge, 0).nan_to_num(posinf=0)
        weights = weights.gather(-2, order[..., None].expand(merge.shape))
        chosen = _mean_of_groups(keypoints, weights, owner, chosen)
    keypoint_scores = keypoint_scores.gather(-2, winner)
    sources = order[..., None].expand(winner.shape).gather(-2, winner)
    return FusedPoses(chosen, keypoint_scores, keypoint_scores.mean(dim=-1), kept, sources)


def _best_of_groups(keypoint_scores: Tensor, owner: Tensor) -> Tensor:
    # (..., T, K): in the row of each group's owner, the pose with the best score of a keypoint,
    # of equal ones the first. Poses of no group, which may hold anything, share one extra row.
    num_poses = owner.shape[-1]
    group = torch.where(owner < 0, num_poses, owner)[..., None].expand(keypoint_scores.shape)
    rows = (*owner.shape[:-1], num_poses + 1, keypoint_scores.shape[-1])
    best = keypoint_scores.new_full(rows, -torch.inf).scatter_reduce(
        -2, group, keypoint_scores, 'amax'
    )
    index = torch.arange(num_poses, device=owner.device)[:, None].expand(keypoint_scores.shape)
    index = torch.where(keypoint_scores == best.gather(-2, group), index, num_poses)
    first = owner.new_full(rows, num_poses).scatter_reduce(-2, group, index, 'amin')
    return first[..., :-1, :]


def _mean_of_groups(keypoints: Tensor, weights: Tensor, owner: Tensor, chosen: Tensor) -> Tensor:
    # (..., T, K, 2): in the row of each group's owner, the weighted mean of the group's keypoints;
    # the chosen ones (..., T, K, 2) where nothing has weight, as in the rows of no group.
    index = torch.arange(owner.shape[-1], device=owner.device)
    member = (owner[..., None, :] == index[:, None]).to(weights.dtype)
    total = (member @ weights)[..., None]
    # Differences, which are small, go through the product: a GPU may round its factors to TF32.
    rows = owner.clamp(min=0)[..., None, None].expand(keypoints.shape)
    moved = weights[..., None] * (keypoints - chosen.gather(-3, rows))
    mean = chosen + (member @ moved.flatten(-2)).view_as(chosen) / total
    return torch.where(total > 0, mean, chosen)


class PoseFusion(nn.Module):
    """Hold a dataset's OKS sigmas and apply `fuse_poses` with them.

    Args:
        sigmas: K OKS sigmas.
    """

    sigmas: Tensor

    def __init__(self, sigmas: Sequence[float]):
        super().__init__()
        # Sigmas belong to the dataset, not to what was learned: they stay out of checkpoints.
        self.register_buffer('sigmas', torch.tensor(sigmas, dtype=torch.float32), persistent=False)

    def forward(
        self,
        keypoints: Tensor,
        keypoint_scores: Tensor,
        pose_scores: Tensor | None,
        valid: Tensor,
        oks_thr: float,
        merge: bool | Tensor = True,
    ) -> FusedPoses:
        """Fuse a batch of poses, see `fuse_poses`."""
        return fuse_poses(
            keypoints,
            keypoint_scores,
            self.sigmas.to(keypoints.dtype),
            pose_scores,
            valid,
            oks_thr,
            merge,
        )
