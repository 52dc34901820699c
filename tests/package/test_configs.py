"""The form of the configs: bases, loops, conventions, evaluation."""

import re

from pinet_mm.models.head import TestSettings
from pinet_mm.runner.settings import allow_no_workers

import pytest
from mmengine.config import Config

from tests.helpers.leaves import (
    LEAVES,
    ROOT,
    codec_of,
    every_leaf,
    load,
    pipelines_of,
    steps_by_type,
)


def test_the_three_published_datasets_have_configs():
    assert {'pinet_hrnet_coco', 'pinet_hrnet_crowdpose', 'pinet_hrnet_ochuman'} <= {
        leaf.stem for leaf in LEAVES
    }


# --- form ----------------------------------------------------------------------------------------


def code_lines(path):
    return [line for line in path.read_text().splitlines() if line and not line.startswith('#')]


@every_leaf
def test_leaves_are_short_and_self_contained(leaf):
    # A recipe of the paper names its bases; protocol B also says what is evaluated.
    published = leaf.stem.split('_')[2].startswith(('coco', 'crowdpose', 'ochuman'))
    limit = 5 if published and 'lite' not in leaf.stem else 15
    assert 2 <= len(code_lines(leaf)) <= limit
    bases = [leaf, *(ROOT / 'configs' / '_base_').glob('*.py')]
    assert [base.name for base in bases if 'mmpose::' in base.read_text()] == []
    assert load(leaf).custom_imports['imports'] == ['pinet_mm']


@pytest.mark.parametrize('path', sorted((ROOT / 'configs').rglob('*.py')), ids=lambda p: p.stem)
def test_no_config_changes_a_list_by_the_place_of_an_item(path):
    assert re.findall(r'\w+\[\d+\]', path.read_text()) == []


@every_leaf
def test_settings_are_known(leaf):
    settings = TestSettings.from_cfg(load(leaf).model.test_cfg)
    # 0.7 is the paper's; the model of photographs looks at two scales.
    oks_thr = 0.5 if leaf.stem.startswith('pinet_lite_photos') else 0.7
    assert (settings.part_thr, settings.max_per_part, settings.oks_thr) == (0.01, 30, oks_thr)
    assert settings.use_fusion


@every_leaf
def test_what_a_test_pipeline_hands_over(leaf):
    cfg = load(leaf)
    assert cfg.data_mode == 'bottomup' and cfg.default_scope == 'mmpose'
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        keys = steps_by_type(loader.dataset.pipeline)['PackPoseInputs']['meta_keys']
        assert {
            'flip_indices',
            'input_size',
            'input_center',
            'input_scale',
            'img_id',
            'id',
            'ori_shape',
        } <= set(keys)
        assert loader.dataset.test_mode and loader.dataset.data_mode == 'bottomup'


@every_leaf
def test_loops_are_complete(leaf):
    # A runner refuses a loader without its loop and evaluator.
    cfg = load(leaf)
    assert {
        'train_cfg',
        'train_dataloader',
        'optim_wrapper',
        'val_cfg',
        'val_dataloader',
        'val_evaluator',
        'test_cfg',
        'test_dataloader',
        'test_evaluator',
    } <= set(cfg)
    assert cfg.train_cfg.max_epochs % cfg.train_cfg.val_interval == 0


@every_leaf
def test_evaluation_neither_suppresses_nor_rescores(leaf):
    cfg = load(leaf)
    for loader, evaluator in (
        (cfg.val_dataloader, cfg.val_evaluator),
        (cfg.test_dataloader, cfg.test_evaluator),
    ):
        assert (evaluator.type, evaluator.nms_mode, evaluator.score_mode) == (
            'CocoMetric',
            'none',
            'bbox' if leaf.stem.endswith('_scores') else 'keypoint',
        )
        assert evaluator.ann_file == loader.dataset.data_root + loader.dataset.ann_file


@every_leaf
def test_convention(leaf):
    cfg = load(leaf)
    release = leaf.stem.endswith('_release')
    official_codec = release or leaf.stem == 'pinet_hrnet-slim_ablation-official'
    assert cfg.codec.convention == ('release' if official_codec else 'paper')
    for pipeline in pipelines_of(cfg.train_dataloader.dataset):
        assert [step['type'] for step in pipeline if 'HSV' not in step['type']] == [
            'LoadImage',
            *['ReleasePersons'] * release,
            'ReleaseCrop' if release else 'RandomCropAffine',
            'RandomInputFlip',
            'GenerateTarget',
            'ReleaseHeatmapMask' if release else 'ValidHeatmapMask',
            'PackPoseInputs',
        ]
    if release:
        persons = steps_by_type(cfg.train_pipeline)['ReleasePersons']
        assert persons['ignored_regions'] == (leaf.stem.split('_')[2] == 'coco')
    flip = steps_by_type(cfg.train_dataloader.dataset.pipeline)['RandomInputFlip']
    assert flip.get('keypoint_stride', 1) == (codec_of(leaf).stride if release else 1)


def test_release_configs_are_their_siblings_but_for_the_pipelines_of():
    names = [leaf for leaf in LEAVES if leaf.stem.endswith('_release')]
    assert {leaf.stem.removesuffix('_release') for leaf in names} == {
        leaf.stem
        for leaf in LEAVES
        if leaf not in names
        and 'ablation' not in leaf.stem
        and 'crowdsynth' not in leaf.stem
        and 'lite' not in leaf.stem
    }
    for leaf in names:
        release = load(leaf).to_dict()
        paper = load(leaf.with_stem(leaf.stem.removesuffix('_release'))).to_dict()
        for cfg in (release, paper):
            cfg['codec'].pop('convention')
            cfg['model']['head']['decoder'].pop('convention')
            for phase in ('train', 'val', 'test'):
                cfg.pop(f'{phase}_pipeline', None)
                cfg[f'{phase}_dataloader']['dataset'].pop('pipeline')
        assert release == paper


def test_workers_can_be_switched_off():
    cfg = Config.fromfile(str(ROOT / 'configs' / 'pinet_hrnet_coco.py'))
    cfg.merge_from_dict({'train_dataloader.num_workers': 0})
    allow_no_workers(cfg)
    assert not cfg.train_dataloader.persistent_workers and cfg.val_dataloader.persistent_workers
