"""Targets of a batch: whole maps and single pixels teach the same, and are read in place."""

from pinet_mm.conventions.table import CONVENTIONS
from pinet_mm.method.proposals import draw_pixels
from pinet_mm.method.targets import OffsetTargets
from pinet_mm.models.losses import (
    gather_targets,
    in_omega,
    offset_loss,
    targets_at,
    targets_of_maps,
)

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.datasets.transforms.common_transforms import GenerateTarget
from mmpose.registry import MODELS

from studies import naive
from tests.helpers.toys import build_codec, codec_config, make_sample, people, scramble

BATCHES = {  # people of every image
    'crowd and few': (14, 2),
    'one': (1,),
    'somebody and nobody': (3, 0),
    'nobody': (0, 0),
}


def crowd(count, seed):
    """People who stand over each other, some keypoints unlabeled; the last has no label."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(45, 75, (count, 1, 2)) + rng.uniform(-30, 30, (count, 5, 2))
    visible = (rng.random((count, 5)) < 0.8).astype(np.float32)
    visible[3:4] = 0
    return keypoints.astype(np.float32), visible, rng.choice([300.0, 500.1, 900.0], count)


def make_head(convention, **options):
    head = MODELS.build(
        dict(
            type='PINetHead',
            in_channels=12,
            decoder=codec_config(convention=convention),
            refinement=dict(type='PoseRefinement', num_layers=1),
            **options,
        )
    )
    return scramble(head)


def losses_and_gradients(head, samples):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(samples), 12, 32, 32, generator=generator).requires_grad_()
    losses = head.loss([features], samples)
    leaves = [features, *head.parameters()]
    return losses, {
        name: torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        for name, loss in losses.items()
    }


# --- sparse and whole ----------------------------------------------------------------------------


@pytest.mark.parametrize('sampler', [None, dict(type='ProposalSampler', max_train_per_part=3)])
@pytest.mark.parametrize('convention', CONVENTIONS)
@pytest.mark.parametrize('counts', BATCHES.values(), ids=BATCHES)
def test_sparse_offsets_teach_the_same(counts, convention, sampler):
    head = make_head(convention, sampler=sampler)
    whole, sparse = (
        [
            make_sample(build_codec(convention=convention, sparse_offsets=flag), *crowd(n, seed))
            for seed, n in enumerate(counts)
        ]
        for flag in (False, True)
    )
    assert 'offsets' in whole[0].gt_fields and 'offsets' not in sparse[0].gt_fields
    wanted, wanted_gradients = losses_and_gradients(head, whole)
    found, found_gradients = losses_and_gradients(head, sparse)
    assert set(found) == {'loss_heatmap', 'loss_offset', 'loss_refine'}
    assert (wanted['loss_offset'] > 0) == (wanted['loss_refine'] > 0) == (sum(counts) > 0)
    for name, loss in wanted.items():
        torch.testing.assert_close(found[name], loss, rtol=1e-6, atol=1e-9)
        for gradient, expected in zip(found_gradients[name], wanted_gradients[name]):
            assert (gradient is None) == (expected is None)
            if expected is not None:
                torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-7)


def test_sparse_offsets_survive_packing_and_collating():
    config = codec_config(sparse_offsets=True)
    items = []
    for seed, count in enumerate((3, 0, 1)):
        keypoints, visible, area = crowd(count, seed)
        results = dict(
            img=np.zeros((128, 128, 3), np.uint8),
            keypoints=keypoints,
            area=area,
            keypoints_visible=visible,
        )
        results = GenerateTarget(encoder=config)(results)
        results['heatmap_mask'] = np.ones((1, 32, 32), dtype=bool)
        items.append(PackPoseInputs()(results))
    samples = pseudo_collate(items)['data_samples']
    labels = [sample.gt_instance_labels for sample in samples]
    assert [len(label) > 0 for label in labels] == [True, False, True]
    targets = gather_targets(samples)
    assert torch.equal(targets.part_heatmaps, targets.heatmaps[:, 5:])
    pixels = targets.offsets.pixels
    assert pixels.shape == (sum(map(len, labels)), 4)
    maps = build_codec().encode(*crowd(3, 0))
    for image, part, y, x in pixels[: len(labels[0])].tolist():
        assert image == 0 and maps['areas'][part, y, x] > 0
    assert set(pixels[len(labels[0]) :, 0].tolist()) == {2}
    assert head_learns(samples)


def head_learns(samples):
    return make_head('paper').loss([torch.zeros(3, 12, 32, 32)], samples)['loss_offset'] > 0


# --- pixels --------------------------------------------------------------------------------------


def naive_maps(seed, parts=((0,), (1, 2), (3, 4))):
    maps = naive.encode(*crowd(6, seed), parts, (32, 32), 4)
    return [torch.from_numpy(maps[name]) for name in ('offsets', 'offset_weights', 'areas')]


def test_targets_of_maps_are_those_of_their_pixels():
    offsets, weights, areas = (torch.stack(maps) for maps in zip(naive_maps(0), naive_maps(1)))
    targets = targets_of_maps(offsets, weights, areas)
    assert targets.pixels.tolist() == (areas > 0).nonzero().tolist()
    for i, (image, part, y, x) in enumerate(targets.pixels.tolist()):
        at = image, slice(10 * part, 10 * part + 10), y, x
        assert targets.offsets[i].flatten().tolist() == offsets[at].tolist()
        assert targets.weights[i].repeat_interleave(2).tolist() == weights[at].tolist()
        assert targets.areas[i] == areas[image, part, y, x]


def test_targets_draw_the_maps_that_they_come_from():
    offsets, weights, areas = (maps[None] for maps in naive_maps(2))
    targets = targets_of_maps(offsets, weights, areas)
    assert torch.equal(draw_pixels(targets.pixels, targets.areas, areas.shape), areas)
    drawn = draw_pixels(targets.pixels, targets.weights[:, 3], areas.shape, elsewhere=7)
    wanted = weights.view(1, 3, 5, 2, 32, 32)[:, :, 3, 0]
    assert torch.equal(drawn, torch.where(areas > 0, wanted, 7))


def test_targets_at_centers():
    offsets, weights, areas = (torch.stack(maps) for maps in zip(naive_maps(3), naive_maps(4)))
    targets = targets_of_maps(offsets, weights, areas)
    owned = [(areas[:, m] > 0).nonzero() for m in range(3)]
    # Two pixels of a person per image and part, and a corner where nobody is.
    centers = torch.tensor(
        [
            [
                [x, y]
                for m in range(3)
                for x, y in (
                    *[p[1:].flip(0).tolist() for p in owned[m] if p[0] == b][:2],
                    (31, 0),
                )
            ]
            for b in range(2)
        ]
    )
    found_offsets, found_weights = targets_at(targets, centers, areas.shape)
    for b, t in np.ndindex(2, 9):
        (x, y), part = centers[b, t].tolist(), t // 3
        at = b, slice(10 * part, 10 * part + 10), y, x
        assert found_offsets[b, t].flatten().tolist() == offsets[at].tolist()
        assert found_weights[b, t].repeat_interleave(2).tolist() == weights[at].tolist()
    somebody = (found_weights.amax(dim=2) > 0).view(2, 3, 3)
    assert somebody.tolist() == [[[True, True, False]] * 3] * 2


def test_targets_at_centers_of_nobody():
    targets = OffsetTargets(
        torch.zeros(0, 4, dtype=torch.long),
        torch.zeros(0, 5, 2),
        torch.zeros(0, 5),
        torch.zeros(0),
    )
    offsets, weights = targets_at(targets, torch.ones(2, 6, 2, dtype=torch.long), (2, 3, 8, 8))
    assert offsets.shape == (2, 6, 5, 2) and weights.shape == (2, 6, 5)
    assert not offsets.any() and not weights.any()


def test_entries_without_weight_are_left_out():
    predicted, wanted = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[5.0, 6], [7, 8]])
    kept = in_omega(predicted, wanted, torch.tensor([0, 0.5]))
    assert [values.tolist() for values in kept] == [[3, 4], [7, 8], [0.5, 0.5]]


def test_the_offset_loss_hands_over_omega():
    samples = [make_sample(build_codec(), *crowd(4, seed)) for seed in (5, 6)]
    offsets, weights, areas = (
        torch.stack([getattr(sample.gt_fields, name) for sample in samples])
        for name in ('offsets', 'offset_weights', 'areas')
    )
    numbers = torch.arange(offsets.numel(), dtype=torch.float64).view_as(offsets)
    found = offset_loss(numbers, gather_targets(samples), lambda *entries: torch.stack(entries))
    omega = weights > 0
    assert 100 < omega.sum() < (areas > 0).sum() * 10
    order = found[0].argsort()
    for row, wanted in zip(found[:, order], (numbers, offsets, weights)):
        assert row.tolist() == wanted[omega].tolist()


def test_samples_of_people_hold_whole_maps_by_default():
    sample = make_sample(build_codec(), people(2, 5))
    assert sample.gt_fields.offsets.shape == (30, 32, 32)
    assert len(sample.gt_instance_labels) == 0
