"""Scores by agreement of the parts, against loops and by hand."""

from pinet_mm.method.agreement import agreement, weigh_by_agreement
from pinet_mm.method.fusion import fuse_poses

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.pose_sets import SIGMAS, pose_set


@pytest.mark.parametrize('num_parts', [1, 2, 4])
@pytest.mark.parametrize('has_pose_scores', [True, False])
def test_every_score_is_weighed_as_in_plain_loops(num_parts, has_pose_scores):
    rng = np.random.default_rng(num_parts)
    # In random order, so that all parts have poses of all people; two images.
    sets = [pose_set(rng) for _ in range(2)]
    poses, keypoint_scores, scores = (np.stack(arrays) for arrays in zip(*sets))
    order = rng.permutation(12)
    poses, valid = poses[:, order], rng.random((2, 12)) > 0.3
    proposals = torch.from_numpy(poses)
    fused = fuse_poses(
        proposals,
        torch.from_numpy(keypoint_scores),
        torch.from_numpy(SIGMAS),
        torch.from_numpy(scores) if has_pose_scores else None,
        torch.from_numpy(valid),
    )
    found = weigh_by_agreement(
        fused, proposals, torch.from_numpy(valid), torch.from_numpy(SIGMAS), num_parts
    )
    weights = set()
    for b, t in np.argwhere(fused.kept.numpy()):
        best = []
        for part in np.split(np.arange(12), num_parts):
            seen = [
                naive.oks(fused.keypoints[b, t].numpy(), poses[b, i], SIGMAS)
                for i in part
                if valid[b, i]
            ]
            best.append(max(seen, default=0))
        weight = np.mean(best) ** num_parts
        weights.add(round(weight, 3))
        np.testing.assert_allclose(found.scores[b, t], weight * fused.scores[b, t])
        np.testing.assert_allclose(
            found.keypoint_scores[b, t], weight * fused.keypoint_scores[b, t]
        )
    assert num_parts == 1 or len(weights) > 2
    assert torch.equal(found.keypoints, fused.keypoints) and torch.equal(found.kept, fused.kept)


def test_parts_that_find_nothing_count_by_hand():
    oks = torch.tensor([[[1, 0.5, 0.2, 0.8, 0.9, 0.9]]])
    for valid, expected in (
        ([1, 1, 1, 1, 1, 1], ((1 + 0.8 + 0.9) / 3) ** 3),
        ([1, 1, 1, 0, 0, 0], ((1 + 0.2) / 3) ** 3),
        ([0, 1, 0, 0, 0, 0], (0.5 / 3) ** 3),
        ([0, 0, 0, 0, 0, 0], 0),
    ):
        found = agreement(oks, torch.tensor([valid], dtype=torch.bool), 3)
        assert found.item() == pytest.approx(expected, abs=1e-6)


def test_a_lone_part_agrees_with_itself():
    oks = torch.tensor([[[1, 0.1]], [[0.3, 1]]])
    assert agreement(oks, torch.ones(2, 2, dtype=torch.bool), 1).tolist() == [[1], [1]]


def test_proposals_that_are_no_numbers_say_nothing():
    oks = torch.tensor([[[1, torch.nan]]])
    assert agreement(oks, torch.tensor([[True, False]]), 2).tolist() == [[0.25]]
