"""Object keypoint similarity and the matching by it, against loops and by hand."""

from pinet_mm.method.fusion import keep_in_rounds, match_poses, pairwise_oks

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.greedy import greedy_owners
from tests.helpers.pose_sets import SIGMAS, chain, pose_set, tensors

# --- object keypoint similarity ------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(3))
def test_oks_is_the_naive_loop(seed):
    poses, _, _ = pose_set(np.random.default_rng(seed))
    found = pairwise_oks(*tensors(poses, SIGMAS))
    for i, j in np.ndindex(*found.shape):
        assert found[i, j].item() == pytest.approx(naive.oks(poses[i], poses[j], SIGMAS))
    assert torch.equal(found, found.T)


def test_oks_with_other_poses_is_the_naive_loop():
    rng = np.random.default_rng(0)
    poses, others = (np.stack([pose_set(rng)[0][:count] for _ in range(2)]) for count in (3, 7))
    found = pairwise_oks(*tensors(poses, SIGMAS, others))
    assert found.shape == (2, 3, 7)
    for b, i, j in np.ndindex(2, 3, 7):
        assert found[b, i, j].item() == pytest.approx(naive.oks(poses[b, i], others[b, j], SIGMAS))
    assert pairwise_oks(*tensors(poses[:, :0], SIGMAS, others)).shape == (2, 0, 7)
    assert pairwise_oks(*tensors(poses, SIGMAS, others[:, :0])).shape == (2, 3, 0)


def test_oks_by_hand():
    pose = torch.tensor([[0.0, 0.0], [10.0, 20.0]])
    other = torch.tensor([[3.0, 4.0], [13.0, 24.0]])
    larger = torch.tensor([[0.0, 0.0], [10.0, 60.0]])
    found = pairwise_oks(torch.stack((pose, other, larger)), torch.tensor([0.1, 0.25]))
    # Areas 200 and 200: 25 / (2 · 200 · 0.04) and 25 / (2 · 200 · 0.25).
    assert found[0, 1].item() == pytest.approx((np.exp(-1.5625) + np.exp(-0.25)) / 2)
    # Areas 200 and 600: 1 and 1600 / (2 · 400 · 0.25).
    assert found[0, 2].item() == pytest.approx((1 + np.exp(-8)) / 2)
    assert found.diagonal().tolist() == [1, 1, 1]


def test_oks_of_poses_without_extent():
    points = torch.tensor([[[5.0, 5.0]], [[5.0, 5.0]], [[5.001, 5.0]]])
    found = pairwise_oks(points, torch.tensor([0.1]))
    assert found.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_keypoints_far_apart_add_nothing():
    # Areas of 1 and sigmas of 1/2: exp(-d² / 2), which ends at the smallest normal number.
    distances = np.array([0, 1, 9, 13, 13.3, 14, 50, 1e4])
    poses = np.zeros((len(distances), 2, 2), dtype=np.float32)
    poses[:, 1] = 1
    poses += distances[:, None, None].astype(np.float32) * np.array([1, 0], dtype=np.float32)
    found = pairwise_oks(torch.from_numpy(poses), torch.tensor([0.5, 0.5]))[0]
    np.testing.assert_allclose(found, np.exp(-(distances**2) / 2), rtol=1e-4, atol=1e-36)
    assert not found[5:].any()


def test_oks_does_not_depend_on_the_scale():
    poses, _, _ = pose_set(np.random.default_rng(3))
    first, second = (pairwise_oks(*tensors(poses * scale, SIGMAS)) for scale in (1, 37.5))
    torch.testing.assert_close(first, second)


def test_larger_sigmas_forgive_more():
    poses, _, _ = pose_set(np.random.default_rng(4))
    first, second = (pairwise_oks(*tensors(poses, SIGMAS * scale)) for scale in (1, 2))
    distinct = ~torch.eye(len(poses), dtype=torch.bool)
    assert (second > first)[distinct].all()
    # Twice the sigmas forgive twice the distance.
    far, near = np.stack((poses[0], poses[0] + 8)), np.stack((poses[0], poses[0] + 4))
    torch.testing.assert_close(
        pairwise_oks(*tensors(far, SIGMAS * 2)), pairwise_oks(*tensors(near, SIGMAS))
    )


# --- matching ------------------------------------------------------------------------------------


@pytest.mark.parametrize('threshold', [0.3, 0.7, 0.95])
def test_matching_is_greedy(threshold):
    rng = np.random.default_rng(int(threshold * 100))
    sizes = rng.integers(1, 25, 60)
    for size in sizes:
        oks = rng.random((size, size))
        oks, valid = np.maximum(oks, oks.T), rng.random(size) < 0.8
        found = match_poses(*tensors(oks, valid), threshold)
        assert found.tolist() == greedy_owners(oks, valid, threshold)


@pytest.mark.parametrize('size', [2, 3, 4, 9, 30])
def test_matching_of_a_chain_takes_every_other_pose(size):
    oks = pairwise_oks(*tensors(chain(size, 6.0), SIGMAS * 0 + 0.1))
    found = match_poses(oks, torch.ones(size, dtype=torch.bool), 0.7)
    assert found.tolist() == [j - j % 2 for j in range(size)]


@pytest.mark.parametrize('size', [2, 3, 31, 90])
def test_the_longest_chains_are_greedy(size, monkeypatch):
    """Whether a pose is kept is known only when it is known of all poses before it.

    With and without the question whether matching has settled, which a graph cannot ask.
    """
    rng = np.random.default_rng(size)
    links = np.eye(size, k=1)
    tangled = np.triu(rng.random((size, size)) < 0.05) + links
    broken = links * (rng.random((size, 1)) < 0.9)
    valid = rng.random(size) < 0.95
    for oks, use in ((links, np.ones(size, bool)), (tangled, np.ones(size, bool)), (broken, valid)):
        wanted = greedy_owners(oks + oks.T, use, 0.5)
        asked = match_poses(*tensors(oks + oks.T, use), 0.5)
        with monkeypatch.context() as patch:
            patch.setattr(torch.compiler, 'is_compiling', lambda: True)
            fixed = match_poses(*tensors(oks + oks.T, use), 0.5)
        assert asked.tolist() == fixed.tolist() == wanted
    assert greedy_owners(links, [True] * size, 0.5) == [j - j % 2 for j in range(size)]


@pytest.mark.parametrize('shape', [(4, 90), (3, 2, 17), (7,), (2, 1)])
@pytest.mark.parametrize('density', [0.02, 0.1, 0.5, 0.9])
def test_rounds_keep_what_greedy_matching_keeps(shape, density):
    rng, poses = np.random.default_rng(0), shape[-1]
    match, valid = np.triu(rng.random((*shape, poses)) < density, 1), rng.random(shape) < 0.8
    kept = keep_in_rounds(*(values.float() for values in tensors(match, valid)))
    images = zip(match.reshape(-1, poses, poses), valid.reshape(-1, poses), strict=True)
    wanted = [np.equal(greedy_owners(*image, 0.5), np.arange(poses)) for image in images]
    assert kept.tolist() == np.reshape(wanted, shape).astype(float).tolist()


def test_an_oks_at_the_threshold_is_no_match():
    oks = torch.tensor([[1, 0.5, 0.75], [0.5, 1, 0], [0.75, 0, 1]])
    assert match_poses(oks, torch.ones(3, dtype=torch.bool), 0.5).tolist() == [0, 1, 0]
    assert match_poses(oks, torch.ones(3, dtype=torch.bool), 0.75).tolist() == [0, 1, 2]
