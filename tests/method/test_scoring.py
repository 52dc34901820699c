"""Expected OKS as a score: the head's number by hand, matching by a loop, OKS as COCO has it."""

from pinet_mm.datasets.matching import person_oks
from pinet_mm.errors import InputError
from pinet_mm.method.batch_targets import People
from pinet_mm.method.fusion import fuse_poses
from pinet_mm.method.scoring import (
    PoseMemory,
    PoseScore,
    match_one_to_one,
    people_oks,
    score_as_expected,
)

import numpy as np
import pytest
import torch

from tests.helpers.toys import scramble


def test_the_expected_oks_is_that_of_two_layers_by_hand():
    score = scramble(PoseScore(2, hidden=3)).eval()
    pooled = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
    found = score(torch.from_numpy(pooled))
    norm, first, last = score.norm, score.layers[1], score.layers[4]
    for place in np.ndindex(2, 4):
        x = (pooled[place] - norm.running_mean.numpy()) / np.sqrt(norm.running_var.numpy() + 1e-5)
        hidden = np.maximum(first.weight.detach().numpy() @ x + first.bias.detach().numpy(), 0)
        logit = float(last.weight.detach().numpy()[0] @ hidden + last.bias.item())
        assert found[place].item() == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)


def test_statistics_are_those_of_all_that_was_seen():
    score, seen = PoseScore(1).train(), torch.randn(3, 8, 3) * 2 + 1
    for batch in seen:
        score.logits(batch)
    mean, variance = seen.mean(dim=1).mean(dim=0), seen.var(dim=1).mean(dim=0)
    torch.testing.assert_close(score.norm.running_mean, mean)
    torch.testing.assert_close(score.norm.running_var, variance)


def test_a_width_that_is_no_count_is_refused():
    with pytest.raises(InputError, match=r'refinement\.score\.hidden must be .*found 0'):
        PoseScore(4, hidden=0)


def test_a_person_has_the_expected_oks_of_the_best_of_its_group():
    # Three people: poses 0 and 2 of the first, 1 and 4 of the others; 3 is none.
    square = torch.tensor([[0.0, 0], [10, 10]])
    poses = torch.stack((square, square + 50, square + 0.1, square + 90, square + 200))[None]
    keypoint_scores = torch.tensor([[[0.1, 0.4], [-0.2, -0.1], [0.2, 0.1], [9, 9], [-0.2, 0.6]]])
    expected = torch.tensor([[0.6, 0.3, 0.8, 0.9, 0.1]])
    valid = torch.tensor([[True, True, True, False, True]])
    fused = fuse_poses(poses, keypoint_scores, torch.tensor([0.1, 0.1]), expected, valid)
    found = score_as_expected(fused, expected, valid)
    assert fused.kept.tolist() == [[True, False, True, True, False]]
    assert found.scores[0, [0, 2, 3]].tolist() == pytest.approx([0.8, 0.3, 0.1])
    # Keypoints as by Algorithm 1: 0.2 of pose 2 and 0.4 of pose 0, with the scores that they had.
    assert found.sources[0, 0].tolist() == [2, 0]
    assert found.keypoint_scores[0, 0].tolist() == pytest.approx([0.2, 0.4])
    assert found.keypoint_scores[0, 2].tolist() == pytest.approx([-0.2, -0.1])
    assert found.keypoint_scores[0, 3].tolist() == pytest.approx([-0.2, 0.6])
    assert found.keypoints is fused.keypoints and found.kept is fused.kept


def test_oks_is_that_of_cocos_evaluation():
    rng = np.random.default_rng(0)
    poses = rng.uniform(0, 40, (2, 6, 5, 2)).astype(np.float32)
    keypoints = rng.uniform(0, 40, (2, 3, 5, 2)).astype(np.float32)
    labeled = rng.random((2, 3, 5)) > 0.4
    labeled[0, 1] = False
    areas = rng.uniform(100, 900, (2, 3)).astype(np.float32)
    sigmas = [0.1, 0.05, 0.2, 0.1, 0.3]
    people = People(*map(torch.from_numpy, (keypoints, labeled, areas)))
    found = people_oks(torch.from_numpy(poses), people, torch.tensor(sigmas)).numpy()
    for image in range(2):
        known = labeled[image].any(axis=1)
        wanted = person_oks(
            poses[image],
            keypoints[image][known],
            labeled[image][known],
            areas[image][known],
            sigmas,
        )
        np.testing.assert_allclose(found[image][:, known], wanted, rtol=1e-4, atol=1e-6)
    assert (found[0, :, 1] == 0).all()


def matched_by_a_loop(oks):
    found, left = np.zeros(len(oks)), oks.copy()
    while left.size and left.max() > 0:
        pose, person = np.unravel_index(left.argmax(), left.shape)
        found[pose] = left[pose, person]
        left[pose], left[:, person] = 0, 0
    return found


@pytest.mark.parametrize('shape', [(4, 7, 3), (4, 3, 7), (2, 5, 5), (1, 3, 0), (1, 0, 3)])
def test_poses_and_people_are_matched_one_to_one_from_the_best_pair_down(shape):
    oks = np.random.default_rng(1).random(shape).astype(np.float32)
    oks[oks < 0.3] = 0
    found = match_one_to_one(torch.from_numpy(oks)).numpy()
    np.testing.assert_array_equal(found, [matched_by_a_loop(each) for each in oks])


def test_of_two_equal_poses_one_is_matched():
    oks = torch.tensor([[[0.5, 0.0], [0.5, 0.0], [0.5, 0.2]]])
    assert match_one_to_one(oks)[0].tolist() == pytest.approx([0.5, 0, 0.2])


def test_memory_keeps_the_newest_and_draws_of_all_that_it_keeps():
    torch.manual_seed(0)
    memory = PoseMemory(most=5)
    assert len(memory.draw(3)[1]) == 0
    memory.add(torch.arange(6.0).view(3, 2), torch.arange(3.0))
    pooled, oks = memory.draw(200)
    assert set(oks.tolist()) == {0, 1, 2} and torch.equal(pooled[:, 0], 2 * oks)
    memory.add(10 + torch.arange(6.0).view(3, 2), torch.arange(3.0, 6))
    pooled, oks = memory.draw(200)
    assert set(oks.tolist()) == {1, 2, 3, 4, 5}
    assert pooled[oks == 4][0].tolist() == [12, 13]
