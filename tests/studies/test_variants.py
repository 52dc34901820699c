"""The variants of the ablation: what they differ in and what they share; how they are run."""

import json

from pinet_mm.configs import read_config

import numpy as np
import pytest
from mmpose.registry import DATASETS, MODELS

from studies.ablation import testing, variants
from tests.helpers.toys import build_in_mmpose

# The table


def config_of(variant):
    return read_config(variant.config, json.loads(json.dumps(dict(variant.options))))


@pytest.mark.parametrize(
    'name, parts',
    [
        ('one-centre', ('person',)),
        ('three-parts', ('head', 'body', 'leg')),
        ('two-parts', ('head', 'leg')),
    ],
)
def test_variants_differ_in_their_parts(name, parts):
    head = build_in_mmpose(MODELS, config_of(variants.VARIANTS[name]).model).head
    assert head.layout.part_names == parts
    assert head.refinement is not None


def test_variants_share_images_backbone_and_budget():
    configs = [config_of(variant) for variant in variants.VARIANTS.values()]
    for cfg in configs[1:]:
        assert cfg.model.backbone == configs[0].model.backbone
        assert cfg.train_dataloader.dataset.settings == configs[0].train_dataloader.dataset.settings
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg'):
            assert cfg[key] == configs[0][key]
    official, paper = (
        json.dumps(config_of(variants.VARIANTS[name]).to_dict())
        for name in ('release', 'three-parts')
    )
    # Head, dataset and the config's own pipeline and codec.
    assert official.count('"convention": "release"') == 4
    official = official.replace('"convention": "release"', '"convention": "paper"')
    assert official == paper, 'nothing else is varied'
    assert config_of(variants.VARIANTS['three-parts_no-refinement']).model.head.refinement is None


def test_the_backbone_learns_keypoint_heatmaps_alone():
    cfg = config_of(variants.BACKBONE)
    model = build_in_mmpose(MODELS, cfg.model)
    sample = build_in_mmpose(DATASETS, cfg.train_dataloader.dataset)[0]
    batch = model.data_preprocessor(
        dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]), True
    )
    losses = model.loss(**batch)
    assert set(losses) == {'loss_heatmap', 'loss_offset'} and losses['loss_offset'] == 0
    heatmaps = sample['data_samples'].gt_fields.heatmaps
    assert (heatmaps[17] == heatmaps[0]).all()  # the one part's center is the nose itself


@pytest.mark.parametrize('name', ['cid', 'dekr'])
def test_the_baselines_train_on_the_same_images(name):
    cfg = config_of(variants.VARIANTS[name])
    sample = build_in_mmpose(DATASETS, cfg.train_dataloader.dataset)[0]
    other = config_of(variants.VARIANTS['three-parts']).train_dataloader.dataset
    ours = build_in_mmpose(DATASETS, other)[0]
    # Each may be mirrored, independently of the others.
    mirrored = sample['inputs'].flip(2)
    assert any(np.array_equal(ours['inputs'], inputs) for inputs in (sample['inputs'], mirrored))
    assert sample['data_samples'].gt_fields.heatmaps.shape == (18, 32, 32)


def test_ways_of_testing_that_are_known_are_left_out(monkeypatch):
    monkeypatch.setattr(testing.api, 'load', lambda *_, **__: 'model')
    monkeypatch.setattr(testing, '_test', lambda model, changes, data: changes)
    found = testing.test_variant(variants.VARIANTS['cid'], 'file', 0, None, known={'fusion': 1})
    assert found == {'no-flip': dict(flip_test=False)}


def test_what_is_switched_at_test_time():
    def switches(name, seed=0):
        return set(testing.switches_of(variants.VARIANTS[name], seed))

    assert switches('three-parts') == {*variants.SWITCHES, *variants.THRESHOLDS}
    assert switches('three-parts', 1) == switches('one-centre') == set(variants.SWITCHES)
    assert switches('three-parts_no-refinement') == {'fusion', 'nms', 'no-flip'}
    assert switches('cid') == {'fusion', 'no-flip'}
