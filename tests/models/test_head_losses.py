"""Losses of PINetHead against torch's own and by hand, and what trains which parameters."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.helpers.heads import features_for
from tests.helpers.toys import (
    answer_with,
    build_codec,
    build_head,
    make_sample,
    people,
    target_maps,
)

BETA = 1 / 9


def make_batch(head, counts=(3, 2), seed=0, **options):
    """Samples with `counts` people, and features that fit them."""
    codec, k = head.codec, head.layout.num_keypoints
    samples = [
        make_sample(codec, people(n, k, codec.input_size, seed + i), **options)
        for i, n in enumerate(counts)
    ]
    w, h = codec.heatmap_size
    features = torch.randn(
        len(counts),
        head.score_branch.in_channels,
        h,
        w,
        generator=torch.Generator().manual_seed(seed),
    )
    return features.requires_grad_(), samples


# --- losses --------------------------------------------------------------------------------------


def test_heatmap_loss_is_weighted_masked_mse():
    head = build_head()
    mask = np.random.default_rng(1).random((32, 32)) > 0.3
    features, samples = make_batch(head, mask=mask)
    loss = head.loss([features], samples)['loss_heatmap']

    weights = torch.stack([sample.gt_fields.heatmap_weights for sample in samples])
    assert set(weights.unique().tolist()) == {np.float32(0.1), 1.0}
    root = (weights * torch.from_numpy(mask)).sqrt()
    wanted = F.mse_loss(head([features])[0] * root, target_maps(samples)[0] * root)
    torch.testing.assert_close(loss, wanted)


def test_masked_pixels_do_not_train_the_heatmaps():
    head = build_head(layers=0)
    mask = np.ones((32, 32), dtype=bool)
    mask[5:20, 3:30] = False
    features, samples = make_batch(head, mask=mask)
    head.loss([features], samples)['loss_heatmap'].backward()
    strength = features.grad.abs().sum(dim=1)
    assert strength[:, 5:20, 3:30].max() == 0
    assert strength[:, 0].min() > 0


def test_offset_loss_is_weighted_smooth_l1_over_omega():
    head = build_head()
    visible = np.random.default_rng(0).random((3, 5)) > 0.4
    features, samples = make_batch(head, counts=(3, 3), visible=visible)
    loss = head.loss([features], samples)['loss_offset']

    offsets = head([features])[1].view(2, 3, 5, 2, 32, 32)
    total, count = 0.0, 0
    for b, sample in enumerate(samples):
        fields = sample.gt_fields
        wanted = fields.offsets.view(3, 5, 2, 32, 32)
        in_omega = fields.offset_weights.view(3, 5, 2, 32, 32) > 0
        for m, k, c, y, x in in_omega.nonzero().tolist():
            distance = F.smooth_l1_loss(offsets[b, m, k, c, y, x], wanted[m, k, c, y, x], beta=BETA)
            total += distance / fields.areas[m, y, x].sqrt()
            count += 1
    assert count > 100
    torch.testing.assert_close(loss, 0.03 * total / count)


def test_offset_loss_of_one_pixel_by_hand():
    # One person whose only center stands on a pixel, radius 0: Ω is that pixel's 10 numbers.
    codec = build_codec('one', radius=0)
    keypoints = np.array([[[40, 40], [20, 60], [60, 60], [36, 20], [44, 20]]], dtype=np.float32)
    sample = make_sample(codec, keypoints, area=np.array([64.0]))
    head = answer_with(
        build_head('one', layers=0), torch.zeros(1, 6, 32, 32), torch.zeros(1, 10, 32, 32)
    )
    losses = head.loss(features_for(head), [sample])
    # The center is (40, 40) / 4; distances in map pixels: 0 0, 5 5, 5 5, 1 5, 1 5.
    distances = [0, 0, 5, 5, 5, 5, 1, 5, 1, 5]
    wanted = 0.03 * sum(d - BETA / 2 if d else 0 for d in distances) / 10 / np.sqrt(64)
    assert losses['loss_offset'].item() == pytest.approx(wanted, rel=1e-6)
    assert set(losses) == {'loss_heatmap', 'loss_offset'}


def chosen_pixels(sample, num_keypoints, count=40):
    """The `count` pixels (m, y, x) of every part with S > 0 and the largest P*."""
    heatmaps, areas = sample.gt_fields.heatmaps[num_keypoints:], sample.gt_fields.areas
    for m, area in enumerate(areas):
        pixels = (area > 0).nonzero().tolist()
        pixels.sort(key=lambda yx, m=m: -heatmaps[m, yx[0], yx[1]].item())
        yield from ((m, y, x) for y, x in pixels[:count])


@pytest.mark.parametrize(
    'sampler, count', [(None, 40), (dict(type='ProposalSampler', max_train_per_part=3), 3)]
)
def test_refine_loss_pose_by_pose(sampler, count):
    head = build_head(sampler=sampler).eval()
    features, samples = make_batch(head, counts=(9, 3))
    loss = head.loss([features], samples)['loss_refine']

    offsets = head([features])[1].view(2, 3, 5, 2, 32, 32)
    distances, chosen = [], 0
    for b, sample in enumerate(samples):
        wanted = sample.gt_fields.offsets.view(3, 5, 2, 32, 32)
        for m, y, x in chosen_pixels(sample, 5, count):
            center, predicted = torch.tensor([x, y]), offsets[b, m, :, :, y, x]
            refining = head.refinement(
                features[b : b + 1], (center - predicted)[None, None], center[None, None]
            )[0, 0]
            distance = F.smooth_l1_loss(
                predicted + refining, wanted[m, :, :, y, x], beta=BETA, reduction='none'
            )
            distances.append(distance / sample.gt_fields.areas[m, y, x].sqrt())
            chosen += 1
    assert chosen < sum((sample.gt_fields.areas > 0).sum() for sample in samples)
    torch.testing.assert_close(loss, 0.03 * torch.stack(distances).mean(), rtol=1e-4, atol=1e-7)


def test_refining_offsets_are_added_to_the_predicted_ones():
    # Offsets that are 0.5 px too small, and a refinement that always answers 0.5.
    head = build_head()
    _, samples = make_batch(head, area=np.full(2, 400.0), counts=(2,))
    heatmaps, offsets = target_maps(samples)
    answer_with(head, heatmaps, offsets - 0.5)
    torch.nn.init.zeros_(head.refinement.predictor[-1].weight)
    torch.nn.init.constant_(head.refinement.predictor[-1].bias, 0.5)
    losses = head.loss(features_for(head), samples)
    assert losses['loss_heatmap'] == 0
    assert losses['loss_offset'].item() == pytest.approx(0.03 * (0.5 - BETA / 2) / 20, rel=1e-5)
    assert losses['loss_refine'].item() == pytest.approx(0, abs=1e-9)


def test_refine_loss_trains_features_but_not_offsets():
    head = build_head()
    features, samples = make_batch(head)
    head.loss([features], samples)['loss_refine'].backward()
    assert head.offset_branch.weight.grad is None
    assert features.grad.abs().max() > 0
    assert all(p.grad.abs().max() > 0 for p in head.refinement.predictor[-1].parameters())


def test_only_real_poses_enter_the_batch_statistics():
    # Neither padding nor an image without people may change the refinement.
    def train(sampler=None, counts=(3,)):
        head = build_head(sampler=sampler)
        features, samples = make_batch(head, (3, 0))
        loss = head.loss([features[: len(counts)]], samples[: len(counts)])['loss_refine']
        return loss, head.refinement.stem.bn.running_mean

    (loss, mean), *others = (
        train(),
        train(dict(type='ProposalSampler', max_train_per_part=200)),
        train(counts=(3, 0)),
    )
    for other, other_mean in others:
        torch.testing.assert_close(other, loss)
        torch.testing.assert_close(other_mean, mean)


def test_every_parameter_gets_a_gradient():
    head = build_head()
    features, samples = make_batch(head)
    sum(head.loss([features], samples).values()).backward()
    # A bias before a batch norm has no influence; its gradient is 0 up to rounding.
    assert [name for name, p in head.named_parameters() if p.grad is None] == []
    for name in (
        'score_branch.weight',
        'part_branch.weight',
        'offset_branch.weight',
        'refinement.adjacency',
        'refinement.stem.weight',
    ):
        assert head.get_parameter(name).grad.abs().max() > 0, name


@pytest.mark.parametrize('counts', [(2, 0), (0,), (0, 0)])
def test_images_without_people_train(counts):
    head = build_head()
    features, samples = make_batch(head, counts)
    losses = head.loss([features], samples)
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert [name for name, p in head.named_parameters() if p.grad is None] == []
    assert all(torch.isfinite(p.grad).all() for p in head.parameters())
    if not any(counts):
        assert losses['loss_offset'] == losses['loss_refine'] == 0
        wanted = 0.1 * head([features])[0].square().mean()
        torch.testing.assert_close(losses['loss_heatmap'], wanted)


def test_one_single_pose_trains():
    # One pose has no batch statistics.
    head = build_head('one')
    codec = build_codec('one', radius=0)
    sample = make_sample(codec, np.full((1, 5, 2), 40, dtype=np.float32))
    assert (sample.gt_fields.areas > 0).sum() == 1
    losses = head.loss(features_for(head), [sample])
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert [name for name, p in head.named_parameters() if p.grad is None] == []


def test_loss_of_two_images_combines_the_single_ones():
    head = build_head().eval()
    features, samples = make_batch(head, counts=(4, 1))
    both = head.loss([features], samples)
    first, second = (head.loss([features[i : i + 1]], samples[i : i + 1]) for i in (0, 1))
    torch.testing.assert_close(
        both['loss_heatmap'], (first['loss_heatmap'] + second['loss_heatmap']) / 2
    )
    # Offsets are averaged over Ω, which holds more of the first image.
    sizes = [(sample.gt_fields.offset_weights > 0).sum() for sample in samples]
    for name in ('loss_offset', 'loss_refine'):
        torch.testing.assert_close(
            both[name], (sizes[0] * first[name] + sizes[1] * second[name]) / sum(sizes)
        )


def test_bf16_autocast_leaves_the_head_in_float32():
    head = build_head()
    features, samples = make_batch(head)
    rough = features.detach().bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss([rough], samples)
        instances, maps = head.predict([rough], samples, dict(output_heatmaps=True))
    wanted = build_head().loss([rough.float()], samples)
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, wanted[name], rtol=1e-6, atol=0)
    assert maps[0].heatmaps.dtype == torch.float32
    torch.testing.assert_close(maps[0].heatmaps, head([rough.float()])[0][0], rtol=0, atol=0)
    assert instances[0].keypoints.dtype == np.float32
