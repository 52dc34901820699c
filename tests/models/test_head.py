"""PINetHead: losses against torch's own and by hand, decoding of ideal maps, settings."""

from pinet_mm.method.layouts import PartLayout
from pinet_mm.models.head import TestSettings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

from tests.helpers.toys import (
    FIVE_FLIPS,
    answer_with,
    build_codec,
    build_head,
    head_config,
    make_sample,
    pair_up,
    people,
    plain_sample,
    target_maps,
)

BETA = 1 / 9


def make_batch(head, counts=(3, 2), seed=0, **options):
    """Samples with `counts` persons, and features that fit them."""
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


def ideal_head(layout='three', counts=(4,), **options):
    """A head that answers with the targets of some people, their samples and keypoints."""
    head = build_head(layout, **options)
    codec = head.codec
    keypoints = [
        people(n, head.layout.num_keypoints, codec.input_size, i) for i, n in enumerate(counts)
    ]
    samples = [make_sample(codec, points) for points in keypoints]
    return answer_with(head, *target_maps(samples)), samples, keypoints


def features_for(head, pictures=1):
    w, h = head.codec.heatmap_size
    return [torch.zeros(pictures, head.score_branch.in_channels, h, w)]


def decode(head, samples, views=1, **test_cfg):
    head.eval()
    test_cfg.setdefault('use_refinement', False)
    with torch.no_grad():
        return head.predict(features_for(head, views * len(samples)), samples, test_cfg)


# --- maps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('exporting', [False, True])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_heatmaps_are_the_branches_convolutions(monkeypatch, memory_format, exporting):
    monkeypatch.setattr(torch.compiler, 'is_exporting', lambda: exporting)
    head = build_head()
    torch.nn.init.normal_(head.score_branch.bias)
    torch.nn.init.normal_(head.part_branch.bias)
    features = (
        torch.randn(2, head.score_branch.in_channels, 5, 7)
        .contiguous(memory_format=memory_format)
        .requires_grad_()
    )
    maps, _ = head([features])
    assert exporting or maps.is_contiguous()
    wanted = torch.cat((head.score_branch(features), head.part_branch(features)), dim=1)
    torch.testing.assert_close(maps, wanted)
    inputs = [features, *head.score_branch.parameters(), *head.part_branch.parameters()]
    for gradient, other in zip(
        torch.autograd.grad(maps.square().sum(), inputs),
        torch.autograd.grad(wanted.square().sum(), inputs),
    ):
        torch.testing.assert_close(gradient, other)


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
    # What fills up the batch, or a picture without people, must not change the refinement.
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
def test_pictures_without_people_train(counts):
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
    # Batch statistics of one pose do not exist.
    head = build_head('one')
    codec = build_codec('one', radius=0)
    sample = make_sample(codec, np.full((1, 5, 2), 40, dtype=np.float32))
    assert (sample.gt_fields.areas > 0).sum() == 1
    losses = head.loss(features_for(head), [sample])
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert [name for name, p in head.named_parameters() if p.grad is None] == []


def test_loss_of_two_pictures_combines_the_single_ones():
    head = build_head().eval()
    features, samples = make_batch(head, counts=(4, 1))
    both = head.loss([features], samples)
    first, second = (head.loss([features[i : i + 1]], samples[i : i + 1]) for i in (0, 1))
    torch.testing.assert_close(
        both['loss_heatmap'], (first['loss_heatmap'] + second['loss_heatmap']) / 2
    )
    # Offsets are averaged over Ω, which holds more of the first picture.
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


def test_untrained_branches_start_small():
    head = build_head()
    head.init_weights()
    for branch in (head.score_branch, head.part_branch, head.offset_branch):
        assert (branch.bias == 0).all()
        assert 0.0005 < branch.weight.std() < 0.0015
    assert head.offset_branch.out_channels == 3 * 2 * 5


# --- from maps to poses --------------------------------------------------------------------------


@pytest.mark.parametrize('layout', ['coco', 'crowdpose', 'three', 'one', 'six'])
def test_ideal_maps_decode_to_the_annotated_poses(layout):
    head, samples, keypoints = ideal_head(layout, counts=(4, 1, 7))
    for found, wanted in zip(decode(head, samples), keypoints):
        order = pair_up(found.keypoints, wanted)
        np.testing.assert_allclose(found.keypoints[order], wanted, atol=1e-3)


def read_bilinear(score_map, x, y):
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, score_map.shape[1] - 1), min(y0 + 1, score_map.shape[0] - 1)
    top = score_map[y0, x0] * (x0 + 1 - x) + score_map[y0, x1] * (x - x0)
    bottom = score_map[y1, x0] * (x0 + 1 - x) + score_map[y1, x1] * (x - x0)
    return top * (y0 + 1 - y) + bottom * (y - y0)


def test_scores_boxes_and_parts_by_hand():
    head, samples, (keypoints,) = ideal_head('coco')
    (found,) = decode(head, samples)
    score_maps = samples[0].gt_fields.heatmaps.numpy()
    order = pair_up(found.keypoints, keypoints)
    ranks = []
    for row, person in zip(order, keypoints / 4):
        # r: Eq. 1 at the pixel next to each part's center; every part proposes the same pose.
        centers = np.array([person[list(part)].mean(axis=0) for part in head.layout.parts])
        r = np.exp(-((np.round(centers) - centers) ** 2).sum(axis=-1) / 4)
        ranks.append(r.max())
        scores = [r.max() * read_bilinear(score_maps[k], *person[k]) for k in range(17)]
        np.testing.assert_allclose(found.keypoint_scores[row], scores, atol=1e-5)
        np.testing.assert_allclose(found.bbox_scores[row], np.mean(scores), atol=1e-5)
        assert (found.keypoint_parts[row] == r.argmax()).all()
        box = [*person.min(axis=0), *person.max(axis=0)]
        np.testing.assert_allclose(found.bboxes[row], np.multiply(box, 4), atol=1e-3)
    # Poses come from best to worst part-center score.
    assert (np.diff(np.array(ranks)[order.argsort()]) <= 0).all()


def test_outputs_without_people():
    head = answer_with(build_head(), torch.full((2, 8, 32, 32), -1.0), torch.zeros(2, 30, 32, 32))
    for found in decode(head, [plain_sample((128, 128))] * 2):
        assert {key: value.shape for key, value in found.items()} == dict(
            keypoints=(0, 5, 2),
            keypoint_scores=(0, 5),
            bboxes=(0, 4),
            bbox_scores=(0,),
            keypoint_parts=(0, 5),
        )


def test_keypoint_scores_stay_between_0_and_1():
    head, samples, (keypoints,) = ideal_head()
    heatmaps, offsets = target_maps(samples)
    heatmaps[:, 0] -= 5
    heatmaps[:, 1:5] *= 5
    (found,) = decode(answer_with(head, heatmaps, offsets), samples)
    assert (found.keypoint_scores[:, 0] == 0).all()
    assert (found.keypoint_scores[:, 1:] == 1).all()
    np.testing.assert_allclose(
        found.keypoints[pair_up(found.keypoints, keypoints)], keypoints, atol=1e-3
    )


def test_refinement_is_subtracted_and_can_be_switched_off():
    head, samples, (keypoints,) = ideal_head()
    last = head.refinement.predictor[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    (off,) = decode(head, samples, use_refinement=False)
    for settings in ({}, dict(use_refinement=True), dict(use_refinement=None)):
        (zeroed,) = decode(head, samples, **dict(dict(use_refinement=None), **settings))
        np.testing.assert_array_equal(zeroed.keypoints, off.keypoints)
    with torch.no_grad():
        last.bias.view(5, 2)[2] = torch.tensor([0.5, -0.25])
    (moved,) = decode(head, samples, use_refinement=None)
    difference = (off.keypoints - moved.keypoints)[pair_up(off.keypoints, keypoints)]
    np.testing.assert_allclose(difference[:, 2], [[2, -1]] * 4, atol=1e-3)
    np.testing.assert_allclose(np.delete(difference, 2, axis=1), 0, atol=1e-3)


def split_proposals():
    """One person whose better part misses the last keypoint by 2 map pixels."""
    codec = build_codec('three')
    keypoints = np.array([[[64, 40], [40, 65], [88, 65], [52, 100], [76, 100]]], dtype=np.float32)
    sample = make_sample(codec, keypoints)
    heatmaps, offsets = target_maps([sample])
    heatmaps[:, 5:] *= torch.tensor([1.0, 0.8, 0.6])[:, None, None]
    offsets.view(1, 3, 5, 2, 32, 32)[0, 0, 4, 0] -= 2
    return answer_with(build_head(), heatmaps, offsets), [sample], keypoints


def test_fusion_takes_the_better_keypoint():
    head, samples, keypoints = split_proposals()
    (found,) = decode(head, samples, oks_thr=0.5)
    np.testing.assert_allclose(found.keypoints, keypoints, atol=1e-3)
    # r · H: parts score 1, 0.8 · exp(-d²/4), 0.6; (64, 65) / 4 is 0.25 px from its pixel.
    assert found.keypoint_parts.tolist() == [[0, 0, 0, 0, 1]]
    r = 0.8 * np.exp(-(0.25**2) / 4)
    np.testing.assert_allclose(found.keypoint_scores[0, [0, 3, 4]], [1, 1, r], atol=1e-5)


def test_without_fusion_the_best_pose_stays_as_it_is():
    head, samples, keypoints = split_proposals()
    (found,) = decode(head, samples, oks_thr=0.5, use_fusion=False)
    keypoints[0, 4, 0] += 8
    np.testing.assert_allclose(found.keypoints, keypoints, atol=1e-3)
    assert (found.keypoint_parts == 0).all()
    np.testing.assert_allclose(found.keypoint_scores[0, [0, 3, 4]], [1, 1, np.exp(-1)], atol=1e-5)


def test_agreement_weighs_all_scores_of_a_person():
    head, samples, keypoints = split_proposals()
    (plain,) = decode(head, samples, oks_thr=0.5)
    (found,) = decode(head, samples, oks_thr=0.5, use_agreement=True)
    np.testing.assert_allclose(found.keypoints, keypoints, atol=1e-3)
    # One part of three has one keypoint of five 8 px off; both boxes are 48 × 60 px.
    weight = ((1 + (4 + np.exp(-(8**2) / (2 * 0.08) ** 2 / (2 * 48 * 60))) / 5 + 1) / 3) ** 3
    assert weight < 0.95
    np.testing.assert_allclose(found.keypoint_scores, weight * plain.keypoint_scores, atol=1e-5)
    np.testing.assert_allclose(found.bbox_scores, weight * plain.bbox_scores, atol=1e-5)


def test_oks_threshold_decides_who_is_one_person():
    head, samples, _ = split_proposals()
    # The parts head against hands: one keypoint of five is 8 px off.
    area = 48 * 60  # of both, for the foot stays inside the box
    oks = (4 + np.exp(-(8**2) / (2 * 0.08) ** 2 / (2 * area))) / 5
    assert len(decode(head, samples, oks_thr=oks - 1e-3)[0]) == 1
    assert len(decode(head, samples, oks_thr=oks + 1e-3)[0]) == 2


def test_oks_areas_do_not_depend_on_the_picture_scale():
    head, samples, keypoints = split_proposals()
    samples[0].set_metainfo(dict(input_scale=np.array([512.0, 512.0])))
    (found,) = decode(head, samples, oks_thr=0.5)
    np.testing.assert_allclose(found.keypoints, keypoints, atol=1e-3)


def test_max_per_part_keeps_the_best():
    head, samples, (keypoints,) = ideal_head('one', counts=(6,))
    heatmaps, offsets = target_maps(samples)
    for n, person in enumerate(keypoints):
        x, y = np.round(person.mean(axis=0) / 4).astype(int)
        heatmaps[0, 5, y, x] = 2 + n
    answer_with(head, heatmaps, offsets)
    for count, wanted in ((1, [5]), (4, [5, 4, 3, 2]), (30, [5, 4, 3, 2, 1, 0])):
        (found,) = decode(head, samples, max_per_part=count)
        np.testing.assert_allclose(found.keypoints, keypoints[wanted], atol=1e-3)


def test_part_thr_is_a_strict_bound():
    head, samples, (keypoints,) = ideal_head('one', counts=(4,))
    heatmaps, offsets = target_maps(samples)
    heatmaps[:, 5] = 0
    for value, person in zip((0.005, 0.25, 0.5, 0.75), keypoints):
        x, y = np.round(person.mean(axis=0) / 4).astype(int)
        heatmaps[0, 5, y, x] = value
    answer_with(head, heatmaps, offsets)
    for settings, wanted in (
        (dict(), [3, 2, 1]),
        (dict(part_thr=0.25), [3, 2]),
        (dict(part_thr=0.249), [3, 2, 1]),
        (dict(part_thr=0.001), [3, 2, 1, 0]),
        (dict(part_thr=0.8), []),
    ):
        (found,) = decode(head, samples, **settings)
        np.testing.assert_allclose(found.keypoints, keypoints[wanted].reshape(-1, 5, 2), atol=1e-3)


def test_output_heatmaps():
    head, samples, _ = ideal_head('coco', counts=(2, 1))
    instances, maps = decode(head, samples, output_heatmaps=True)
    assert [len(found) for found in instances] == [2, 1]
    for found, sample in zip(maps, samples):
        assert found.heatmaps.shape == (17 + 3, 32, 32)
        torch.testing.assert_close(found.heatmaps, sample.gt_fields.heatmaps)


# --- flip test -----------------------------------------------------------------------------------


def mirrored_maps(head, samples, keypoints):
    """Targets of the same people in the mirrored input, moved left by 3 px."""
    w = head.codec.input_size[0]
    flips = list(head.layout.flip_indices)
    return target_maps(
        [make_sample(head.codec, (points * [-1, 1] + [w - 4, 0])[:, flips]) for points in keypoints]
    )


@pytest.mark.parametrize('layout', ['coco', 'three', 'six'])
def test_flip_test_of_ideal_maps(layout):
    head, samples, keypoints = ideal_head(layout, counts=(4, 3), size=(128, 96))
    plain = decode(head, samples)
    maps = zip(target_maps(samples), mirrored_maps(head, samples, keypoints))
    answer_with(head, *(torch.cat(views) for views in maps))
    for once, both, wanted in zip(plain, decode(head, samples, views=2, flip_test=True), keypoints):
        order = pair_up(both.keypoints, wanted)
        np.testing.assert_allclose(both.keypoints[order], wanted, atol=1e-3)
        order_once = pair_up(once.keypoints, wanted)
        np.testing.assert_allclose(
            both.keypoint_scores[order], once.keypoint_scores[order_once], atol=1e-5
        )
        np.testing.assert_array_equal(both.keypoint_parts[order], once.keypoint_parts[order_once])


def test_flip_test_averages_maps_and_poses():
    head, samples, keypoints = ideal_head('six', counts=(3,))
    heatmaps, offsets = target_maps(samples)
    mirrored_heatmaps, mirrored_offsets = mirrored_maps(head, samples, keypoints)
    # In the mirrored view only the right hand, the left one there, is 0.8 map px too far right:
    # pixel - offset grows where the offset shrinks. Seen from the plain view it moves left.
    shifted = mirrored_offsets.view(1, 6, 5, 2, 32, 32).clone()
    shifted[:, :, 1, 0] -= 0.8
    answer_with(
        head,
        torch.cat((heatmaps, 0.5 * mirrored_heatmaps)),
        torch.cat((offsets, shifted.view_as(offsets))),
    )
    (found,), (maps,) = decode(head, samples, views=2, flip_test=True, output_heatmaps=True)
    wanted = keypoints[0].copy()
    wanted[:, 2, 0] -= 0.8 / 2 * 4
    np.testing.assert_allclose(found.keypoints[pair_up(found.keypoints, wanted)], wanted, atol=1e-3)
    torch.testing.assert_close(maps.heatmaps, 0.75 * heatmaps[0], atol=1e-5, rtol=0)


def test_flip_test_refines_each_view_on_its_own_features():
    # A refinement that reads its first two features as the left hand's refining offset.
    head, samples, (keypoints,) = ideal_head('three')
    maps = zip(target_maps(samples), mirrored_maps(head, samples, [keypoints]))
    answer_with(head, *(torch.cat(views) for views in maps)).eval()

    def refinement(features, poses_hm, centers_hm, valid):
        refining = torch.zeros_like(poses_hm)
        refining[:, :, 1] = features[:, None, :2, 0, 0]
        return refining

    head.refinement = torch.nn.Identity()
    head.refinement.forward = refinement
    features = torch.zeros(2, 12, 32, 32)
    features[0, :2, 0, 0] = torch.tensor([1.0, 2.0])
    features[1, :2, 0, 0] = torch.tensor([3.0, 4.0])
    (found,) = head.predict([features], samples, dict(flip_test=True))
    wanted = keypoints.copy()
    wanted[:, 1] -= np.array([1, 2]) * 4 / 2  # plain view: the left hand
    wanted[:, 2] -= np.array([-3, 4]) * 4 / 2  # mirrored view: it is the right hand, x mirrored
    np.testing.assert_allclose(found.keypoints[pair_up(found.keypoints, wanted)], wanted, atol=1e-3)


# --- settings ------------------------------------------------------------------------------------


def test_unknown_setting_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown keys \['nms_thr'\].*'flip_test'.*'oks_thr'"):
        TestSettings.from_cfg(dict(nms_thr=0.5))
    head, samples, _ = ideal_head()
    with pytest.raises(ValueError, match="known are .*'part_thr'.*'max_per_part'"):
        decode(head, samples, part_treshold=0.1)


def test_refinement_that_was_not_built_cannot_be_used():
    head, samples, (keypoints,) = ideal_head(layers=0)
    with pytest.raises(ValueError, match='use_refinement=True.*refinement=None'):
        decode(head, samples, use_refinement=True)
    assert len(decode(head, samples, use_refinement=None)[0]) == len(keypoints)


def test_head_takes_its_layout_from_the_codec():
    head = build_head('one')
    assert isinstance(head.layout, PartLayout)
    assert head.layout.flip_indices == tuple(FIVE_FLIPS)
    assert (
        head.score_branch.out_channels,
        head.part_branch.out_channels,
        head.offset_branch.out_channels,
    ) == (5, 1, 10)
    # The graph starts from the layout's own skeleton: hand–hand and foot–foot.
    adjacency = MODELS.build(head_config('one')).refinement.adjacency.detach()
    wanted = np.eye(5)
    wanted[1:3, 1:3] = wanted[3:5, 3:5] = 0.5
    np.testing.assert_allclose(adjacency, wanted, atol=1e-6)
