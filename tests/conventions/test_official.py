"""The release's rules against plain loops, and against the enlarged maps that they replace."""

import math

from pinet_mm.conventions.official import (
    sample_stretched,
    score_keypoints,
    square_offsets,
    training_centers,
)
from pinet_mm.conventions.table import CONVENTIONS
from pinet_mm.method.fusion import fuse_poses
from pinet_mm.method.targets import OffsetTargets, write_offsets

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

from tests.helpers.toys import (
    answer_with,
    build_codec,
    codec_config,
    make_sample,
    people,
    plain_sample,
    target_maps,
)

MAP = (12, 9)


def offset_maps(centers, drawn, keypoints, present, areas):
    targets = square_offsets(centers, drawn, keypoints, present, areas, MAP, 2)
    assert [array.dtype for array in targets] == [np.int64] + [np.float32] * 3
    m, k = drawn.shape[1], keypoints.shape[1]
    offsets, weights = np.zeros((2, m * 2 * k, *MAP[::-1]), np.float32)
    memory = np.zeros((m, *MAP[::-1]), np.float32)
    write_offsets(targets, offsets, weights, memory)
    return offsets, weights, memory


def naive_offsets(centers, drawn, keypoints, present, areas, radius=2):
    """Go through people, parts, pixels and keypoints, as the rule is told."""
    (n, m), k, (w, h) = drawn.shape, keypoints.shape[1], MAP
    offsets = np.zeros((m, k, 2, h, w), dtype=np.float32)
    weights, memory = np.zeros_like(offsets), np.zeros((m, h, w), dtype=np.float32)
    for person, part in np.ndindex(n, m):
        cx, cy = (math.trunc(c) for c in centers[person, part])
        if not drawn[person, part] or not (0 <= cx < w and 0 <= cy < h):
            continue
        for y in range(max(cy - radius, 0), min(cy + radius, h)):
            for x in range(max(cx - radius, 0), min(cx + radius, w)):
                for j in range(k):
                    if not present[person, j]:
                        continue
                    stored = offsets[part, j, :, y, x]
                    if stored.any() and float(memory[part, y, x]) < areas[person]:
                        continue
                    offsets[part, j, :, y, x] = np.array([x, y]) - keypoints[person, j]
                    weights[part, j, :, y, x] = 1 / math.sqrt(areas[person])
                    memory[part, y, x] = areas[person]
    return offsets.reshape(-1, h, w), weights.reshape(-1, h, w), memory


@pytest.mark.parametrize('seed', range(12))
def test_crowded_pixels_are_the_naive_loops(seed):
    rng = np.random.default_rng(seed)
    n, m, k = 9, 2, 4
    # Centers on the border and just outside; whole keypoints, so that offsets of 0 occur.
    centers = rng.uniform((-1.5, -1.5), MAP, (n, m, 2))
    keypoints = rng.integers(0, 9, (n, k, 2)) + rng.choice([0.0, 0.3], (n, k, 1))
    areas = rng.choice([100.1, 100.2, 0.1, 700.0, 1 / 3], n)
    assert any(np.float32(a) < a for a in areas) and any(np.float32(a) >= a for a in areas)
    arguments = (centers, rng.random((n, m)) < 0.8, keypoints, rng.random((n, k)) < 0.7, areas)
    for found, wanted in zip(offset_maps(*arguments), naive_offsets(*arguments)):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    'center, pixels',
    [
        ((5.9, 4.2), (range(3, 7), range(2, 6))),
        ((-0.9, -0.1), (range(0, 2), range(0, 2))),
        ((11.99, 8.5), (range(9, 12), range(6, 9))),
        ((-1.0, 4.0), ((), ())),
        ((12.0, 4.0), ((), ())),
    ],
)
def test_the_square_around_a_center(center, pixels):
    _, weights, areas = offset_maps(
        np.array([[center]]),
        np.ones((1, 1), bool),
        np.array([[[3.5, 3.5]]]),
        np.ones((1, 1), bool),
        np.array([25.0]),
    )
    wanted = np.zeros(MAP[::-1])
    wanted[np.ix_(*map(list, pixels[::-1]))] = 1
    np.testing.assert_allclose(weights, [wanted / 5] * 2, rtol=1e-6)
    np.testing.assert_array_equal(areas, [25 * wanted])


def test_nobody():
    targets = square_offsets(
        np.zeros((0, 2, 2)),
        np.zeros((0, 2), bool),
        np.zeros((0, 3, 2)),
        np.zeros((0, 3), bool),
        np.zeros(0),
        MAP,
        2,
    )
    assert [array.shape for array in targets] == [(0, 3), (0, 3, 2), (0, 3), (0,)]


@pytest.mark.parametrize('stride', [2, 4])
def test_scores_are_read_as_from_the_enlarged_map(stride):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, 5, 7, generator=generator, dtype=torch.float64)
    poses = torch.rand(2, 40, 3, 2, generator=generator, dtype=torch.float64)
    poses = poses * torch.tensor([9, 7]) - 1
    border = torch.tensor([0.0, 6, 6.2, 6.74, -0.2, -0.26, 7, 4], dtype=torch.float64)
    poses[0, :8, :, 0], poses[1, :8, :, 1] = border[:, None], border[:, None] - 2
    ranks = torch.rand(2, 40, generator=generator, dtype=torch.float64)
    found = score_keypoints(maps, poses, ranks, stride)
    large = F.interpolate(
        maps, ((5 - 1) * stride + 1, (7 - 1) * stride + 1), mode='bilinear', align_corners=True
    )
    large = F.pad(large, (0, stride - 1, 0, stride - 1), mode='replicate').numpy()
    for b, t, k in np.ndindex(2, 40, 3):
        x, y = (poses[b, t, k] * stride).tolist()
        left, top = int(x), int(y)
        value = 0
        if left >= 0 and top >= 0 and left + 1 < 7 * stride and top + 1 < 5 * stride:
            rows = large[b, k, top : top + 2, left : left + 2] @ [left + 1 - x, x - left]
            value = rows @ [top + 1 - y, y - top]
        assert found[b, t, k].item() == pytest.approx(value * ranks[b, t].item(), abs=1e-12)


def test_sampled_features_lie_half_a_pixel_aside():
    maps = torch.arange(1.0, 10).expand(1, 1, 4, 9)
    points = torch.tensor([[[0, 1.5], [4, 1.5], [8, 1.5], [2, 1.5]]])
    # Left and right borders blend with the 0 outside.
    wanted = [0.5 * 1, 5, 0.5 * 9, 1 + 2 * 9 / 8 - 0.5]
    assert sample_stretched(maps, points).flatten().tolist() == pytest.approx(wanted)


def test_samples_favor_small_people_and_stop_at_the_poorest_image():
    heat, weights = torch.zeros(2, 2, 3, 4), torch.zeros(2, 2, 4, 3, 4)
    heat[:, :, 0] = torch.tensor([0.9, 0.8, 0.7, 0.6])
    weights[:, 0, :, 0] = torch.tensor([0.1, 0.5, 0.2, 0])
    weights[0, 0, 1, 0, 2] = 1  # the largest weight of a pixel's keypoints counts
    weights[1, 0, :, 0, 2] = 0
    # In some other order than the maps', which must not matter.
    pixels = (weights > 0).any(dim=2).nonzero().flip(0)
    image, part, y, x = pixels.unbind(1)
    targets = OffsetTargets(
        pixels, torch.zeros(len(x), 4, 2), weights[image, part, :, y, x], torch.ones(len(x))
    )
    centers = training_centers(heat, targets, max_per_part=5)
    valid = centers.valid.unflatten(1, (2, 5))
    assert valid.sum(-1).tolist() == [[2, 5], [2, 5]]  # part 1 has none: all of them
    assert centers.xy_hm[0, :2].tolist() == [[2, 0], [1, 0]]
    assert centers.xy_hm[1, :2].tolist() == [[1, 0], [0, 0]]
    assert centers.scores[0, :3].tolist() == pytest.approx([0.7, 0.8, 0])


def test_of_equal_poses_the_last_comes_first():
    keypoints = torch.rand(3, 2, 2) * 100 + torch.arange(3)[:, None, None] * 1000
    scores = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.6, 0.6]])
    fused = fuse_poses(keypoints, scores, torch.tensor([0.1, 0.1]))
    assert fused.sources[:, 0].tolist() == [2, 1, 0]
    fused = fuse_poses(keypoints, scores, torch.tensor([0.1, 0.1]), scores.mean(dim=-1))
    assert fused.sources[:, 0].tolist() == [2, 0, 1]


# --- the switch ----------------------------------------------------------------------------------


def make_head(convention, **options):
    return MODELS.build(
        dict(
            type='PINetHead', in_channels=12, decoder=codec_config(convention=convention), **options
        )
    )


REFINEMENT = dict(type='PoseRefinement', num_layers=1)


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_codec_and_head_follow_the_switch(convention):
    head, rules = make_head(convention, refinement=REFINEMENT), CONVENTIONS[convention]
    assert head.codec.rules is rules
    assert head.refinement.sample_features is rules.sample_features
    assert head.sampler.training_rule is rules.training_centers
    assert (
        make_head(
            convention, sampler=dict(type='ProposalSampler', max_train_per_part=7)
        ).sampler.max_train_per_part
        == 7
    )


@pytest.mark.parametrize(
    'convention, stride, wanted', [('paper', 2, 0), ('release', 2, -0.25), ('release', 4, 0)]
)
def test_scores_beside_the_border_follow_the_switch(convention, stride, wanted):
    # The map is 1 + 5x. The release reads it for x > -1 / stride, -0.5 at x = -0.3; the paper does
    # not read it below 0. At x = 1 both read 6. The rank is 0.5.
    maps = (1 + 5 * torch.arange(6.0)).expand(1, 1, 4, 6)
    poses_hm = torch.tensor([[[[-0.3, 1.0]], [[1.0, 1.0]]]])
    ranks = torch.full((1, 2), 0.5)
    scores = CONVENTIONS[convention].score_keypoints(maps, poses_hm, ranks, stride)
    assert scores.flatten().tolist() == pytest.approx([wanted, 3])


@pytest.mark.parametrize('odd', [torch.nan, torch.inf, -torch.inf, 3e38, -3e38])
def test_a_keypoint_that_is_nowhere_scores_0_and_costs_no_other(odd):
    # An odd width, for which the index that NaN becomes does not wrap around to 0.
    maps, ranks = torch.full((1, 1, 4, 5), 3.0), torch.ones(1, 2)
    poses_hm = torch.tensor([[[[2.5, odd]], [[2.5, 1.5]]]])
    assert score_keypoints(maps, poses_hm, ranks, 4).tolist() == [[[0], [3]]]


@pytest.mark.parametrize('convention, highest', [('paper', 1), ('release', 4)])
def test_scores_are_raw_under_release(convention, highest):
    codec, keypoints = build_codec(convention=convention), people(2, 5)
    keypoints = np.round(keypoints / 4) * 4  # on pixels, where the maps reach 1
    heatmaps, offsets = target_maps([make_sample(codec, keypoints)])
    head = answer_with(make_head(convention), 2 * heatmaps, offsets)
    person = head.predict([torch.zeros(1, 12, 32, 32)], [plain_sample((128, 128))])[0]
    assert len(person.keypoints) == 2
    assert person.keypoint_scores.max() == pytest.approx(highest)


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_the_codec_decodes_what_it_encodes(convention):
    codec, keypoints = build_codec(convention=convention), people(3, 5)
    found, _ = codec.decode(codec.encode(keypoints, area=np.array([400.0, 500.0, 600.0])))
    assert found.shape == keypoints.shape
    for person in keypoints:
        assert np.abs(found - person).max(axis=(1, 2)).min() < 1e-3


def test_losses_under_release_train_every_parameter():
    head = make_head('release', refinement=REFINEMENT)
    samples = [make_sample(head.codec, people(count, 5)) for count in (3, 0)]
    losses = head.loss([torch.randn(2, 12, 32, 32)], samples)
    sum(losses.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters())
    assert head.refinement.stem.weight.grad.abs().max() > 0
