"""Poses of several models fused, against loops over models and images."""

from pinet_mm.datasets.pose_files import Poses
from pinet_mm.inference import ensemble
from pinet_mm.inference.ensemble import fuse_images, fuse_models

import numpy as np
import pytest
from mmengine.structures import InstanceData

from studies import naive
from tests.helpers.evaluations import (
    person,
)

SIGMAS = (0.05, 0.06, 0.07, 0.08, 0.09)
NOBODY = Poses(np.zeros((0, 5, 2)), np.zeros((0, 5)))


def models_of(rng, num_models=3, num_persons=4):
    """One image: every model sees some of the people, each a little off."""
    persons = rng.uniform(0, 40, (num_persons, 1, 2)) + rng.uniform(0, 60, (num_persons, 5, 2))
    models = []
    for _ in range(num_models):
        seen = persons[rng.random(num_persons) < 0.7]
        noise = rng.uniform(0.3, 6, (len(seen), 1, 1)) * rng.normal(0, 1, seen.shape)
        models.append(Poses(seen + noise, rng.random(seen.shape[:2])))
    return models


def naive_fusion(models, weights, threshold):
    """Fuse by the loops of `naive.fuse`: all models' poses in a row, ranked by their mean."""
    poses, scores = [], []
    for model, weight in zip(models, weights):
        for points, values in zip(model.keypoints.tolist(), model.keypoint_scores.tolist()):
            poses.append(points)
            scores.append([weight * value for value in values])
    means = [sum(values) / len(values) for values in scores]
    return naive.fuse(poses, scores, SIGMAS, means, threshold=threshold)


def assert_same(found, expected):
    assert len(found.scores) == len(expected)
    for points, values, mean, row in zip(
        found.keypoints, found.keypoint_scores, found.scores, expected
    ):
        np.testing.assert_allclose(points, np.array(row[0]), rtol=1e-12)
        np.testing.assert_allclose(values, np.array(row[1]), rtol=1e-12)
        assert mean == pytest.approx(row[2])


@pytest.mark.parametrize('weights', [None, (1, 0.25, 2)])
@pytest.mark.parametrize('threshold', [0.3, 0.7])
def test_fusion_is_the_naive_loop(weights, threshold, monkeypatch):
    monkeypatch.setattr(ensemble, 'CHUNK', 200)  # several chunks, of several images
    rng = np.random.default_rng(0)
    images = [models_of(rng) for _ in range(20)] + [[NOBODY] * 3]
    merged = 0
    for models, found in zip(images, fuse_images(images, SIGMAS, threshold, weights)):
        expected = naive_fusion(models, weights or (1, 1, 1), threshold)
        assert_same(found, expected)
        merged += sum(len(model.scores) for model in models) - len(expected)
    assert merged > 20


def test_two_models_by_hand():
    # Both see the left person, 1 px apart; the right one is seen by the second model alone.
    pose = np.array([[0, 0], [40, 0], [0, 60], [40, 60], [20, 30.0]])
    first = Poses(pose[None], np.array([[0.9, 0.2, 0.5, 0.5, 0.4]]))
    second = Poses(
        np.stack((pose + 500, pose + (1, 0))), np.array([[0.6] * 5, [0.1, 0.8, 0.5, 0.2, 0.3]])
    )
    found = fuse_models([first, second], SIGMAS)
    assert found.scores.tolist() == pytest.approx([0.6, 0.62])  # ordered by 0.6 and 0.5
    assert found.keypoints[0].tolist() == (pose + 500).tolist()
    assert found.keypoints[1, :, 0].tolist() == [0, 41, 0, 40, 20]
    assert found.keypoint_scores[1].tolist() == [0.9, 0.8, 0.5, 0.5, 0.4]
    # With half the weight the second model has the best score of no keypoint, but its own person.
    found = fuse_models([first, second], SIGMAS, weights=[1, 0.2])
    assert found.keypoints[:, :, 0].tolist() == [pose[:, 0].tolist(), (pose + 500)[:, 0].tolist()]
    assert found.scores.tolist() == pytest.approx([0.5, 0.12])


def test_pred_instances_of_models_are_taken_as_they_are():
    points, scores = person(5)[None, :, :2].astype(np.float32), np.full((1, 5), 0.5, np.float32)
    people = InstanceData(keypoints=points, keypoint_scores=scores, bboxes=np.zeros((1, 4)))
    found = fuse_models([people, people], SIGMAS)
    assert found.keypoints.tolist() == points.tolist() and found.scores.tolist() == [0.5]


def test_at_threshold_1_all_poses_stay_sorted():
    models = models_of(np.random.default_rng(1))
    found = fuse_models(models, SIGMAS, oks_thr=1)
    rows = sorted(
        ((values.mean(), points.tolist()) for model in models for points, values in zip(*model)),
        key=lambda row: -row[0],
    )
    assert found.keypoints.tolist() == [points for _, points in rows]
    assert found.scores.tolist() == pytest.approx([score for score, _ in rows])


def test_of_equal_scores_the_first_models_comes_first():
    pose = person(5)[None, :, :2]
    models = [Poses(pose + dx, np.full((1, 5), 0.5)) for dx in (1, 0, 900)]
    found = fuse_models(models, SIGMAS)
    assert found.keypoints.tolist() == [(pose[0] + 1).tolist(), (pose[0] + 900).tolist()]


def test_nobody():
    assert fuse_images([], SIGMAS) == []
    for found in fuse_images([[NOBODY], [NOBODY, NOBODY]], SIGMAS, weights=None):
        assert found.keypoints.shape == (0, 5, 2) and found.scores.shape == (0,)


@pytest.mark.parametrize(
    'settings, problem',
    [
        (dict(oks_thr=1.5), 'oks_thr must be between 0 and 1; found 1.5'),
        (dict(weights=[1]), r'positive number for each of 2 models; found \[1\]'),
        (dict(weights=[1, 0]), r'found \[1, 0\]'),
    ],
)
def test_wrong_settings(settings, problem):
    with pytest.raises(ValueError, match=problem):
        fuse_models([NOBODY, NOBODY], SIGMAS, **settings)


@pytest.mark.parametrize('sigma', [0, -0.1, np.nan, np.inf])
def test_sigmas_that_are_none(sigma):
    with pytest.raises(ValueError, match='sigmas must be a positive number for each keypoint'):
        fuse_models([NOBODY], [*SIGMAS[:4], sigma])


def test_weights_that_carry_scores_beyond_all_numbers():
    one = Poses(np.zeros((1, 5, 2)), np.full((1, 5), 10.0))
    with pytest.raises(ValueError, match='weights times keypoint scores must be finite'):
        fuse_models([one], SIGMAS, weights=[1e308])


@pytest.mark.parametrize(
    'poses, problem',
    [
        (Poses(np.zeros((2, 4, 2)), np.zeros((2, 4))), r'for 5 sigmas, .* found \(2, 4, 2\)'),
        (Poses(np.zeros((2, 5, 2)), np.zeros((3, 5))), r'found \(2, 5, 2\) and \(3, 5\)'),
        (Poses(np.full((1, 5, 2), np.nan), np.zeros((1, 5))), 'must be finite'),
    ],
)
def test_wrong_poses(poses, problem):
    with pytest.raises(ValueError, match=problem):
        fuse_models([NOBODY, poses], SIGMAS)
