"""What trains a score: the fused poses of a frozen network, and nothing else of it."""

import copy

from pinet_mm.errors import InputError
from pinet_mm.models.decoding import score_proposals
from pinet_mm.models.losses import Targets
from pinet_mm.models.score_loss import fuse_for_training, gather_people
from pinet_mm.models.test_cfg import TestSettings

import numpy as np
import pytest
import torch
from mmengine.model import convert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData
from mmpose.registry import MODELS

from studies import naive
from tests.helpers.toys import (
    awaken,
    build_in_mmpose,
    make_sample,
    model_config,
    people,
    scramble,
)

SIGMAS = np.array([0.1, 0.05, 0.05, 0.08, 0.08])


def make_sample_of(codec, keypoints, mask=None):
    """A training sample as the pipeline of such a config packs it."""
    area = np.linspace(400, 900, len(keypoints), dtype=np.float32)
    sample = make_sample(codec, keypoints, area=area, mask=mask)
    visible = np.ones(keypoints.shape[:2], dtype=np.float32)
    sample.gt_instances = InstanceData(keypoints=keypoints, keypoints_visible=visible)
    sample.set_metainfo(dict(area=area))
    return sample


def build(layout='three', counts=(3, 0), mask=None, uncertainty=False, **test_cfg):
    """A model with a score, in training, that sees people in noise; inputs and samples."""
    torch.manual_seed(0)
    config = model_config(layout, test_cfg=test_cfg)
    config['head']['refinement'].update(score=dict(hidden=4), uncertainty=uncertainty)
    model = build_in_mmpose(MODELS, config)
    inputs = torch.randn(len(counts), 3, 128, 128)
    awaken(model.eval(), inputs)
    codec = model.head.codec
    samples = [make_sample_of(codec, people(n, 5, seed=n), mask) for n in counts]
    return model.train(), inputs, samples


def remembered(model):
    """The OKS of all poses that the memory of a model holds, and their features."""
    memory = model.head.memory
    return memory.oks[: memory.count].numpy(), memory.pooled[: memory.count].float()


def fused(model, inputs):
    """Fused poses of images, in input pixels, and the features of their best proposals."""
    settings = model.head.check_settings(model.test_cfg)
    maps = [model.head.test_maps(each) for each in model.extract_scales(inputs, settings)]
    poses_in, pooled, kept = fuse_for_training(model.head, maps, settings)
    return [(poses_in[i][kept[i]].numpy(), pooled[i][kept[i]]) for i in range(len(inputs))]


def oks_by_a_loop(poses, sample):
    """OKS of each pose with the person that it is matched with, from the best pair down."""
    keypoints, area = sample.gt_instances.keypoints, sample.metainfo['area']
    inside = ((keypoints >= 0) & (keypoints < 128)).all(axis=-1)
    table = np.zeros((len(poses), len(keypoints)))
    for i, j in np.ndindex(*table.shape):
        terms = [
            np.exp(-((poses[i, k] - keypoints[j, k]) ** 2).sum() / (2 * area[j] * (2 * s) ** 2))
            for k, s in enumerate(SIGMAS)
            if inside[j, k]
        ]
        table[i, j] = np.mean(terms) if terms else 0
    found = np.zeros(len(poses))
    while table.size and table.max() > 0:
        i, j = np.unravel_index(table.argmax(), table.shape)
        found[i], table[i], table[:, j] = table[i, j], 0, 0
    return found


def move_people_to_poses(sample, poses):
    """Let the people of a sample be where the network sees some, a little beside."""
    count = len(sample.gt_instances.keypoints)
    sample.gt_instances.keypoints = poses[:count] + np.float32(1.5)


@pytest.mark.parametrize(
    'layout, test_cfg',
    [('three', {}), ('one', {}), ('three', dict(flip_test=True, scale_factors=(1, 0.5)))],
)
def test_the_loss_is_the_cross_entropy_of_the_oks_of_fused_poses(layout, test_cfg):
    model, inputs, samples = build(layout, **test_cfg)
    shown = fused(model, inputs)
    move_people_to_poses(samples[0], shown[0][0])
    model.loss(inputs, samples)
    wanted = np.concatenate([oks_by_a_loop(poses, s) for (poses, _), s in zip(shown, samples)])
    oks, pooled = remembered(model)
    assert (wanted > 0.3).sum() == 3 and len(wanted) > 10
    np.testing.assert_allclose(oks, wanted, atol=1e-5)
    torch.testing.assert_close(pooled, torch.cat([each for _, each in shown]).half().float())
    # Two poses are drawn over and over: the loss is the mean of theirs.
    memory, score = model.head.memory, model.head.refinement.score.eval()
    memory.draw = lambda number: (pooled[:2].expand(2, -1), torch.tensor([0.25, 0.75]))
    loss = model.loss(inputs, samples)['loss_score']
    expected = score(pooled[:2])
    first = 0.25 * expected[0].log() + 0.75 * (1 - expected[0]).log()
    second = 0.75 * expected[1].log() + 0.25 * (1 - expected[1]).log()
    torch.testing.assert_close(loss, -(first + second) / 2)


def test_it_is_trained_also_where_inference_leaves_it_out():
    losses = []
    for test_cfg in ({}, dict(use_score=False)):
        model, inputs, samples = build(**test_cfg)
        losses.append(model.loss(inputs, samples)['loss_score'].item())
    assert losses[0] == losses[1] > 0


def test_it_is_not_trained_without_refined_poses():
    model, inputs, samples = build(use_refinement=False)
    message = 'refinement.score learns from refined poses: leave out test_cfg.use_refinement=False'
    with pytest.raises(InputError, match=message):
        model.loss(inputs, samples)


def test_the_features_are_those_of_the_best_proposal_of_each_group():
    model, inputs, _ = build(counts=(0, 0))
    maps = model.head.test_maps(model.extract_feat(inputs))
    proposals, scores, _ = score_proposals(model.head, [maps], TestSettings())
    _, pooled, kept = fuse_for_training(model.head, [maps], TestSettings())
    for i in range(2):
        rows = proposals.poses_hm[i], scores[i], proposals.scores[i], proposals.valid[i]
        poses, scores_of, order, valid = (each.tolist() for each in rows)
        groups = naive.fuse(poses, scores_of, SIGMAS, order, valid, merge=False)
        owners = [sources[0] for _, _, _, sources in groups]
        assert owners != list(range(len(owners)))
        torch.testing.assert_close(pooled[i][kept[i]], proposals.pooled[i][owners])


def test_poses_where_nothing_is_labeled_do_not_count():
    mask = np.ones((32, 32), dtype=bool)
    mask[:, 16:] = False
    model, inputs, samples = build(counts=(1, 0), mask=mask)
    shown = fused(model, inputs)
    middle = [(poses.min(axis=1) + poses.max(axis=1)) / 2 / 4 for poses, _ in shown]
    right = [np.clip(each[:, 0].round(), 0, 31) >= 16 for each in middle]
    (first, *_) = np.flatnonzero(right[0])
    move_people_to_poses(samples[0], shown[0][0][[first]])  # one is labeled all the same
    model.loss(inputs, samples)
    oks, _ = remembered(model)
    assert len(oks) == (~right[0]).sum() + (~right[1]).sum() + 1
    assert oks.max() > 0.3 and min(each.sum() for each in right) > 2


def test_only_the_score_learns_and_norms_stay_as_they_are():
    model, inputs, samples = build()
    score = model.head.refinement.score
    assert {name for name, each in model.named_parameters() if each.requires_grad} == {
        f'head.refinement.score.layers.{i}.{kind}' for i in (1, 4) for kind in ('weight', 'bias')
    }
    assert [each for each in model.modules() if each.training] == [model, *score.modules()]
    before = copy.deepcopy(model.state_dict())
    optimizer = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1))
    data = dict(inputs=list(inputs), data_samples=samples)
    losses = model.train_step(data, optimizer)
    assert set(losses) == {'loss', 'loss_score'}
    changed = {name for name, value in model.state_dict().items() if (value != before[name]).any()}
    assert changed == {name for name in before if name.startswith('head.refinement.score.')}
    assert not any(each.training for each in model.eval().modules())


def test_uncertainty_learns_beside_the_score():
    model, inputs, samples = build(uncertainty=True, flip_test=True, scale_factors=(1, 0.5))
    uncertainty, before = model.head.refinement.uncertainty, copy.deepcopy(model.state_dict())
    scramble(uncertainty, seed=2)
    losses = model.loss(inputs, samples)
    assert set(losses) == {'loss_score', 'loss_refine'}
    # That of the plain view at scale 1, as where all learns.
    expected = model.head.loss(model.extract_feat(inputs), samples)['loss_refine']
    torch.testing.assert_close(losses['loss_refine'], expected)
    optimizer = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1))
    model.train_step(dict(inputs=list(inputs), data_samples=samples), optimizer)
    changed = {name for name, value in model.state_dict().items() if (value != before[name]).any()}
    learned = ('head.refinement.score.', 'head.refinement.uncertainty.')
    assert changed == {name for name in before if name.startswith(learned)}


def test_steps_teach_the_score_whom_the_poses_are_of():
    model, inputs, samples = build(counts=(4,))
    shown = fused(model, inputs)
    move_people_to_poses(samples[0], shown[0][0])
    score = scramble(model.head.refinement.score, seed=1)
    optimizer = torch.optim.Adam(score.parameters(), 0.03)
    for _ in range(40):
        optimizer.zero_grad()
        model.loss(inputs, samples)['loss_score'].backward()
        optimizer.step()
    expected = score.eval()(shown[0][1]).detach()
    wanted = oks_by_a_loop(shown[0][0], samples[0])
    assert (wanted > 0.3).sum() >= 3 and (wanted == 0).sum() > 4
    assert expected[wanted > 0.3].mean() > 4 * expected[wanted == 0].mean()


def test_images_without_poses_give_a_loss_of_0_and_gradients():
    model, inputs, samples = build(counts=(0,))
    model.head.part_branch.bias -= 100
    model.loss(inputs, samples)['loss_score'].backward()
    assert all((each.grad == 0).all() for each in model.head.refinement.score.parameters())


def test_a_process_without_poses_answers_the_others(monkeypatch):
    # A synchronized norm waits for all processes: one that skipped it would stop the training.
    model, inputs, samples = build(counts=(0,))
    model.head.part_branch.bias.data -= 100
    model = convert_sync_batchnorm(model, 'torch').train()
    monkeypatch.setattr('pinet_mm.method.refinement._several_processes', lambda: True)
    asked = []

    def forward(self, x):
        asked.append(self.training)
        return x

    monkeypatch.setattr(torch.nn.SyncBatchNorm, 'forward', forward)
    loss = model.loss(inputs, samples)['loss_score']
    loss.backward()
    assert loss == 0 and asked.count(True) == 1
    assert all((each.grad == 0).all() for each in model.head.refinement.score.parameters())


def test_people_are_padded_and_lose_the_labels_outside():
    model, _, samples = build(counts=(2, 1))
    samples[0].gt_instances.keypoints[1, 2] = 130, 5
    samples[1].gt_instances.keypoints_visible[0, 4] = 0
    found = gather_people(samples, (128, 128), torch.device('cpu'))
    assert found.labeled.sum(dim=-1).tolist() == [[5, 4], [4, 0]]
    assert not found.labeled[0, 1, 2] and not found.labeled[1, 0, 4]
    assert found.areas_in.tolist() == [[400, 900], [400, 1]]
    wanted = torch.from_numpy(samples[1].gt_instances.keypoints)
    torch.testing.assert_close(found.keypoints_in[1, :1], wanted)


def test_samples_without_areas_or_people_are_refused():
    _, _, samples = build(counts=(1,))
    del samples[0].area
    with pytest.raises(InputError, match=r"name 'area' among the meta_keys .*; found \['input_c"):
        gather_people(samples, (128, 128), torch.device('cpu'))
    with pytest.raises(InputError, match='leave out --on-device'):
        gather_people(Targets(*[None] * 4), (128, 128), torch.device('cpu'))
