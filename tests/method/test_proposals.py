"""Peaks, training samples and bilinear reading against plain loops over pixels."""

from pinet_mm.conventions.official import sample_stretched
from pinet_mm.method.proposals import (
    Centres,
    ProposalSampler,
    find_peaks,
    pool_kernel,
    project_offsets,
    read_offsets,
    sample_bilinear,
    sample_pixels,
    score_keypoints,
    training_centres,
)
from pinet_mm.method.targets import OffsetTargets
from pinet_mm.models.codec import PINetCodec

import numpy as np
import pytest
import torch

from studies import naive


def random_maps(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def targets_in(areas):
    """Offset targets of a batch at the pixels of area maps (B, M, H, W) that are not 0."""
    pixels = areas.nonzero()
    areas = areas[pixels.unbind(1)]
    return OffsetTargets(pixels, torch.zeros(len(areas), 5, 2), torch.ones(len(areas), 5), areas)


def rows(centres, picture, part, num_parts):
    """Valid (x, y, score) of one picture and part, in the order of the result."""
    xy, scores, valid = (field[picture].unflatten(0, (num_parts, -1))[part] for field in centres)
    return [
        (*point, score)
        for point, score, use in zip(xy.tolist(), scores.tolist(), valid.tolist())
        if use
    ]


def approx(peaks):
    return [pytest.approx(peak, abs=1e-6) for peak in peaks]


def picture(centres, index):
    return Centres(*(field[index : index + 1] for field in centres))


# --- peaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('max_per_part, threshold', [(30, 0.01), (5, 0.5), (200, -1.0)])
def test_peaks_are_the_naive_loops(seed, max_per_part, threshold):
    maps = random_maps(seed, 2, 3, 11, 14)
    centres = find_peaks(maps, max_per_part, threshold)
    count = min(max_per_part, 11 * 14)
    assert centres.xy_hm.shape == (2, 3 * count, 2)
    assert centres.scores.shape == centres.valid.shape == (2, 3 * count)
    for b, m in np.ndindex(2, 3):
        expected = naive.sample_peaks(maps[b, m].numpy(), 3, max_per_part, threshold)
        assert rows(centres, b, m, 3) == approx(expected)


@pytest.mark.parametrize(
    'h, w, kernel',
    [
        (85, 75, 3),
        (200, 200, 3),
        (128, 272, 3),
        (200, 201, 5),
        (210, 210, 5),
        (300, 300, 5),
        (300, 301, 7),
        (180, 422, 7),
    ],
)
def test_the_window_grows_with_the_map(h, w, kernel):
    assert pool_kernel(h, w) == pool_kernel(w, h) == kernel
    rng = np.random.default_rng(h * w)
    maps = torch.zeros(1, 1, h, w)
    # A dense cluster of random values: who is a peak depends on the window.
    maps[0, 0, 50:80, 30:70] = torch.from_numpy(rng.uniform(0.02, 1, (30, 40)))
    maps[maps < 0.5] = 0
    peaks = naive.sample_peaks(maps[0, 0].numpy(), kernel, 1000, 0.01)
    assert rows(find_peaks(maps, 1000, 0.01), 0, 0, 1) == approx(peaks)
    other = naive.sample_peaks(maps[0, 0].numpy(), {3: 5, 5: 7, 7: 5}[kernel], 1000, 0.01)
    assert len(other) != len(peaks)


@pytest.mark.parametrize('threshold', [0.01, 0.5, 0.0])
def test_a_score_at_the_threshold_is_dropped(threshold):
    maps = torch.zeros(1, 1, 9, 9)
    maps[0, 0, 2, 2], maps[0, 0, 6, 6] = threshold, threshold + 1e-3
    assert [row[:2] for row in rows(find_peaks(maps, 30, threshold), 0, 0, 1)] == [(6, 6)]


def test_the_best_peaks_stay_in_order():
    maps = torch.zeros(1, 2, 9, 20)
    for i in range(5):
        maps[0, 0, 4, 4 * i + 1] = (i + 2) / 10
        maps[0, 1, 4, 4 * i + 1] = (7 - i) / 10
    centres = find_peaks(maps, 3, 0.01)
    assert rows(centres, 0, 0, 2) == approx([(17, 4, 0.6), (13, 4, 0.5), (9, 4, 0.4)])
    assert rows(centres, 0, 1, 2) == approx([(1, 4, 0.7), (5, 4, 0.6), (9, 4, 0.5)])


def test_all_pixels_of_a_plateau_survive():
    maps = torch.zeros(1, 1, 7, 9)
    maps[0, 0, 3, 4:6] = 0.5
    maps[0, 0, 4, 4] = 0.4
    assert sorted(rows(find_peaks(maps, 30, 0.01), 0, 0, 1)) == [(4, 3, 0.5), (5, 3, 0.5)]


def test_peaks_at_the_border_and_below_zero():
    maps = torch.full((1, 1, 5, 6), -2.0)
    maps[0, 0, 0, 5], maps[0, 0, 4, 0] = -1.0, 0.3
    assert rows(find_peaks(maps, 30, 0.01), 0, 0, 1) == approx([(0, 4, 0.3)])
    # Nothing beyond the border is larger than a negative value.
    assert rows(find_peaks(maps, 2, -1.5), 0, 0, 1) == approx([(0, 4, 0.3), (5, 0, -1)])


def test_a_map_without_peaks_proposes_nothing():
    assert not find_peaks(torch.zeros(2, 3, 8, 8), 30, 0.01).valid.any()
    # 2×3 pixels hold fewer centres than asked for.
    assert find_peaks(torch.zeros(2, 3, 2, 3), 30, 0.01).scores.shape == (2, 18)


def test_the_filling_of_a_batch_stays_finite():
    maps = torch.full((1, 2, 8, 8), 0.2)
    maps[0, :, 3, 3] = 1
    peaks, trained = find_peaks(maps, 64, 0.5), training_centres(maps, targets_in(maps == 1), 64)
    for centres, filling in ((peaks, {0, np.float32(0.2)}), (trained, {0})):
        assert centres.valid.sum() == 2
        assert set(centres.scores[~centres.valid].tolist()) == filling
    poses_hm = peaks.xy_hm[:, :, None].expand(-1, -1, 5, -1).float()
    assert score_keypoints(torch.zeros(1, 5, 8, 8), poses_hm, peaks.scores).isfinite().all()


def test_a_batch_gives_what_its_pictures_give():
    maps, areas = random_maps(9, 3, 3, 12, 10), random_maps(10, 3, 3, 12, 10).round()
    together, trained = find_peaks(maps, 12, 0.6), training_centres(maps, targets_in(areas), 12)
    for i in range(3):
        alone = find_peaks(maps[i : i + 1], 12, 0.6)
        assert all(map(torch.equal, picture(together, i), alone))
        alone = training_centres(maps[i : i + 1], targets_in(areas[i : i + 1]), 12)
        assert all(map(torch.equal, picture(trained, i), alone))


# --- training samples ----------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('max_per_part', [4, 40])
def test_training_centres_are_the_naive_loops(seed, max_per_part):
    maps = random_maps(seed, 2, 3, 9, 13)
    areas = 500 * (random_maps(seed + 10, 2, 3, 9, 13) > 0.7) * random_maps(seed + 20, 2, 3, 9, 13)
    areas[0, 1] = 0
    centres = training_centres(maps, targets_in(areas), max_per_part)
    for b, m in np.ndindex(2, 3):
        expected = naive.sample_targets(maps[b, m].numpy(), areas[b, m].numpy(), max_per_part)
        assert rows(centres, b, m, 3) == approx(expected)
    assert not centres.valid[0, max_per_part : 2 * max_per_part].any()


def test_training_centres_of_encoded_persons(scene, toy_layout):
    encoded = PINetCodec((104, 84), (26, 21), toy_layout).encode(*scene)
    maps, areas = encoded['heatmaps'][5:], encoded['areas']
    targets = targets_in(torch.from_numpy(areas)[None])
    centres = training_centres(torch.from_numpy(maps)[None], targets, 10)
    for m in range(3):
        expected = naive.sample_targets(maps[m], areas[m], 10)
        found = rows(centres, 0, m, 3)
        # Equal values of P* may come in any order.
        assert [row[2] for row in found] == approx([row[2] for row in expected])
        assert all(areas[m, y, x] > 0 and maps[m, y, x] == value for x, y, value in found)
        assert len({row[:2] for row in found}) == len(found)


def test_sampler_is_the_two_functions():
    maps, targets = random_maps(1, 2, 3, 12, 10), targets_in(random_maps(2, 2, 3, 12, 10).round())
    sampler = ProposalSampler(max_train_per_part=7)
    assert all(map(torch.equal, sampler.sample(maps, targets), training_centres(maps, targets, 7)))
    assert all(map(torch.equal, sampler.propose(maps, 5, 0.7), find_peaks(maps, 5, 0.7)))
    assert ProposalSampler().sample(maps, targets).scores.shape == (2, 3 * 40)


@pytest.mark.parametrize('count', [0, -3])
def test_sampler_needs_a_sample(count):
    with pytest.raises(ValueError, match=f'max_train_per_part must be at least 1; found {count}'):
        ProposalSampler(max_train_per_part=count)


# --- reading maps --------------------------------------------------------------------------------


@pytest.mark.parametrize('order', [None, (2, 0, 1)])
def test_projected_offsets_are_those_of_the_maps(order):
    features, branch = random_maps(4, 2, 9, 6, 7), torch.nn.Conv2d(9, 3 * 2 * 4, 1)
    xy = torch.stack([torch.randint(size, (2, 15)) for size in (7, 6)], dim=-1)
    with torch.no_grad():
        maps = branch(features)
        found = project_offsets(
            sample_pixels(features, xy),
            branch.weight,
            branch.bias,
            3,
            order and torch.tensor(order),
        )
    for b, t, k, axis in np.ndindex(2, 15, 4, 2):
        x, y = xy[b, t]
        part = (order or range(3))[t // 5]
        assert found[b, t, k, axis] == pytest.approx(
            maps[b, part * 8 + k * 2 + axis, y, x].item(), abs=1e-5
        )


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_sampling_is_that_of_mmcv(memory_format):
    # Its points are fractions of the picture whose pixels have their centres at halves.
    ops = pytest.importorskip('mmcv.ops', reason='mmcv has no operators here')
    maps = random_maps(5, 2, 6, 11, 14).contiguous(memory_format=memory_format)
    points_hm = random_maps(6, 2, 40, 2) * torch.tensor([16.0, 13.0]) - 1.5  # some of them outside
    fractions = (points_hm + 0.5) / torch.tensor([14.0, 11.0])
    wanted = ops.point_sample(maps, fractions, align_corners=False).transpose(1, 2)
    torch.testing.assert_close(sample_bilinear(maps, points_hm), wanted, atol=1e-5, rtol=0)


def test_offsets_are_read_from_the_part_of_the_centre():
    offsets = random_maps(3, 2, 3 * 2 * 4, 6, 7)
    xy = torch.stack([torch.randint(size, (2, 15)) for size in (7, 6)], dim=-1)
    read = read_offsets(offsets, xy, 3)
    assert read.shape == (2, 15, 4, 2)
    for b, t, k, axis in np.ndindex(2, 15, 4, 2):
        x, y = xy[b, t]
        channel = (t // 5) * 8 + 2 * k + axis
        assert read[b, t, k, axis] == offsets[b, channel, y, x]


def test_offsets_can_be_read_from_another_part():
    # Of three parts the first reads its own channels, the others those of the third.
    offsets = random_maps(3, 2, 3 * 2 * 4, 6, 7)
    xy = torch.stack([torch.randint(size, (2, 6)) for size in (7, 6)], dim=-1)
    read = read_offsets(offsets, xy, 3, torch.tensor([0, 2, 2]))
    for b, t, k, axis in np.ndindex(2, 6, 4, 2):
        x, y = xy[b, t]
        channel = (0, 0, 2, 2, 2, 2)[t] * 8 + 2 * k + axis
        assert read[b, t, k, axis] == offsets[b, channel, y, x]


def test_pictures_can_read_different_parts():
    offsets = random_maps(3, 2, 3 * 2 * 4, 6, 7)
    xy = torch.stack([torch.randint(size, (2, 6)) for size in (7, 6)], dim=-1)
    order = torch.tensor([[0, 1, 2], [2, 1, 0]])
    read = read_offsets(offsets, xy, 3, order)
    for b in range(2):
        alone = read_offsets(offsets[b : b + 1], xy[b : b + 1], 3, order[b])
        assert torch.equal(read[b : b + 1], alone)


def test_pixels_of_any_memory_are_read_alike_and_have_gradients():
    maps = random_maps(5, 2, 3, 5, 4).requires_grad_()
    xy = torch.tensor([[[0, 0], [3, 4], [3, 4]], [[1, 2], [3, 0], [0, 4]]])
    weights, grads = torch.arange(18.0).view(2, 3, 3), []
    for each in (maps, maps.contiguous(memory_format=torch.channels_last)):
        read = sample_pixels(each, xy)
        assert torch.equal(read, maps.permute(0, 2, 3, 1)[[[0], [1]], xy[..., 1], xy[..., 0]])
        grads += torch.autograd.grad((read * weights).sum(), maps)
    assert torch.equal(*grads)
    assert grads[0][0, :, 4, 3].tolist() == [3 + 6, 4 + 7, 5 + 8]  # read twice
    assert sample_pixels(maps[:0], xy[:0]).shape == (0, 3, 3)
    assert sample_pixels(maps, xy[:, :0]).shape == (2, 0, 3)


def test_pixels_are_read_as_they_are():
    maps = random_maps(4, 2, 3, 5, 4)
    xy = torch.tensor([[[0, 0], [3, 4]], [[1, 2], [3, 0]]])
    read = sample_pixels(maps, xy)
    assert read.shape == (2, 2, 3)
    for b, t in np.ndindex(2, 2):
        x, y = xy[b, t]
        assert torch.equal(read[b, t], maps[b, :, y, x])


@pytest.mark.parametrize('h, w', [(6, 9), (5, 1), (1, 4), (1, 1)])
def test_bilinear_reading_is_the_naive_loop(h, w):
    rng = np.random.default_rng(h * 10 + w)
    maps = rng.normal(size=(2, 3, h, w))
    points = rng.uniform(-2.5, (w + 1.5, h + 1.5), (2, 4, 10, 2))
    points[:, 0] = np.round(points[:, 0])
    points[0, 1, :6] = [(0, 0), (w - 1, h - 1), (-1, 0), (w, h - 1), (-0.5, 0), (w - 0.5, h - 0.5)]
    read = sample_bilinear(torch.from_numpy(maps), torch.from_numpy(points))
    assert read.shape == (2, 4, 10, 3)
    for b, t, k, c in np.ndindex(2, 4, 10, 3):
        expected = naive.bilinear(maps[b, c], *points[b, t, k])
        assert read[b, t, k, c].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('read', [sample_bilinear, sample_stretched])
@pytest.mark.parametrize('h, w', [(6, 9), (5, 2), (2, 4)])
def test_the_order_in_memory_changes_nothing(read, h, w):
    maps = random_maps(7, 2, 3, h, w)
    points = random_maps(8, 2, 40, 6, 2) * torch.tensor([w + 4, h + 4]) - 2
    points[:, 0], points[0, 1, 0] = points[:, 0].round(), torch.tensor([1e9, -1e30])
    last = maps.contiguous(memory_format=torch.channels_last)
    expected = read(maps, points)
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(read(last, points), expected, atol=2e-6, rtol=0)
    # With gradients both take the way that has them.
    assert torch.equal(read(last.requires_grad_(), points), expected)
    assert torch.equal(
        sample_pixels(last, points[:, 0].long().clamp(0, 0)),
        sample_pixels(maps, points[:, 0].long().clamp(0, 0)),
    )


def test_points_that_are_no_numbers_stay_by_themselves():
    maps = random_maps(7, 1, 3, 6, 5).contiguous(memory_format=torch.channels_last)
    points = torch.full((1, 4, 2), 2.0)
    points[0, 1], points[0, 2, 0], points[0, 3] = np.nan, np.inf, -np.inf
    found = sample_bilinear(maps, points)
    assert torch.equal(found[:, 0], maps[..., 2, 2])
    torch.testing.assert_close(found, sample_bilinear(maps.contiguous(), points), equal_nan=True)


def test_bilinear_reading_by_hand():
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 5.0]]]])
    points = torch.tensor(
        [
            [
                [0, 0],
                [1, 0],
                [0, 1],
                [1, 1],
                [0.5, 0.5],
                [0.25, 0],
                [-0.5, 0],
                [1.5, 1],
                [0, -0.25],
                [1, 1.75],
                [2, 0],
                [-1, -1],
                [40, -7],
            ]
        ]
    )
    expected = [1, 2, 3, 5, 2.75, 1.25, 0.5, 2.5, 0.75, 1.25, 0, 0, 0]
    assert sample_bilinear(maps, points).flatten().tolist() == approx(expected)


def test_no_points_read_nothing():
    maps = random_maps(6, 2, 3, 5, 4)
    assert sample_bilinear(maps, torch.zeros(2, 0, 3, 2)).shape == (2, 0, 3, 3)
    assert score_keypoints(maps, torch.zeros(2, 0, 3, 2), torch.zeros(2, 0)).shape == (2, 0, 3)


def test_bilinear_gradients():
    generator = torch.Generator().manual_seed(5)
    maps = torch.rand(2, 2, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    # Away from whole numbers, where the derivative jumps, but also beyond the border.
    whole = torch.randint(-2, 6, (2, 3, 2, 2), generator=generator)
    points = whole + 0.1 + 0.8 * torch.rand(2, 3, 2, 2, generator=generator, dtype=torch.float64)
    points.requires_grad_()
    assert torch.autograd.gradcheck(sample_bilinear, (maps, points))


@pytest.mark.parametrize('seed', range(3))
def test_keypoint_scores_are_the_naive_loops(seed):
    rng = np.random.default_rng(seed)
    maps, scores = rng.uniform(-0.2, 1, (2, 5, 8, 11)), rng.uniform(0, 1, (2, 6))
    poses = rng.uniform(-1.5, (11.5, 8.5), (2, 6, 5, 2))
    poses[:, 0] = np.round(poses[:, 0])
    found = score_keypoints(*map(torch.from_numpy, (maps, poses, scores)))
    for b, t in np.ndindex(2, 6):
        expected = naive.score(maps[b], poses[b, t], scores[b, t])
        assert found[b, t].tolist() == pytest.approx(expected, abs=1e-12)


def test_keypoint_scores_end_at_the_border():
    maps = torch.ones(1, 8, 4, 6)
    pose = torch.tensor(
        [[0, 0], [5, 3], [0, 3], [-1e-3, 1], [5.001, 1], [2, -1e-3], [2, 3.001], [4.999, 2.999]]
    )
    scores = score_keypoints(maps, pose[None, None], torch.tensor([[0.5]]))
    assert scores[0, 0].tolist() == approx([0.5, 0.5, 0.5, 0, 0, 0, 0, 0.5])


def test_every_keypoint_reads_its_own_score_map():
    maps = torch.arange(1.0, 7.0).view(2, 3, 1, 1).expand(2, 3, 4, 4)
    scores = score_keypoints(maps, torch.ones(2, 2, 3, 2), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert scores.tolist() == [[[1, 2, 3], [2, 4, 6]], [[12, 15, 18], [16, 20, 24]]]
