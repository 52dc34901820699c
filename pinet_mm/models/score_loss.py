"""The loss of a head's `PoseScore`: how well it predicts the OKS of a frozen network's fused poses.

Shape shorthand: B images, T poses and N people per image, K keypoints, C channels, H×W map, S poses
in all. `_in` are network-input pixels, `_hm` map pixels.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..errors import InputError
from ..method.batch_targets import People, inside_map
from ..method.fusion import order_poses, usable_poses
from ..method.refinement import waits_for_others
from ..method.scoring import PoseMemory, match_one_to_one, people_oks, score_of
from .decoding import DecodingHead, RawMaps, score_proposals
from .losses import Targets
from .test_cfg import TestSettings

DRAWN = 512  # poses that a step learns from
ON_A_PERSON = 0.3  # OKS of a pose that counts although it lies where nothing is labeled


class Shown(NamedTuple):
    """Fused poses of B images.

    Attributes:
        poses_in: (B, T, K, 2).
        pooled: (B, T, 3C) features of the best proposal of each.
        kept: (B, T) boolean; other rows are no poses.
    """

    poses_in: Tensor
    pooled: Tensor
    kept: Tensor


def score_loss(
    head: DecodingHead,
    scales: Sequence[RawMaps],
    batch_data_samples: Sequence | Targets,
    settings: TestSettings,
    memory: PoseMemory,
) -> Tensor:
    """Compute the cross entropy of expected OKS on poses that were seen so far.

    The poses of the batch are fused and matched one to one with its people; those without a person
    have OKS 0, and those that lie where people are not labeled do not count.

    Args:
        head: whose refinement has a `PoseScore`, the one module that gets a gradient.
        scales: maps of the batch, see `decoding.decode`, in evaluation mode.
        batch_data_samples: B samples, see `gather_people`, with `heatmap_mask`.
        settings: of the inference that the score is for.
        memory: gets the poses of the batch, and gives those that the loss is of.
    """
    shown = fuse_for_training(head, scales, settings)
    people = gather_people(batch_data_samples, head.codec.input_size, shown.poses_in.device)
    oks = people_oks(shown.poses_in, people, head.fusion.sigmas)
    wanted = match_one_to_one(oks * shown.kept[..., None])
    mask = torch.stack([sample.gt_fields.heatmap_mask for sample in batch_data_samples])[:, 0] > 0
    labeled = _read_centers(mask, shown.poses_in / head.codec.stride)
    counted = shown.kept & (labeled | (wanted > ON_A_PERSON))
    memory.add(shown.pooled[counted], wanted[counted])
    pooled, wanted = memory.draw(DRAWN)
    score = score_of(head)
    if not len(wanted) and not waits_for_others(score.norm):
        return 0 * sum(parameter.sum() for parameter in score.parameters())
    logits = score.logits(pooled)
    # The mean of no entropies would be NaN.
    return F.binary_cross_entropy_with_logits(logits, wanted) if len(wanted) else 0 * logits.sum()


@torch.no_grad()
def fuse_for_training(
    head: DecodingHead, scales: Sequence[RawMaps], settings: TestSettings
) -> Shown:
    """Fuse the poses of a batch by Algorithm 1, as a head without a score does.

    Args:
        head: see `score_loss`.
        scales: see `score_loss`.
        settings: see `score_loss`; `use_score` does not count.
    """
    settings = replace(settings, use_score=None)  # with False, nothing is pooled
    proposals, keypoint_scores, _ = score_proposals(head, scales, settings)
    poses_in = proposals.poses_hm * head.codec.stride
    pose_scores = head.codec.rules.pose_scores(proposals.scores)
    valid = proposals.valid & usable_poses(poses_in, keypoint_scores, pose_scores)
    fused = head.fusion(poses_in, keypoint_scores, pose_scores, valid, settings.oks_thr)
    order = order_poses(keypoint_scores, pose_scores, valid)
    pooled = proposals.pooled.gather(1, order[..., None].expand_as(proposals.pooled))
    return Shown(fused.keypoints, pooled, fused.kept)


def gather_people(
    batch_data_samples: Sequence | Targets, input_size: tuple[int, int], device: torch.device
) -> People:
    """Collect the annotated people of B samples.

    Args:
        batch_data_samples: with `keypoints` and `keypoints_visible` in `gt_instances`, and `area`
            as metainfo.
        input_size: (w, h); keypoints outside count as not labeled.
        device: of the result.

    Raises:
        InputError: samples have no people, since they were encoded on the device, or no `area`.
    """
    if isinstance(batch_data_samples, Targets):
        raise InputError('refinement.score learns from samples of people: leave out --on-device')
    missing = [sample for sample in batch_data_samples if 'area' not in sample.metainfo]
    if missing:
        raise InputError(
            "refinement.score needs the people's areas: name 'area' among the meta_keys of "
            f'PackPoseInputs; found {sorted(missing[0].metainfo)}'
        )
    people = [sample.gt_instances for sample in batch_data_samples]
    keypoints_in, visible, areas_in = (
        pad_sequence([torch.as_tensor(np.asarray(each, np.float32)) for each in found], True)
        for found in (
            [each.keypoints for each in people],
            [each.keypoints_visible for each in people],
            [sample.metainfo['area'] for sample in batch_data_samples],
        )
    )
    labeled = (visible > 0) & inside_map(keypoints_in, input_size)
    areas_in = areas_in.clamp(min=1)
    return People(*(each.to(device) for each in (keypoints_in, labeled, areas_in)))


def _read_centers(maps: Tensor, poses_hm: Tensor) -> Tensor:
    # Maps (B, H, W) at the middle of the boxes around poses (B, T, K, 2), or the pixel next to it.
    h, w = maps.shape[1:]
    middle = (poses_hm.amin(dim=2) + poses_hm.amax(dim=2)) / 2
    x, y = (middle[..., i].round().long().clamp(0, side - 1) for i, side in enumerate((w, h)))
    return maps.flatten(1).gather(1, y * w + x)
