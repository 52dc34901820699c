"""PINetHead: decoding of ideal maps, scores, settings."""

from pinet_mm.method.layouts import PartLayout
from pinet_mm.models.head import TestSettings

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS

from tests.helpers.heads import decode, ideal_head
from tests.helpers.toys import (
    FIVE_FLIPS,
    answer_with,
    build_codec,
    build_head,
    head_config,
    make_sample,
    pair_up,
    plain_sample,
    target_maps,
)

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


def test_oks_areas_do_not_depend_on_the_image_scale():
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


def test_without_peaks_the_slope_of_a_peak_proposes_another_person():
    head, samples, ((person,),) = ideal_head('one', counts=(1,))
    heatmaps, offsets = target_maps(samples)
    x, y = np.round(person.mean(axis=0) / 4).astype(int)
    neighbor = person + [12, -8]
    heatmaps[:, 5] = 0
    heatmaps[0, 5, y, x : x + 2] = torch.tensor([1, 0.9])
    pose_hm = torch.from_numpy(neighbor / 4).float()
    offsets[0, :, y, x + 1] = (torch.tensor([x + 1, y]) - pose_hm).flatten()
    answer_with(head, heatmaps, offsets)
    for settings, wanted in (
        (dict(), [person]),
        (dict(use_peaks=False), [person, neighbor]),
        (dict(use_peaks=False, max_per_part=1), [person]),
        (dict(use_peaks=False, part_thr=0.9), [person]),
    ):
        (found,) = decode(head, samples, **settings)
        order = np.argsort(found.keypoints[:, 0, 0])
        np.testing.assert_allclose(found.keypoints[order], wanted, atol=1e-3)


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
