"""The OKS loss against written-out loops and MMPose's OKS, and as a loss of the head."""

import math

from pinet_mm.models.codec import build_layout
from pinet_mm.models.keypoint_losses import SmoothOKSLoss

import pytest
import torch
from mmpose.models.losses import OKSLoss

from tests.helpers.refining import assert_all_learn, build_refining, make_batch
from tests.helpers.toys import LAYOUTS

SIGMAS = (0.1, 0.05, 0.05, 0.08, 0.08)
OKS = dict(type='SmoothOKSLoss')


def make_offsets(poses=4, keypoints=5):
    generator = torch.Generator().manual_seed(0)
    predicted, wanted = 6 * torch.randn(2, poses, keypoints, 2, generator=generator).double()
    areas = 200 + 4000 * torch.rand(poses, generator=generator).double()
    labeled = torch.rand(poses, keypoints, generator=generator) > 0.3
    return predicted, wanted, areas, labeled


def loop(predicted, wanted, areas, labeled):
    """Mean of 1 - 1/√(1 + d² / (S (2σ)²)) over labeled keypoints, d in input pixels at stride 4."""
    terms = []
    for t, k in labeled.nonzero().tolist():
        distance = 4 * math.dist(predicted[t][k], wanted[t][k])
        terms.append(1 - 1 / math.sqrt(1 + distance**2 / (areas[t] * (2 * SIGMAS[k]) ** 2)))
    return sum(terms) / len(terms)


def test_it_is_the_mean_over_labeled_keypoints():
    predicted, wanted, areas, labeled = make_offsets()
    assert 8 < labeled.sum() < 20
    expected = loop(predicted.tolist(), wanted.tolist(), areas.tolist(), labeled)
    weights = labeled / areas.sqrt()[:, None]
    found = SmoothOKSLoss(SIGMAS, stride=4, loss_weight=0.5).double()(predicted, wanted, weights)
    assert found.item() == pytest.approx(0.5 * expected, rel=1e-6)


def test_near_the_target_it_is_one_minus_the_oks():
    _, wanted, areas, _ = make_offsets(keypoints=17)
    noise = torch.randn(4, 17, 2, generator=torch.Generator().manual_seed(1))
    predicted = wanted + 0.02 * noise
    layout = build_layout(LAYOUTS['coco']())
    weights = areas.rsqrt()[:, None].expand(4, 17)
    found = SmoothOKSLoss(layout.sigmas, 4, loss_weight=1).double()(predicted, wanted, weights)
    reference = OKSLoss(metainfo='configs/_base_/datasets/coco.py').double()
    expected = reference(4 * predicted, 4 * wanted, torch.ones(4, 17), areas)
    assert 1e-4 < expected < 1e-1
    assert found.item() == pytest.approx(expected.item(), rel=0.02)


def test_people_twice_as_large_with_errors_twice_as_large_lose_the_same():
    predicted, wanted, areas, labeled = make_offsets()
    loss, weights = SmoothOKSLoss(SIGMAS, stride=4).double(), labeled / areas.sqrt()[:, None]
    torch.testing.assert_close(
        loss(2 * predicted, 2 * wanted, weights / 2), loss(predicted, wanted, weights)
    )


def test_a_keypoint_far_off_still_has_a_gradient():
    # 100 sigmas off, where the OKS is exp(-5000).
    predicted = torch.tensor([[[50.0, 0]]], requires_grad=True)
    weights = torch.tensor([[1 / 20.0]])
    loss = SmoothOKSLoss((0.05,), stride=4)(predicted, torch.zeros(1, 1, 2), weights)
    (gradient,) = torch.autograd.grad(loss, predicted)
    # d/dx (1 - 1/√(1 + (2x)²)), times 0.003.
    expected = 0.003 * 4 * 50 / (1 + 100**2) ** 1.5
    assert gradient[0, 0].tolist() == pytest.approx([expected, 0])


def test_nobody_loses_nothing():
    nothing = torch.zeros(0, 5, 2)
    assert SmoothOKSLoss(SIGMAS, stride=4)(nothing, nothing, torch.zeros(0, 5)) == 0


# --- as a loss of the head -----------------------------------------------------------------------


def test_offsets_and_refinement_choose_it_separately():
    features, samples = make_batch()
    plain, offset, refine = (
        build_refining(**options).loss([features], samples)
        for options in ({}, dict(offset_loss=OKS), dict(refine_loss=OKS))
    )
    assert offset['loss_offset'] != plain['loss_offset']
    assert offset['loss_refine'] == plain['loss_refine']
    assert refine['loss_offset'] == plain['loss_offset']
    assert refine['loss_refine'] != plain['loss_refine']


def test_the_head_knows_sigmas_and_stride():
    head, (features, samples) = build_refining(offset_loss=OKS), make_batch()
    offsets = head([features])[1].view(2, 3, 5, 2, 32, 32)
    poses = []
    for b, sample in enumerate(samples):
        fields = sample.gt_fields
        wanted, weights = (
            values.view(3, 5, 2, 32, 32) for values in (fields.offsets, fields.offset_weights)
        )
        for m, y, x in (fields.areas > 0).nonzero().tolist():
            at = m, slice(None), slice(None), y, x
            poses.append((offsets[b][at], wanted[at], fields.areas[m, y, x], weights[at][:, 0] > 0))
    predicted, wanted, areas, labeled = (torch.stack(values) for values in zip(*poses))
    expected = loop(predicted.tolist(), wanted.tolist(), areas.tolist(), labeled)
    loss = head.loss([features], samples)['loss_offset']
    assert loss.item() == pytest.approx(0.003 * expected, rel=1e-5)


@pytest.mark.parametrize('counts', [(4, 2), (0, 0)])
def test_every_parameter_gets_a_finite_gradient(counts):
    head, (features, samples) = build_refining(offset_loss=OKS, refine_loss=OKS), make_batch(counts)
    assert_all_learn(head, head.loss([features], samples))


def test_nothing_of_it_is_saved():
    assert set(build_refining(offset_loss=OKS).state_dict()) == set(build_refining().state_dict())
