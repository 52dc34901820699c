"""What holds for the fusion of any poses: OKS, matching, what is kept, batches, order."""

from pinet_mm.method.fusion import fuse_poses, match_poses, pairwise_oks

import numpy as np
import torch

from studies import naive
from tests.helpers.properties import ANY, always, hypothesis, poses, st

given = hypothesis.given
THRESHOLDS = st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0])


def tensors(*found):
    return [torch.tensor(each, dtype=torch.float32) for each in found]


def sigmas_of(keypoints):
    return torch.linspace(0.05, 0.2, keypoints.shape[-2])


@always
@given(poses())
def test_oks_is_a_likeness(found):
    keypoints, *_ = tensors(*found)
    sigmas = sigmas_of(keypoints)
    oks = pairwise_oks(keypoints, sigmas)
    assert torch.equal(oks, oks.T)
    assert ((oks >= 0) & (oks <= 1)).all() and (oks.diagonal() == 1).all()
    # A common shift changes nothing, nor does an exchange of x and y.
    torch.testing.assert_close(pairwise_oks(keypoints + 64, sigmas), oks, rtol=0, atol=1e-5)
    torch.testing.assert_close(pairwise_oks(keypoints.flip(-1), sigmas), oks, rtol=0, atol=1e-5)
    for i, j in np.ndindex(*oks.shape):
        expected = naive.oks(found[0][i], found[0][j], sigmas.numpy())
        np.testing.assert_allclose(oks[i, j], expected, atol=1e-5)


@always
@given(poses(most=8), THRESHOLDS, st.randoms(use_true_random=False))
def test_matching_is_the_greedy_loop(found, threshold, chance):
    keypoints, *_ = tensors(*found)
    oks = pairwise_oks(keypoints, sigmas_of(keypoints))
    valid = torch.tensor([chance.random() < 0.8 for _ in oks], dtype=torch.bool)
    owner = match_poses(oks, valid, threshold).tolist()
    kept = []
    for j in range(len(oks)):
        takers = [i for i in kept if oks[i, j] > threshold]
        expected = (takers[0] if takers else j) if valid[j] else -1
        assert owner[j] == expected
        if expected == j:
            kept.append(j)


@always
@given(poses(ANY), THRESHOLDS, st.booleans(), st.booleans())
def test_what_is_kept_is_finite_and_was_given(found, threshold, merge, by_scores):
    keypoints, keypoint_scores, scores = tensors(*found)
    given_scores = scores if by_scores else None
    fused = fuse_poses(
        keypoints, keypoint_scores, sigmas_of(keypoints), given_scores, None, threshold, merge
    )
    finite = keypoints.isfinite().all(-1) & keypoint_scores.isfinite()
    usable = finite.all(-1) & (scores.isfinite() | (not by_scores))
    # Somebody is kept unless there is nobody; nobody twice, and nothing is made up.
    assert int(usable.any()) <= fused.kept.sum() <= usable.sum()
    for row in torch.nonzero(fused.kept)[:, 0].tolist():
        for k, source in enumerate(fused.sources[row].tolist()):
            assert usable[source]
            assert torch.equal(fused.keypoints[row, k], keypoints[source, k])
            assert torch.equal(fused.keypoint_scores[row, k], keypoint_scores[source, k])


@always
@given(poses(), THRESHOLDS)
def test_what_is_kept_is_unlike_and_stays(found, threshold):
    keypoints, keypoint_scores, scores = tensors(*found)
    sigmas = sigmas_of(keypoints)
    fused = fuse_poses(keypoints, keypoint_scores, sigmas, scores, None, threshold, merge=False)
    kept = fused.keypoints[fused.kept]
    oks = pairwise_oks(kept, sigmas) - 2 * torch.eye(len(kept))
    assert (oks <= threshold).all()
    again = fuse_poses(
        kept, fused.keypoint_scores[fused.kept], sigmas, torch.arange(len(kept), 0.0, -1.0),
        None, threshold, merge=False
    )  # fmt: skip
    assert again.kept.all() and torch.equal(again.keypoints, kept)


@always
@given(poses(ANY), poses(ANY), THRESHOLDS)
def test_each_image_of_a_batch_is_as_if_alone(one, other, threshold):
    images = [tensors(*found) for found in (one, other)]
    count = max(len(image[0]) for image in images)
    num_keypoints = min(image[0].shape[1] for image in images)
    sigmas, padded = torch.linspace(0.05, 0.2, num_keypoints), []
    for keypoints, keypoint_scores, scores in images:
        rows = count - len(scores)
        padded.append((
            torch.cat((keypoints[:, :num_keypoints], torch.full((rows, num_keypoints, 2), 7.0))),
            torch.cat((keypoint_scores[:, :num_keypoints], torch.ones(rows, num_keypoints))),
            torch.cat((scores, torch.full((rows,), torch.nan))),
        ))  # fmt: skip
    batch = fuse_poses(*(torch.stack(each) for each in list(zip(*padded))[:2]), sigmas,
                       torch.stack([each[2] for each in padded]), None, threshold)  # fmt: skip
    for i, (keypoints, keypoint_scores, scores) in enumerate(images):
        alone = fuse_poses(
            keypoints[:, :num_keypoints], keypoint_scores[:, :num_keypoints], sigmas, scores, None,
            threshold,
        )  # fmt: skip
        assert torch.equal(batch.keypoints[i][batch.kept[i]], alone.keypoints[alone.kept])
