"""A refinement of several passes: each starts where the last one ended, and all learn together."""

from pinet_mm.errors import InputError
from pinet_mm.method.refinement import PoseRefinement

import pytest
import torch
import torch.nn.functional as F

from tests.helpers.refinements import EDGES, C, K, make_inputs, make_net
from tests.helpers.refining import assert_all_learn, build_refining, make_batch


def passes_of(net, number):
    net.num_passes = number
    return net


def test_each_pass_starts_where_the_last_one_ended():
    torch.manual_seed(0)
    net, (features, poses, centers) = make_net(), make_inputs()
    valid = torch.tensor([[True] * 4, [True, False, True, False]])
    moved = poses
    for _ in range(3):
        moved = moved - net(features, moved, centers, valid)
    refined = passes_of(net, 3).refine(features, poses, centers, valid)
    torch.testing.assert_close(poses - refined.offsets, moved)
    assert (refined.offsets[valid].abs().amax(dim=(1, 2)) > 0.1).all()
    assert not refined.offsets[~valid].any()


def test_the_score_reads_what_the_last_pass_has_seen():
    torch.manual_seed(0)
    net, (features, poses, centers) = make_net(), make_inputs()
    valid = torch.ones(2, 4, dtype=torch.bool)
    moved = poses - net(features, poses, centers, valid)
    wanted = net.refine(features, moved, centers, valid).pooled
    found = passes_of(net, 2).refine(features, poses, centers, valid).pooled
    torch.testing.assert_close(found, wanted)


def test_the_loss_is_that_of_all_passes_pose_by_pose():
    head, (features, samples) = build_refining(dict(num_passes=3)).eval(), make_batch()
    loss = head.loss([features], samples)['loss_refine']
    passes_of(head.refinement, 1)
    offsets = head([features])[1].view(2, 3, 5, 2, 32, 32)
    distances = []
    for b, sample in enumerate(samples):
        wanted = sample.gt_fields.offsets.view(3, 5, 2, 32, 32)
        for m, y, x in (sample.gt_fields.areas > 0).nonzero().tolist():
            center, offset = torch.tensor([[[x, y]]]), offsets[b, m, :, :, y, x]
            for _ in range(3):
                pose = (center[0] - offset)[None, None]
                offset = offset + head.refinement(features[b : b + 1], pose, center)[0, 0]
                distance = F.smooth_l1_loss(
                    offset, wanted[m, :, :, y, x], beta=1 / 9, reduction='none'
                )
                distances.append(distance / sample.gt_fields.areas[m, y, x].sqrt())
    assert len(distances) > 100
    torch.testing.assert_close(loss, 0.03 * torch.stack(distances).mean(), rtol=1e-4, atol=1e-7)


def test_later_passes_train_the_weights_that_move_but_not_through_the_move():
    # Two passes of a refinement in evaluation mode: the gradient is the mean of those of each.
    head, (features, samples) = build_refining(dict(num_passes=2)).eval(), make_batch()
    weight = head.refinement.predictor[-1].weight
    (both,) = torch.autograd.grad(head.loss([features], samples)['loss_refine'], weight)
    passes_of(head.refinement, 1)
    (first,) = torch.autograd.grad(head.loss([features], samples)['loss_refine'], weight)
    moved = head.refinement.refine_once

    def second(features, poses_hm, centers_hm, valid):
        with torch.no_grad():
            before = moved(features, poses_hm, centers_hm, valid).offsets
        refined = moved(features, poses_hm - before, centers_hm, valid)
        return refined._replace(offsets=before + refined.offsets)

    head.refinement.refine_once = second
    (last,) = torch.autograd.grad(head.loss([features], samples)['loss_refine'], weight)
    assert (last - first).abs().max() > 0.1 * first.abs().max()
    torch.testing.assert_close(both, (first + last) / 2)


def test_passes_share_one_batch_and_its_statistics():
    head, (features, samples) = build_refining(dict(num_passes=2)), make_batch()
    head.loss([features], samples)
    assert head.refinement.training
    assert head.refinement.stem.bn.num_batches_tracked == 1
    seen = []
    head.refinement.stem.bn.register_forward_hook(lambda bn, args, _: seen.append(len(args[0])))
    head.loss([features], samples)
    poses = sum(int((sample.gt_fields.areas > 0).sum()) for sample in samples)
    assert seen == [2 * 5 * poses]


@pytest.mark.parametrize('counts', [(4, 2), (0, 0)])
def test_every_parameter_gets_a_finite_gradient(counts):
    head, (features, samples) = build_refining(dict(num_passes=2)), make_batch(counts)
    assert_all_learn(head, head.loss([features], samples))


def test_one_pass_is_the_default_and_none_is_too_few():
    assert PoseRefinement(C, K, EDGES).num_passes == 1
    with pytest.raises(InputError, match='refinement.num_passes must be .* 1; found 0'):
        PoseRefinement(C, K, EDGES, num_passes=0)


def test_the_passes_leave_every_module_in_its_mode():
    head, (features, samples) = build_refining(dict(num_passes=2)), make_batch()
    head.train()
    head.refinement.stem.eval()
    before = [module.training for module in head.modules()]
    head.loss([features], samples)
    assert [module.training for module in head.modules()] == before
