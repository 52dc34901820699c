"""Inference at several scales against written-out loops, and by hand."""

from pinet_mm.method.views import mirror_inputs
from pinet_mm.models.decoding import RawMaps, decode
from pinet_mm.models.test_cfg import TestSettings

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS

from studies import naive
from tests.helpers.toys import (
    answer_with,
    awaken,
    build_codec,
    build_head,
    build_in_mmpose,
    make_sample,
    model_config,
    pair_up,
    people,
    plain_sample,
    target_maps,
)

INPUT = (128, 64)  # w, h


def build_model(convention, test_cfg):
    """A narrow network that sees noise as people, and inputs (3, 3, 64, 128) of noise."""
    torch.manual_seed(0)
    config = model_config('six', test_cfg)
    config['head']['decoder']['convention'] = convention
    model = build_in_mmpose(MODELS, config).eval()
    inputs = torch.randn(3, 3, *INPUT[::-1])
    return awaken(model, inputs), inputs


def scaled_by_loops(image, factor):
    """Scale one image (3, h, w): pixel x shows x / factor; sides up to a multiple of 64."""
    h, w = (int(np.ceil(side * factor / 64)) * 64 for side in image.shape[1:])
    return np.array(
        [
            [[naive.bilinear(channel, x / factor, y / factor) for x in range(w)] for y in range(h)]
            for channel in image
        ],
        dtype=np.float32,
    )


def propose_by_loops(model, image, settings):
    """Score maps of one image (averaged over two views), and its (part, pose, r) in map pixels."""
    head, layout = model.head, model.head.layout
    k, flips, part_flips = layout.num_keypoints, layout.flip_indices, layout.part_flip_indices
    plain = torch.from_numpy(image)[None]
    seen = []
    for view in (plain, mirror_inputs(plain, 4)):
        features = model.extract_feat(view)[-1]
        heatmaps, offsets = head([features])
        seen.append(
            (features, heatmaps[0].numpy(), offsets[0].unflatten(0, (len(part_flips), k, 2)))
        )
    (_, heat, _), (_, mirrored_heat, _) = seen
    swaps = [*flips, *(k + i for i in part_flips)]
    average = np.array([(heat[c] + mirrored_heat[swaps[c]][:, ::-1]) / 2 for c in range(len(heat))])
    last, proposals = heat.shape[-1] - 1, []
    for m in range(len(part_flips)):
        for x, y, r in naive.sample_peaks(
            average[k + m], 3, settings['max_per_part'], settings['part_thr']
        ):
            poses = []
            for (features, _, offsets), part, column in (
                (seen[0], m, x),
                (seen[1], part_flips[m], last - x),
            ):
                center = torch.tensor([column, y])
                pose = center - offsets[part, :, :, y, column]
                poses.append(
                    pose - head.refinement(features, pose[None, None], center[None, None])[0, 0]
                )
            back = poses[1][list(flips)] * torch.tensor([-1, 1]) + torch.tensor([last, 0])
            proposals.append((m, ((poses[0] + back) / 2).numpy().astype(float), r))
    return average[:k], proposals


def read_by_loops(maps, factors, k, point, convention):
    """Average of every scale's score map at a point of scale 1; 0 where scale 1 reads nothing."""
    (h, w), (x, y) = maps[0].shape[1:], point
    margin = 0.25 if convention == 'release' else 0
    if convention == 'release' and not (-margin < x < w - margin and -margin < y < h - margin):
        return 0
    if convention == 'paper' and not (0 <= x <= w - 1 and 0 <= y <= h - 1):
        return 0
    values = []
    for factor, score_maps in zip(factors, maps):
        h, w = score_maps.shape[1:]
        at = [min(x * factor, w - 1), min(y * factor, h - 1)]
        if factor != 1:
            at = [max(c, 0) for c in at]
        # Below 0 the release continues the line through the first two pixels.
        columns, rows = (
            [(i, max(1 - abs(c - i), 0)) for i in range(side)] if c >= 0 else [(0, 1 - c), (1, c)]
            for c, side in zip(at, (w, h))
        )
        values.append(
            sum(score_maps[k, j, i] * u * v for i, u in columns if u for j, v in rows if v)
        )
    return np.mean(values)


def find_by_loops(model, image, settings, convention):
    """One image's people: every scale by itself, pooled, scored on all maps, fused."""
    factors = [1, *(factor for factor in settings['scale_factors'] if factor != 1)]
    maps, scales = zip(
        *(
            propose_by_loops(
                model, image if factor == 1 else scaled_by_loops(image, factor), settings
            )
            for factor in factors
        )
    )
    assert all(len(proposals) >= 3 for proposals in scales)
    best = [max(r for _, _, r in proposals) for proposals in scales]
    pooled = [
        (m, pose / factor, r / top * best[0])
        for part in range(6)
        for factor, top, proposals in zip(factors, best, scales)
        for m, pose, r in proposals
        if m == part
    ]
    if convention == 'release':
        pooled.reverse()  # of equal poses, such as those outside the map, the last comes first
    poses = [pose for _, pose, _ in pooled]
    scores = [
        [r * read_by_loops(maps, factors, k, point, convention) for k, point in enumerate(pose)]
        for _, pose, r in pooled
    ]
    order = (
        [np.mean(row) for row in scores] if convention == 'release' else [r for _, _, r in pooled]
    )
    persons = naive.fuse(poses, scores, model.head.layout.sigmas, order)
    return persons, [m for m, _, _ in pooled]


@pytest.mark.parametrize('convention', ['paper', 'release'])
@torch.no_grad()
def test_several_scales_are_the_naive_loop_over_images(convention):
    settings = dict(flip_test=True, scale_factors=[0.5, 1, 1.5], max_per_part=6, part_thr=0.1)
    model, inputs = build_model(convention, settings)
    fusions = []
    model.head.fusion.register_forward_hook(lambda *args: fusions.append(args[-1]))
    found = model.predict(inputs, [plain_sample(INPUT) for _ in inputs])
    (fused,) = fusions
    assert fused.scores.shape == (3, 6 * 3 * 6)
    for i, sample in enumerate(found):
        persons, parts = find_by_loops(model, inputs[i].numpy(), settings, convention)
        persons_found = sample.pred_instances
        assert len(persons_found) == len(persons) >= 5
        for j, (keypoints, scores, score, sources) in enumerate(persons):
            np.testing.assert_allclose(
                persons_found.keypoints[j], 4 * np.array(keypoints), atol=2e-2
            )
            if convention == 'paper':
                scores = np.clip(scores, 0, 1)
            np.testing.assert_allclose(persons_found.keypoint_scores[j], scores, atol=2e-3)
            np.testing.assert_allclose(persons_found.bbox_scores[j], score, atol=2e-3)
            assert persons_found.keypoint_parts[j].tolist() == [parts[s] for s in sources]


@pytest.mark.parametrize('flip_test', [False, True])
@pytest.mark.parametrize('factors', [[1], (1.0,), [1, 0.5]])
@torch.no_grad()
def test_one_scale_is_the_plain_test(factors, flip_test):
    settings = dict(flip_test=flip_test)
    model, inputs = build_model('paper', settings)
    plain = model.predict(inputs, [plain_sample(INPUT) for _ in inputs])
    model.test_cfg = dict(settings, scale_factors=factors)
    for one, other in zip(plain, model.predict(inputs, [plain_sample(INPUT) for _ in inputs])):
        one, other = one.pred_instances, other.pred_instances
        same = len(one) == len(other) and all(
            np.array_equal(one[name], other[name]) for name in one.keys()
        )
        assert same == (len(factors) == 1)


def scale_maps(head, keypoints, factor, strength=1.0):
    """What an ideal network makes of people in the scaled input; their part maps are weakened."""
    size = tuple(int(side * factor) for side in INPUT)
    sample = make_sample(build_codec('three', size), keypoints * factor)
    heatmaps, offsets = target_maps([sample])
    heatmaps[:, head.layout.num_keypoints :] *= strength
    return RawMaps(torch.zeros(1, 12, *heatmaps.shape[2:]), heatmaps, offsets)


def decode_scales(head, scales, factors, **test_cfg):
    settings = TestSettings.from_cfg(dict(scale_factors=factors, use_refinement=False, **test_cfg))
    fused, _ = decode(head, scales, torch.full((1, 2), 4.0), settings)
    return [field[0, fused.kept[0]].numpy() for field in fused.given]


@torch.no_grad()
def test_people_of_one_scale_only_are_found_in_their_place():
    head, everyone = build_head(layers=0), people(4, 5, INPUT)
    scales = [
        scale_maps(head, everyone[:2], 1.0),
        scale_maps(head, everyone[2:], 2.0),
        scale_maps(head, everyone[1:3], 0.5),
    ]
    keypoints, *_ = decode_scales(head, scales, (1, 2, 0.5))
    order = pair_up(keypoints, everyone)
    np.testing.assert_allclose(keypoints[order], everyone, atol=1e-3)


@torch.no_grad()
def test_the_best_of_every_scale_is_as_good_as_that_of_scale_1():
    # One person at each scale, far apart; the other scale's score maps say nothing there.
    head, (first, second) = build_head(layers=0), people(2, 5, INPUT)
    for strength in (0.1, 1.0, 7.0):
        scales = [
            scale_maps(head, first[None], 1.0, 0.6),
            scale_maps(head, second[None], 2.0, 0.6 * strength),
        ]
        keypoints, scores, *_ = decode_scales(head, scales, (1, 2))
        one, other = pair_up(keypoints, np.stack((first, second)))
        best = [maps.heatmaps[0, 5:].max() for maps in scales]
        for row, maps, person, factor in (
            (one, scales[0], first, 1),
            (other, scales[1], second, 2),
        ):
            wanted = [
                best[0] * naive.bilinear(maps.heatmaps[0, k].numpy(), *point) / 2
                for k, point in enumerate(person / 4 * factor)
            ]
            np.testing.assert_allclose(scores[row], wanted, atol=1e-4)
        assert best[1] != best[0]


@torch.no_grad()
def test_a_scale_that_finds_nobody_changes_no_part_score():
    head, everyone = build_head(layers=0), people(2, 5, INPUT)
    nobody = scale_maps(head, everyone[:0], 1.0), scale_maps(head, everyone[:0], 2.0)
    some = scale_maps(head, everyone, 1.0, 0.4), scale_maps(head, everyone, 2.0, 0.4)
    for scales in ((some[0], nobody[1]), (nobody[0], some[1])):
        keypoints, scores, *_ = decode_scales(head, scales, (1, 2))
        np.testing.assert_allclose(keypoints[pair_up(keypoints, everyone)], everyone, atol=1e-3)
        # 0.4 at the best center, and one of two score maps has people.
        assert 0.1 < scores.max() <= 0.2 and np.isfinite(scores).all()
    assert len(decode_scales(head, nobody, (1, 2))[0]) == 0


def test_features_of_every_scale_are_needed():
    head = answer_with(build_head(), torch.zeros(1, 8, 8, 8), torch.zeros(1, 30, 8, 8))
    with pytest.raises(
        ValueError,
        match=r'scale_factors=\(1.0, 0.5\) needs features of 2 scales; '
        'found 1',
    ):
        head.predict(
            [torch.zeros(1, 12, 8, 8)], [plain_sample((32, 32))], dict(scale_factors=(0.5, 1))
        )


@pytest.mark.parametrize(
    'factors',
    [[0.5], [], [1, 1.0], [1, 2, 2], [1, 0], [1, -0.5], [1, float('inf')], [1, '2'], 1, 'all'],
)
def test_wrong_scale_factors_are_refused(factors):
    with pytest.raises(
        ValueError, match='scale_factors must be different positive numbers, 1 among them.*; found'
    ):
        TestSettings.from_cfg(dict(scale_factors=factors))


def test_scale_1_comes_first():
    assert TestSettings.from_cfg(dict(scale_factors=[2, 0.5, 1])).scale_factors == (1, 2, 0.5)
