"""Peaks and training samples against plain loops over pixels."""

from pinet_mm.method.proposals import (
    Centers,
    ProposalSampler,
    best_pixels,
    find_peaks,
    pool_kernel,
    score_keypoints,
    training_centers,
)
from pinet_mm.method.targets import OffsetTargets
from pinet_mm.models.codec import PINetCodec

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.peaks import approx, random_maps


def targets_in(areas):
    """Offset targets of a batch at the pixels of area maps (B, M, H, W) that are not 0."""
    pixels = areas.nonzero()
    areas = areas[pixels.unbind(1)]
    return OffsetTargets(pixels, torch.zeros(len(areas), 5, 2), torch.ones(len(areas), 5), areas)


def rows(centers, image, part, num_parts):
    """Valid (x, y, score) of one image and part, in the order of the result."""
    xy, scores, valid = (field[image].unflatten(0, (num_parts, -1))[part] for field in centers)
    return [
        (*point, score)
        for point, score, use in zip(xy.tolist(), scores.tolist(), valid.tolist())
        if use
    ]


def image(centers, index):
    return Centers(*(field[index : index + 1] for field in centers))


# --- peaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('max_per_part, threshold', [(30, 0.01), (5, 0.5), (200, -1.0)])
def test_peaks_are_the_naive_loops(seed, max_per_part, threshold):
    maps = random_maps(seed, 2, 3, 11, 14)
    centers = find_peaks(maps, max_per_part, threshold)
    count = min(max_per_part, 11 * 14)
    assert centers.xy_hm.shape == (2, 3 * count, 2)
    assert centers.scores.shape == centers.valid.shape == (2, 3 * count)
    for b, m in np.ndindex(2, 3):
        expected = naive.sample_peaks(maps[b, m].numpy(), 3, max_per_part, threshold)
        assert rows(centers, b, m, 3) == approx(expected)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('most, threshold', [(30, 0.01), (5, 0.5), (200, -1.0)])
def test_without_peaks_the_best_pixels_of_every_part_propose(seed, most, threshold):
    maps = random_maps(seed, 2, 3, 11, 14)
    centers = best_pixels(maps, most, threshold)
    assert centers.xy_hm.shape == (2, 3 * min(most, 11 * 14), 2)
    for b, m in np.ndindex(2, 3):
        pixels = [(x, y, float(score)) for (y, x), score in np.ndenumerate(maps[b, m].numpy())]
        pixels.sort(key=lambda pixel: -pixel[2])
        expected = [pixel for pixel in pixels[:most] if pixel[2] > threshold]
        assert rows(centers, b, m, 3) == approx(expected)


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
    centers = find_peaks(maps, 3, 0.01)
    assert rows(centers, 0, 0, 2) == approx([(17, 4, 0.6), (13, 4, 0.5), (9, 4, 0.4)])
    assert rows(centers, 0, 1, 2) == approx([(1, 4, 0.7), (5, 4, 0.6), (9, 4, 0.5)])


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
    # 2×3 pixels hold fewer centers than asked for.
    assert find_peaks(torch.zeros(2, 3, 2, 3), 30, 0.01).scores.shape == (2, 18)


def test_the_filling_of_a_batch_stays_finite():
    maps = torch.full((1, 2, 8, 8), 0.2)
    maps[0, :, 3, 3] = 1
    peaks, trained = find_peaks(maps, 64, 0.5), training_centers(maps, targets_in(maps == 1), 64)
    for centers, filling in ((peaks, {0, np.float32(0.2)}), (trained, {0})):
        assert centers.valid.sum() == 2
        assert set(centers.scores[~centers.valid].tolist()) == filling
    poses_hm = peaks.xy_hm[:, :, None].expand(-1, -1, 5, -1).float()
    assert score_keypoints(torch.zeros(1, 5, 8, 8), poses_hm, peaks.scores).isfinite().all()


def test_a_batch_gives_what_its_images_give():
    maps, areas = random_maps(9, 3, 3, 12, 10), random_maps(10, 3, 3, 12, 10).round()
    together, trained = find_peaks(maps, 12, 0.6), training_centers(maps, targets_in(areas), 12)
    for i in range(3):
        alone = find_peaks(maps[i : i + 1], 12, 0.6)
        assert all(map(torch.equal, image(together, i), alone))
        alone = training_centers(maps[i : i + 1], targets_in(areas[i : i + 1]), 12)
        assert all(map(torch.equal, image(trained, i), alone))


# --- training samples ----------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('max_per_part', [4, 40])
def test_training_centers_are_the_naive_loops(seed, max_per_part):
    maps = random_maps(seed, 2, 3, 9, 13)
    areas = 500 * (random_maps(seed + 10, 2, 3, 9, 13) > 0.7) * random_maps(seed + 20, 2, 3, 9, 13)
    areas[0, 1] = 0
    centers = training_centers(maps, targets_in(areas), max_per_part)
    for b, m in np.ndindex(2, 3):
        expected = naive.sample_targets(maps[b, m].numpy(), areas[b, m].numpy(), max_per_part)
        assert rows(centers, b, m, 3) == approx(expected)
    assert not centers.valid[0, max_per_part : 2 * max_per_part].any()


def test_training_centers_of_encoded_people(scene, toy_layout):
    encoded = PINetCodec((104, 84), (26, 21), toy_layout).encode(*scene)
    maps, areas = encoded['heatmaps'][5:], encoded['areas']
    targets = targets_in(torch.from_numpy(areas)[None])
    centers = training_centers(torch.from_numpy(maps)[None], targets, 10)
    for m in range(3):
        expected = naive.sample_targets(maps[m], areas[m], 10)
        found = rows(centers, 0, m, 3)
        # Equal values of P* may come in any order.
        assert [row[2] for row in found] == approx([row[2] for row in expected])
        assert all(areas[m, y, x] > 0 and maps[m, y, x] == value for x, y, value in found)
        assert len({row[:2] for row in found}) == len(found)


def test_sampler_is_the_two_functions():
    maps, targets = random_maps(1, 2, 3, 12, 10), targets_in(random_maps(2, 2, 3, 12, 10).round())
    sampler = ProposalSampler(max_train_per_part=7)
    assert all(map(torch.equal, sampler.sample(maps, targets), training_centers(maps, targets, 7)))
    assert all(map(torch.equal, sampler.propose(maps, 5, 0.7), find_peaks(maps, 5, 0.7)))
    assert ProposalSampler().sample(maps, targets).scores.shape == (2, 3 * 40)


@pytest.mark.parametrize('count', [0, -3])
def test_sampler_needs_a_sample(count):
    with pytest.raises(
        ValueError, match=f'max_train_per_part must be a whole number of at least 1; found {count}'
    ):
        ProposalSampler(max_train_per_part=count)
