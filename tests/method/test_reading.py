"""Reading maps at pixels and between them: offsets, features, keypoint scores."""

from pinet_mm.conventions.official import sample_stretched
from pinet_mm.method import reading
from pinet_mm.method.proposals import project_offsets, read_offsets, score_keypoints
from pinet_mm.method.reading import sample_bilinear, sample_pixels

import numpy as np
import pytest
import torch

from studies import naive
from tests.helpers.peaks import approx, random_maps


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
    # Its points are fractions of the image whose pixels have their centers at halves.
    ops = pytest.importorskip('mmcv.ops', reason='mmcv has no operators here')
    maps = random_maps(5, 2, 6, 11, 14).contiguous(memory_format=memory_format)
    points_hm = random_maps(6, 2, 40, 2) * torch.tensor([16.0, 13.0]) - 1.5  # some of them outside
    fractions = (points_hm + 0.5) / torch.tensor([14.0, 11.0])
    wanted = ops.point_sample(maps, fractions, align_corners=False).transpose(1, 2)
    torch.testing.assert_close(sample_bilinear(maps, points_hm), wanted, atol=1e-5, rtol=0)


def test_offsets_are_read_from_the_part_of_the_center():
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


def test_images_can_read_different_parts():
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


def test_a_torch_that_does_not_tell_exports_reads_the_same(monkeypatch):
    # Before torch 2.7.
    maps = random_maps(7, 1, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    points_hm = torch.tensor([[[1.5, 2.0], [0.0, 3.0]]])
    wanted = sample_bilinear(maps, points_hm), sample_pixels(maps, points_hm.long())
    monkeypatch.delattr(torch.compiler, 'is_exporting', raising=False)
    monkeypatch.setattr(reading, '_TELLS_EXPORTS', False)
    found = sample_bilinear(maps, points_hm), sample_pixels(maps, points_hm.long())
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


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
