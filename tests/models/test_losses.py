"""Targets of a batch: whole maps and sparse rows teach the same, and rows are read in place."""

from pinet_mm.conventions.table import CONVENTIONS
from pinet_mm.models.losses import OffsetRows, gather_targets, in_omega, rows_of_maps

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.datasets.transforms.common_transforms import GenerateTarget
from mmpose.registry import MODELS

from studies import naive
from tests.helpers.toys import build_codec, codec_config, make_sample, people, scramble

BATCHES = {  # persons of every picture
    'crowd and few': (14, 2),
    'one': (1,),
    'somebody and nobody': (3, 0),
    'nobody': (0, 0),
}


def crowd(count, seed):
    """People who stand over each other, some keypoints unlabelled; the last has no label."""
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
    rows = gather_targets(samples, num_parts=3).offsets
    assert rows.pixels.shape == (sum(map(len, labels)), 4) and rows.map_shape == (3, 3, 32, 32)
    maps = build_codec().encode(*crowd(3, 0))
    for picture, part, y, x in rows.pixels[: len(labels[0])].tolist():
        assert picture == 0 and maps['areas'][part, y, x] > 0
    assert set(rows.pixels[len(labels[0]) :, 0].tolist()) == {2}
    assert head_learns(samples)


def head_learns(samples):
    return make_head('paper').loss([torch.zeros(3, 12, 32, 32)], samples)['loss_offset'] > 0


# --- rows ----------------------------------------------------------------------------------------


def naive_maps(seed, parts=((0,), (1, 2), (3, 4))):
    maps = naive.encode(*crowd(6, seed), parts, (32, 32), 4)
    return [torch.from_numpy(maps[name]) for name in ('offsets', 'offset_weights', 'areas')]


def test_rows_of_maps_are_the_claimed_pixels():
    offsets, weights, areas = (torch.stack(maps) for maps in zip(naive_maps(0), naive_maps(1)))
    rows = rows_of_maps(offsets, weights, areas)
    assert rows.pixels.tolist() == (areas > 0).nonzero().tolist()
    for i, (picture, part, y, x) in enumerate(rows.pixels.tolist()):
        at = picture, slice(10 * part, 10 * part + 10), y, x
        assert rows.offsets[i].flatten().tolist() == offsets[at].tolist()
        assert rows.weights[i].flatten().tolist() == weights[at].tolist()
        assert rows.areas[i] == areas[picture, part, y, x]


def test_maps_drawn_from_rows():
    offsets, weights, areas = (maps[None] for maps in naive_maps(2))
    rows = rows_of_maps(offsets, weights, areas)
    assert torch.equal(rows.area_maps(), areas)
    assert torch.equal(rows.weight_maps(), weights.view(1, 3, 10, 32, 32).amax(dim=2))


def test_targets_at_centres():
    offsets, weights, areas = (torch.stack(maps) for maps in zip(naive_maps(3), naive_maps(4)))
    rows = rows_of_maps(offsets, weights, areas)
    claimed = [(areas[:, m] > 0).nonzero() for m in range(3)]
    # Two claimed pixels of a picture and part, and a corner where nobody is.
    centres = torch.tensor(
        [
            [
                [x, y]
                for m in range(3)
                for x, y in (
                    *[p[1:].flip(0).tolist() for p in claimed[m] if p[0] == b][:2],
                    (31, 0),
                )
            ]
            for b in range(2)
        ]
    )
    found = rows.at_centres(centres)
    for b, t in np.ndindex(2, 9):
        (x, y), part = centres[b, t].tolist(), t // 3
        for values, maps in zip(found, (offsets, weights)):
            wanted = maps[b, 10 * part : 10 * part + 10, y, x]
            assert values[b, t].flatten().tolist() == wanted.tolist()
    assert (found[1].amax(dim=(2, 3)) > 0).view(2, 3, 3).tolist() == [[[True, True, False]] * 3] * 2


def test_targets_at_centres_of_nobody():
    rows = OffsetRows(
        torch.zeros(0, 4, dtype=torch.long),
        torch.zeros(0, 5, 2),
        torch.zeros(0, 5, 2),
        torch.zeros(0),
        (2, 3, 8, 8),
    )
    offsets, weights = rows.at_centres(torch.ones(2, 6, 2, dtype=torch.long))
    assert offsets.shape == weights.shape == (2, 6, 5, 2)
    assert not offsets.any() and not weights.any()


def test_entries_without_weight_are_left_out():
    predicted, wanted = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[5.0, 6], [7, 8]])
    kept = in_omega(predicted, wanted, torch.tensor([[0.5, 0], [0, 2]]))
    assert [values.tolist() for values in kept] == [[1, 4], [5, 8], [0.5, 2]]


def test_samples_of_people_hold_whole_maps_by_default():
    sample = make_sample(build_codec(), people(2, 5))
    assert sample.gt_fields.offsets.shape == (30, 32, 32)
    assert len(sample.gt_instance_labels) == 0
