"""A refinement that says how far off its keypoints are: the likelihood, and what comes out."""

from functools import partial

from pinet_mm.errors import InputError
from pinet_mm.method.refinement import PoseRefinement
from pinet_mm.method.views import mirror_inputs
from pinet_mm.models.keypoint_losses import LaplaceLoss, SmoothOKSLoss

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.refinements import EDGES, C, K, make_inputs, make_net, shake
from tests.helpers.refining import assert_all_learn, build_refining, make_batch
from tests.helpers.uncertain import UNCERTAIN, build_model, build_uncertain, predict

# --- the network ---------------------------------------------------------------------------------


def make_uncertain(train=False):
    net = shake(PoseRefinement(C, K, EDGES, 2, uncertainty=True)).double().train(train)
    net.uncertainty.weight.data *= 3
    return net


@pytest.mark.parametrize('train', [True, False])
def test_offsets_are_those_of_a_refinement_without(train):
    torch.manual_seed(0)
    inputs, uncertain, plain = make_inputs(), make_uncertain(train), make_net(train=train)
    found = plain.load_state_dict(uncertain.state_dict(), strict=False)
    assert found.unexpected_keys == ['uncertainty.weight', 'uncertainty.bias']
    valid = torch.tensor([[True] * 4, [True, False, True, False]])
    refined, wanted = (net.refine_once(*inputs, valid) for net in (uncertain, plain))
    assert torch.equal(refined.offsets, wanted.offsets)
    assert wanted.log_scales is None
    assert refined.log_scales[valid].all() and not refined.log_scales[~valid].any()


def test_log_scales_come_from_the_layer_before_the_offsets():
    torch.manual_seed(0)
    net, inputs = make_uncertain(), make_inputs()
    refined = net.refine_once(*inputs, torch.ones(2, 4, dtype=torch.bool))
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    for b, t in np.ndindex(2, 4):
        hidden = state['predictor.0.weight'] @ refined.pooled[b, t].detach().numpy()
        hidden = hidden + state['predictor.0.bias'] - state['predictor.1.running_mean']
        hidden /= np.sqrt(state['predictor.1.running_var'] + 1e-5)
        hidden = hidden * state['predictor.1.weight'] + state['predictor.1.bias']
        expected = state['uncertainty.weight'] @ np.maximum(hidden, 0) + state['uncertainty.bias']
        expected = np.clip(expected, -4, 4)
        np.testing.assert_allclose(refined.log_scales[b, t].detach(), expected, atol=1e-10)


def test_it_starts_at_one_map_pixel_and_the_last_pass_says_it():
    torch.manual_seed(0)
    (features, poses, centers), valid = make_inputs(), torch.ones(2, 4, dtype=torch.bool)
    net = PoseRefinement(C, K, EDGES, uncertainty=True).double().eval()
    assert not net.refine(features, poses, centers, valid).log_scales.any()
    net = make_uncertain()
    moved = poses - net(features, poses, centers, valid)
    expected = net.refine_once(features, moved, centers, valid).log_scales
    net.num_passes = 2
    found = net.refine(features, poses, centers, valid).log_scales
    torch.testing.assert_close(found, expected)


# --- the likelihood ------------------------------------------------------------------------------


def test_the_loss_is_the_negative_log_likelihood():
    generator = torch.Generator().manual_seed(0)
    predicted, wanted = torch.randn(2, 3, 5, 2, generator=generator)
    log_scales = torch.randn(3, 5, generator=generator)
    labeled = torch.rand(3, 5, generator=generator) > 0.3
    density = torch.distributions.Laplace(torch.zeros(()), log_scales.exp()[..., None])
    expected = -(density.log_prob(predicted - wanted) + np.log(2))[labeled].mean()
    found = LaplaceLoss(loss_weight=0.5)(predicted, wanted, labeled / 20, log_scales)
    torch.testing.assert_close(found, 0.5 * expected)


def test_it_is_least_where_the_scale_is_the_mean_error():
    errors = torch.distributions.Laplace(0.0, 3.0).sample((1000, 1, 2))
    log_scale = errors.abs().mean().log().requires_grad_()
    loss = LaplaceLoss()(errors, torch.zeros_like(errors), torch.ones(1000, 1), log_scale)
    (gradient,) = torch.autograd.grad(loss, log_scale)
    assert gradient.item() == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize('counts', [(4, 2), (0, 0)])
def test_every_parameter_gets_a_finite_gradient(counts):
    head, (features, samples) = build_refining(dict(uncertainty=True)), make_batch(counts)
    assert isinstance(head.refine_loss, LaplaceLoss)
    assert_all_learn(head, head.loss([features], samples))


@pytest.mark.parametrize('kind', [LaplaceLoss, partial(SmoothOKSLoss, (0.1,), 4)])
@pytest.mark.parametrize('weight', [-1, float('nan'), 'x'])
def test_a_weight_of_a_loss_is_a_number(kind, weight):
    with pytest.raises(InputError, match='loss_weight of .* number of at least 0; found'):
        kind(loss_weight=weight)


def test_losses_that_do_not_fit_are_refused():
    laplace = dict(type='LaplaceLoss')
    with pytest.raises(InputError, match='offset_loss cannot be LaplaceLoss'):
        build_refining(dict(uncertainty=True), offset_loss=laplace)
    with pytest.raises(InputError, match='LaplaceLoss needs refinement.uncertainty=True; found F'):
        build_refining(refine_loss=laplace)
    smooth = dict(type='SoftWeightSmoothL1Loss', use_target_weight=True)
    with pytest.raises(InputError, match='must be LaplaceLoss or SmoothOKSLoss .*; found SoftW'):
        build_refining(dict(uncertainty=True), refine_loss=smooth)


def test_oks_moves_the_keypoints_and_likelihood_the_scales():
    predicted, wanted = torch.randn(2, 3, 5, 2, generator=torch.Generator().manual_seed(0))
    weights, scales = torch.full((3, 5), 0.05), torch.randn(3, 5)
    loss, one = SmoothOKSLoss((0.1,) * 5, 4), predicted.clone().requires_grad_()
    other, scales = predicted.clone().requires_grad_(), scales.requires_grad_()
    alone, both = loss(one, wanted, weights), loss(other, wanted, weights, scales)
    torch.testing.assert_close(both - alone, LaplaceLoss()(predicted, wanted, weights, scales))
    alone.backward()
    both.backward()
    assert torch.equal(one.grad, other.grad) and one.grad.any()
    assert scales.grad.all()


def test_with_the_oks_loss_every_parameter_learns_too():
    head = build_refining(dict(uncertainty=True), refine_loss=dict(type='SmoothOKSLoss'))
    features, samples = make_batch((4, 2))
    assert_all_learn(head, head.loss([features], samples))


# --- what comes out ------------------------------------------------------------------------------


@torch.no_grad()
def expect_one_by_one(model, image, centers, flip_test):
    """Deviations (K,) of single proposals, in input pixels, averaged over the views."""
    head, layout = model.head, model.head.layout
    per_part, seen, found = len(centers) // layout.num_parts, [], []
    for view in (image[None], mirror_inputs(image[None], 4))[: 1 + flip_test]:
        features = model.extract_feat(view)[-1]
        seen.append((features, head([features])[1].unflatten(1, (layout.num_parts, -1, 2))))
    for i, (x, y) in enumerate(centers.tolist()):
        stds = []
        for mirrored, (features, offsets) in enumerate(seen):
            column = features.shape[-1] - 1 - x if mirrored else x
            part = layout.part_flip_indices[i // per_part] if mirrored else i // per_part
            center = torch.tensor([[[column, y]]])
            pose = center - offsets[0, part, :, :, y, column]
            valid = torch.ones(1, 1, dtype=torch.bool)
            scales = head.refinement.refine(features, pose[None], center, valid).log_scales[0, 0]
            scales = scales[list(layout.flip_indices)] if mirrored else scales
            stds.append(4 * np.sqrt(2) * scales.exp().numpy())
        found.append(np.mean(stds, axis=0))
    return np.array(found)


@pytest.mark.parametrize('layout, flip_test', [('three', True), ('three', False), ('six', True)])
def test_each_keypoint_has_the_deviation_of_the_proposal_that_it_came_from(layout, flip_test):
    model, inputs = build_uncertain(layout, flip_test=flip_test)
    given, centers, propose = [], [], model.head.sampler.propose
    model.head.fusion.register_forward_hook(lambda module, args, result: given.append(args))
    model.head.sampler.propose = lambda *args: centers.append(propose(*args)) or centers[-1]
    people, merged = predict(model, inputs), 0
    ((poses, keypoint_scores, pose_scores, valid, *_),) = given
    for i, found in enumerate(people):
        expected = expect_one_by_one(model, inputs[i], centers[0].xy_hm[i], flip_test)
        rows = [each[i].tolist() for each in (poses, keypoint_scores)]
        sigmas, orders = model.head.layout.sigmas, pose_scores[i].tolist()
        persons = naive.fuse(*rows, sigmas, orders, valid[i].tolist(), 0.05)
        assert len(found) == len(persons) >= 3
        for j, (*_, sources) in enumerate(persons):
            wanted = [expected[source, k] for k, source in enumerate(sources)]
            np.testing.assert_allclose(found.keypoint_stds[j], wanted, rtol=1e-4)
            merged += len(set(sources)) > 1
    assert merged > 0


def test_deviations_are_pixels_of_the_image():
    model, inputs = build_uncertain(flip_test=False)
    plain, larger = predict(model, inputs), predict(model, inputs, larger=3)
    for one, other in zip(plain, larger):
        np.testing.assert_allclose(other.keypoints, 3 * one.keypoints, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(other.keypoint_stds, 3 * one.keypoint_stds, rtol=1e-5)


def test_what_a_scale_of_two_finds_counts_half():
    # At one scale of factor 2, map pixels are half as large; the other scale proposes nothing.
    model, inputs = build_uncertain(flip_test=False)
    log_scale = np.log(3.0)
    torch.nn.init.zeros_(model.head.refinement.uncertainty.weight)
    torch.nn.init.constant_(model.head.refinement.uncertainty.bias, log_scale)
    (found, _) = predict(model, inputs, scale_factors=(1, 2))
    values = set(np.round(np.unique(found.keypoint_stds) / 4 / np.sqrt(2), 4).tolist())
    assert values == {1.5, 3.0}


def test_people_have_none_by_default_or_without_refinement():
    plain = build_model(refinement=dict(UNCERTAIN, uncertainty=False), flip_test=False)
    (found, _) = predict(*plain)
    assert len(found) and 'keypoint_stds' not in found
    model, inputs = build_uncertain(flip_test=False)
    assert 'keypoint_stds' in predict(model, inputs)[0]
    assert 'keypoint_stds' not in predict(model, inputs, use_refinement=False)[0]
    assert 'keypoint_stds' in predict(model, inputs, use_agreement=True)[0]


def test_uncertainty_is_wanted_or_not():
    with pytest.raises(InputError, match="uncertainty must be True or False; found 'no'"):
        PoseRefinement(C, K, EDGES, uncertainty='no')
