"""Pose Fusion against Algorithm 1 written as loops, and what must not depend on anything."""

import itertools

from pinet_mm.method.fusion import PoseFusion, fuse_poses

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.pose_sets import SIGMAS, chain, persons, pose_set, tensors


def assert_persons(fused, expected):
    found = persons(fused)
    assert len(found) == len(expected)
    for row, reference in zip(found, expected):
        assert row[3].tolist() == list(reference[3])
        for values, wanted in zip(row[:3], reference[:3]):
            np.testing.assert_allclose(values, np.array(wanted), atol=1e-12)


# --- fusion --------------------------------------------------------------------------------------


@pytest.mark.parametrize('threshold, merge', itertools.product([0.3, 0.7, 0.85], [True, False]))
def test_fusion_is_algorithm_1(threshold, merge):
    matched = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        poses, keypoint_scores, pose_scores = pose_set(rng, 1 + seed % 4)
        valid = rng.random(len(poses)) < 0.9
        fused = fuse_poses(
            *tensors(poses, keypoint_scores, SIGMAS, pose_scores, valid), threshold, merge
        )
        expected = naive.fuse(poses, keypoint_scores, SIGMAS, pose_scores, valid, threshold, merge)
        assert_persons(fused, expected)
        matched += valid.sum() - len(expected)
    assert matched > 10


def test_a_group_is_averaged_with_the_weights_that_are_given():
    merged = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        poses, keypoint_scores, pose_scores = pose_set(rng)
        valid, weights = rng.random(len(poses)) < 0.9, rng.random(keypoint_scores.shape)
        weights[:, 1] *= rng.random(len(poses)) < 0.2  # of some groups, none has weight there
        found = fuse_poses(
            *tensors(poses, keypoint_scores, SIGMAS, pose_scores, valid),
            merge=torch.from_numpy(weights),
        )
        expected = naive.fuse(
            poses, keypoint_scores, SIGMAS, pose_scores, valid, merge=weights.tolist()
        )
        assert_persons(found, expected)
        merged += valid.sum() - len(expected)
    assert merged > 10


def test_a_weighted_mean_by_hand():
    first = np.array([[0, 0], [40, 0], [0, 60], [40, 60], [20, 30.0]])
    poses, weights = np.stack((first, first + 2, first + 300)), np.ones((3, 5))
    weights[1] = 3
    weights[:, 4] = 0  # there the pose with the higher score counts
    scores = np.array([[0.5] * 5, [0.6] * 5, [0.9] * 5])
    found = fuse_poses(
        *tensors(poses, scores, SIGMAS, scores.mean(axis=1)), merge=torch.from_numpy(weights)
    )
    assert found.kept.tolist() == [True, True, False]
    expected = np.concatenate((first[:4] + 1.5, first[4:] + 2))
    np.testing.assert_allclose(found.keypoints[1], expected)
    np.testing.assert_allclose(found.keypoints[0], first + 300)
    np.testing.assert_array_equal(found.keypoint_scores[1], scores[1])


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_none(bad):
    first = np.array([[0, 0], [40, 0], [0, 60], [40, 60], [20, 30.0]])
    poses, weights, scores = np.stack((first, first + 2, first)), np.ones((3, 5)), np.ones((3, 5))
    weights[1] = bad
    poses[2], weights[2] = np.nan, np.nan  # no pose
    found = fuse_poses(*tensors(poses, scores, SIGMAS), merge=torch.from_numpy(weights).relu())
    assert found.kept.sum() == 1
    np.testing.assert_allclose(found.keypoints[found.kept][0], first)


def test_an_average_far_from_the_origin_loses_no_digits():
    first = np.array([[0, 0], [40, 0], [0, 60], [40, 60], [20, 30.0]], np.float32) + 60000
    poses, weights = np.stack((first, first + 1)), np.full((2, 5), 0.3, np.float32)
    weights[1] = 0.7
    values = tensors(poses, np.full((2, 5), 0.3, np.float32), SIGMAS.astype(np.float32))
    found = fuse_poses(*values, merge=torch.from_numpy(weights))
    np.testing.assert_allclose(found.keypoints[0], first + np.float32(0.7), rtol=0, atol=0.004)


@pytest.mark.parametrize('seed', range(10))
def test_fusion_of_chains(seed):
    rng = np.random.default_rng(seed)
    poses = chain(12, 6.0)
    keypoint_scores, pose_scores = rng.random((12, 5)), rng.random(12)
    if seed == 0:
        pose_scores = np.linspace(1, 0.5, 12)  # one round more for every second pose
    sigmas = np.full(5, 0.1)
    fused = fuse_poses(*tensors(poses, keypoint_scores, sigmas, pose_scores))
    expected = naive.fuse(poses, keypoint_scores, sigmas, pose_scores)
    assert 4 <= len(expected) <= 6
    assert_persons(fused, expected)


def test_fusion_by_hand():
    # Two estimates of one person and one of another, the worse of the two with a better foot.
    first = np.array([[0, 0], [40, 0], [0, 60], [40, 60], [20, 30.0]])
    poses = np.stack((first + 1, first + 200, first))
    keypoint_scores = np.array([[0.1, 0.2, 0.3, 0.4, 0.9], [0.5] * 5, [0.6, 0.6, 0.6, 0.6, 0.6]])
    fused = fuse_poses(*tensors(poses, keypoint_scores, np.full(5, 0.1), np.array([0.3, 0.5, 0.8])))
    assert fused.kept.tolist() == [True, True, False]
    assert fused.sources[:2].tolist() == [[2, 2, 2, 2, 0], [1] * 5]
    assert fused.keypoints[0].tolist() == [[0, 0], [40, 0], [0, 60], [40, 60], [21, 31]]
    assert fused.keypoint_scores[0].tolist() == [0.6, 0.6, 0.6, 0.6, 0.9]
    assert fused.scores[:2].tolist() == pytest.approx([0.66, 0.5])


def test_the_better_pose_wins_equal_keypoint_scores():
    poses = np.tile(chain(1, 0), (3, 1, 1)) + np.arange(3)[:, None, None] / 10
    fused = fuse_poses(*tensors(poses, np.full((3, 5), 0.5), SIGMAS, np.array([0.2, 0.9, 0.4])))
    assert fused.kept.tolist() == [True, False, False]
    assert fused.sources[0].tolist() == [1] * 5


def test_threshold_1_sorts_the_input():
    poses, keypoint_scores, pose_scores = pose_set(np.random.default_rng(5))
    poses[3] = poses[8]  # identical poses have an OKS of 1, which is not above 1
    fused = fuse_poses(*tensors(poses, keypoint_scores, SIGMAS, pose_scores), oks_thr=1)
    order = np.argsort(-pose_scores)
    assert fused.kept.all()
    np.testing.assert_array_equal(fused.keypoints, poses[order])
    np.testing.assert_array_equal(fused.keypoint_scores, keypoint_scores[order])
    np.testing.assert_array_equal(fused.sources, np.tile(order[:, None], (1, 5)))
    np.testing.assert_allclose(fused.scores, keypoint_scores[order].mean(axis=1))


def test_without_pose_scores_the_mean_keypoint_score_orders():
    poses, keypoint_scores, _ = pose_set(np.random.default_rng(6))
    fused = fuse_poses(*tensors(poses, keypoint_scores, SIGMAS))
    expected = naive.fuse(poses, keypoint_scores, SIGMAS, keypoint_scores.mean(axis=1))
    assert_persons(fused, expected)
    assert len(expected) < len(poses)


def test_the_order_of_the_input_does_not_matter():
    rng = np.random.default_rng(7)
    poses, keypoint_scores, pose_scores = pose_set(rng)
    order = rng.permutation(len(poses))
    first = persons(fuse_poses(*tensors(poses, keypoint_scores, SIGMAS, pose_scores)))
    second = persons(
        fuse_poses(*tensors(poses[order], keypoint_scores[order], SIGMAS, pose_scores[order]))
    )
    assert len(first) == len(second) > 1
    for row, other in zip(first, second):
        assert all(map(torch.equal, row[:3], other[:3]))
        assert row[3].tolist() == order[other[3]].tolist()


def test_more_people_are_not_fused_across():
    # A far crowd changes nothing about the people here.
    rng = np.random.default_rng(8)
    poses, keypoint_scores, pose_scores = pose_set(rng)
    alone = persons(fuse_poses(*tensors(poses, keypoint_scores, SIGMAS, pose_scores)))
    far = [
        np.concatenate(pair)
        for pair in zip(
            (poses, keypoint_scores, pose_scores), (poses + 1e4, keypoint_scores, pose_scores - 2)
        )
    ]
    both = persons(fuse_poses(*tensors(far[0], far[1], SIGMAS, far[2])))
    assert len(both) == 2 * len(alone)
    for row, other in zip(alone, both):
        assert all(map(torch.equal, row, other))


# --- shapes of the input -------------------------------------------------------------------------


@pytest.mark.parametrize('leading', [(), (3,), (2, 3), (0,)])
@pytest.mark.parametrize('merge', [True, False])
def test_images_of_a_batch_are_independent(leading, merge):
    rng = np.random.default_rng(9)
    sets = [pose_set(rng) for _ in range(int(np.prod(leading)))]
    stacked = [
        np.stack(arrays).reshape(*leading, *arrays[0].shape)
        if sets
        else np.zeros((*leading, *shape))
        for arrays, shape in zip(zip(*sets) if sets else [None] * 3, ((12, 5, 2), (12, 5), (12,)))
    ]
    valid = rng.random((*leading, 12)) < 0.8
    keypoints, keypoint_scores, pose_scores, valid = tensors(*stacked, valid)
    fused = fuse_poses(
        keypoints, keypoint_scores, torch.from_numpy(SIGMAS), pose_scores, valid, merge=merge
    )
    assert fused.keypoints.shape == (*leading, 12, 5, 2)
    assert fused.keypoint_scores.shape == fused.sources.shape == (*leading, 12, 5)
    assert fused.scores.shape == fused.kept.shape == (*leading, 12)
    for index in np.ndindex(*leading):
        alone = fuse_poses(
            keypoints[index],
            keypoint_scores[index],
            torch.from_numpy(SIGMAS),
            pose_scores[index],
            valid[index],
            merge=merge,
        )
        for field, single in zip(fused.given, alone.given):
            assert torch.equal(field[index], single)


@pytest.mark.parametrize('leading', [(), (2,)])
def test_no_poses(leading):
    fused = fuse_poses(
        torch.zeros(*leading, 0, 5, 2),
        torch.zeros(*leading, 0, 5),
        torch.ones(5),
        torch.zeros(*leading, 0),
    )
    assert fused.keypoints.shape == (*leading, 0, 5, 2)
    assert fused.sources.shape == fused.keypoint_scores.shape == (*leading, 0, 5)
    assert fused.kept.shape == fused.scores.shape == (*leading, 0)


def test_invalid_poses_are_no_people_whatever_they_hold():
    poses, keypoint_scores, pose_scores = pose_set(np.random.default_rng(10))
    valid = np.arange(12) % 3 > 0
    expected = naive.fuse(poses, keypoint_scores, SIGMAS, pose_scores, valid)
    for junk in (0, np.nan, np.inf):
        poses[~valid], keypoint_scores[~valid], pose_scores[~valid] = junk, junk, junk
        fused = fuse_poses(*tensors(poses, keypoint_scores, SIGMAS, pose_scores, valid))
        assert_persons(fused, expected)
    fused = fuse_poses(*tensors(poses, keypoint_scores, SIGMAS, pose_scores, valid & False))
    assert not fused.kept.any()


@pytest.mark.parametrize('merge', [True, False])
def test_one_keypoint(merge):
    # No extent: only poses at the very same place are one person.
    points = np.array([[[1.0, 1]], [[2.0, 2]], [[1.0, 1]], [[2.0, 2.5]]])
    keypoint_scores, pose_scores = (
        np.array([[0.4], [0.3], [0.9], [0.1]]),
        np.array([0.9, 0.8, 0.7, 0.6]),
    )
    fused = fuse_poses(*tensors(points, keypoint_scores, np.array([0.1]), pose_scores), merge=merge)
    assert fused.kept.tolist() == [True, True, False, True]
    assert fused.sources[fused.kept].flatten().tolist() == [2 if merge else 0, 1, 3]
    assert fused.scores[fused.kept].tolist() == [0.9 if merge else 0.4, 0.3, 0.1]


def test_one_pose():
    poses, keypoint_scores, pose_scores = pose_set(np.random.default_rng(11), 1, 1)
    fused = fuse_poses(*tensors(poses, keypoint_scores, SIGMAS, pose_scores))
    np.testing.assert_array_equal(fused.keypoints, poses)
    assert fused.kept.all() and not fused.sources.any()


def test_inputs_stay_as_they_are():
    arrays = pose_set(np.random.default_rng(12))
    kept = [array.copy() for array in arrays]
    fuse_poses(*tensors(arrays[0], arrays[1], SIGMAS, arrays[2]))
    for array, before in zip(arrays, kept):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('merge', [True, False])
def test_module_holds_the_sigmas(dtype, merge):
    poses, keypoint_scores, pose_scores = (
        tensor.to(dtype) for tensor in tensors(*pose_set(np.random.default_rng(13)))
    )
    valid = torch.ones(12, dtype=torch.bool)
    fusion = PoseFusion(SIGMAS.tolist())
    found = fusion(poses, keypoint_scores, pose_scores, valid, 0.6, merge)
    expected = fuse_poses(
        poses, keypoint_scores, torch.tensor(SIGMAS, dtype=dtype), pose_scores, valid, 0.6, merge
    )
    assert found.keypoints.dtype == dtype
    assert all(map(torch.equal, found.given, expected.given))
    assert fusion.state_dict() == {}
