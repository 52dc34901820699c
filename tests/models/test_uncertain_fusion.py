"""Fusion that weighs keypoints by their uncertainty: the weights, the means, who may ask for it."""

from pinet_mm.errors import InputError
from pinet_mm.models.scales import weights_of

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.uncertain import build_model, build_uncertain, predict


def test_a_weight_is_squared_score_over_variance():
    scores = torch.tensor([[[0.5, 0.25], [1.0, -0.5]], [[2.0, 4.0], [0.0, 1.0]]])
    stds = torch.tensor([[[1.0, 0.5], [2.0, 0.1]], [[2.0, 1.0], [0.3, 4.0]]])
    expected = [[[0.25, 0.25], [0.25, 0]], [[1 / 16, 1], [0, 1 / 256]]]
    torch.testing.assert_close(weights_of(scores, stds), torch.tensor(expected))


@pytest.mark.parametrize('score', [3e38, float('inf'), float('nan'), -float('inf'), 0, 1e-38])
@pytest.mark.parametrize('std', [1e-30, float('nan'), float('inf'), 1.0])
def test_weights_are_finite(score, std):
    scores, stds = torch.full((1, 3, 2), 0.5), torch.ones(1, 3, 2)
    scores[0, 0, 0], stds[0, 1, 0], stds[0, 0, 0] = score, std, std
    weights = weights_of(scores, stds)
    assert weights.isfinite().all() and (weights >= 0).all()


@pytest.mark.parametrize('flip_test', [True, False])
def test_people_lie_at_the_weighted_means_of_their_poses(flip_test):
    model, inputs = build_uncertain(flip_test=flip_test)
    given = []
    model.head.fusion.register_forward_hook(lambda module, args, result: given.append(args))
    people, moved = predict(model, inputs, use_uncertainty=True), 0
    plain = predict(model, inputs)
    ((poses, keypoint_scores, pose_scores, valid, _, weights), _) = given
    for i, found in enumerate(people):
        rows = [each[i].tolist() for each in (poses, keypoint_scores)]
        persons = naive.fuse(
            *rows,
            model.head.layout.sigmas,
            pose_scores[i].tolist(),
            valid[i].tolist(),
            0.05,
            weights[i].tolist(),
        )
        assert len(found) == len(persons) >= 3
        highest = keypoint_scores[i].max().item()
        for j, (keypoints, scores, _, sources) in enumerate(persons):
            np.testing.assert_allclose(found.keypoints[j], keypoints, rtol=1e-4, atol=1e-3)
            stds_hm = found.keypoint_stds[j] / 4  # of the pose with the highest score
            expected = (np.array(scores) / highest / stds_hm) ** 2
            weight = [weights[i, source, k].item() for k, source in enumerate(sources)]
            np.testing.assert_allclose(weight, expected, rtol=1e-4)
        for name in ('keypoint_scores', 'bbox_scores', 'keypoint_stds', 'keypoint_parts'):
            np.testing.assert_array_equal(found[name], plain[i][name])
        moved += np.abs(found.keypoints - plain[i].keypoints).max() > 0.5
    assert moved == len(people)


def test_a_batch_is_what_its_images_are_alone():
    model, inputs = build_uncertain(flip_test=False)
    for i, found in enumerate(predict(model, inputs, use_uncertainty=True)):
        (alone,) = predict(model, inputs[i : i + 1], use_uncertainty=True)
        np.testing.assert_allclose(found.keypoints, alone.keypoints, rtol=1e-5, atol=1e-3)


def test_poses_that_are_not_fused_are_not_averaged():
    message = '^test_cfg asks for use_uncertainty=True, which averages .*; found use_fusion=False$'
    with pytest.raises(InputError, match=message):
        build_uncertain(use_uncertainty=True, use_fusion=False)


def test_a_head_without_uncertainty_is_not_asked_for_it():
    message = 'use_uncertainty=True, which needs a head that was built with refinement.uncertainty'
    with pytest.raises(InputError, match=message):
        build_model(refinement=dict(type='PoseRefinement', num_layers=1), use_uncertainty=True)
    with pytest.raises(InputError, match=message):
        build_uncertain(use_uncertainty=True, use_refinement=False)
    with pytest.raises(InputError, match="use_uncertainty must be True or False; found 'yes'"):
        build_uncertain(use_uncertainty='yes')
