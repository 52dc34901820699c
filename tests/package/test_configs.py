"""The configs: one codec everywhere, the recipes' numbers, pipelines and models that build."""

import functools
import json
from pathlib import Path

from pinet_mm.models.head import TestSettings
from pinet_mm.runner.settings import allow_no_workers, share_codec

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpose.registry import DATASETS, KEYPOINT_CODECS, METRICS, MODELS, TRANSFORMS

from tests.helpers.toys import COCO_PARTS, CROWDPOSE_PARTS, build_in_mmpose

ROOT = Path(__file__).parents[2]
LEAVES = sorted((ROOT / 'configs').glob('pinet_*.py'))
# What design and paper say of the three datasets, by keypoint index in dataset order.
LIMBS = dict(
    coco=[(5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16)],
    crowdpose=[(0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11)],
)
EDGES = dict(
    coco=LIMBS['coco']
    + [(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (5, 6), (5, 11), (6, 12), (11, 12)],
    crowdpose=LIMBS['crowdpose'] + [(12, 13), (13, 0), (13, 1), (0, 1), (0, 6), (1, 7), (6, 7)],
)
RECIPES = dict(
    crowdpose=dict(
        epochs=300,
        milestones=[200, 260],
        batch=20,
        layers=3,
        min_area=0,
        splits=('trainval', 'test'),
        iou_type='keypoints_crowd',
        use_area=False,
    ),
    ochuman=dict(
        epochs=140,
        milestones=[90, 120],
        batch=10,
        layers=3,
        min_area=1024,
        splits=('val', 'test'),
        iou_type='keypoints',
        use_area=True,
    ),
    coco=dict(
        epochs=140,
        milestones=[90, 120],
        batch=20,
        layers=2,
        min_area=1024,
        splits=('train2017', 'val2017'),
        iou_type='keypoints',
        use_area=True,
    ),
)
PUBLISHED = [
    (leaf, recipe)
    for name, recipe in RECIPES.items()
    for leaf in LEAVES
    if leaf.stem.split('_')[2] == name and 'lite' not in leaf.stem
]
PROTOCOL_B = [leaf for leaf in LEAVES if 'on-ochuman' in leaf.stem]

every_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
every_recipe = pytest.mark.parametrize(
    'leaf, recipe', PUBLISHED, ids=[leaf.stem for leaf, _ in PUBLISHED]
)


@functools.lru_cache
def load(leaf):
    return Config.fromfile(leaf)


@functools.lru_cache
def codec_of(leaf):
    return KEYPOINT_CODECS.build(load(leaf).codec)


def transforms(pipeline):
    return {step['type']: step for step in pipeline}


def pipelines(dataset):
    """All steps that an image may take, of every member of a combined dataset."""
    return (
        [[*member.pipeline, *dataset.pipeline] for member in dataset.datasets]
        if (dataset.type == 'CombinedDataset')
        else [dataset.pipeline]
    )


def crops_of(dataset):
    return [step for pipeline in pipelines(dataset) for step in pipeline if 'Crop' in step['type']]


def test_the_three_published_datasets_have_configs():
    assert {'pinet_hrnet_coco', 'pinet_hrnet_crowdpose', 'pinet_hrnet_ochuman'} <= {
        leaf.stem for leaf in LEAVES
    }


# --- form ----------------------------------------------------------------------------------------


@every_leaf
def test_leaves_are_short_and_self_contained(leaf):
    assert 10 <= len(leaf.read_text().splitlines()) <= 30
    bases = [leaf, *(ROOT / 'configs' / '_base_').glob('*.py')]
    assert [base.name for base in bases if 'mmpose::' in base.read_text()] == []
    assert load(leaf).custom_imports['imports'] == ['pinet_mm']


@every_leaf
def test_one_codec_for_pipeline_and_head(leaf):
    cfg = load(leaf)
    encoder = transforms(cfg.train_dataloader.dataset.pipeline)['GenerateTarget']['encoder']
    assert cfg.model.head.decoder == cfg.codec == encoder
    assert transforms(cfg.train_pipeline)['GenerateTarget']['encoder'] == cfg.codec
    resize = cfg.val_dataloader.dataset.pipeline[1]
    assert resize == cfg.test_dataloader.dataset.pipeline[1] and resize['type'] == (
        'WholeCentreResize' if leaf.stem.endswith('_release') else 'BottomupResize'
    )
    for crop in crops_of(cfg.train_dataloader.dataset):
        assert tuple(crop['input_size']) == tuple(cfg.codec.input_size)
    assert tuple(resize['input_size']) == tuple(cfg.get('test_size', cfg.codec.input_size))


@every_leaf
def test_settings_are_known(leaf):
    settings = TestSettings.from_cfg(load(leaf).model.test_cfg)
    assert (settings.part_thr, settings.max_per_part, settings.oks_thr) == (0.01, 30, 0.7)
    assert settings.use_fusion


@every_leaf
def test_what_a_test_pipeline_hands_over(leaf):
    cfg = load(leaf)
    assert cfg.data_mode == 'bottomup' and cfg.default_scope == 'mmpose'
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        keys = transforms(loader.dataset.pipeline)['PackPoseInputs']['meta_keys']
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
            'keypoint',
        )
        assert evaluator.ann_file == loader.dataset.data_root + loader.dataset.ann_file


@every_leaf
def test_convention(leaf):
    cfg = load(leaf)
    release = leaf.stem.endswith('_release')
    assert cfg.codec.convention == ('release' if release else 'paper')
    for pipeline in pipelines(cfg.train_dataloader.dataset):
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
        persons = transforms(cfg.train_pipeline)['ReleasePersons']
        assert persons['ignored_regions'] == (leaf.stem.split('_')[2] == 'coco')
    flip = transforms(cfg.train_dataloader.dataset.pipeline)['RandomInputFlip']
    assert flip.get('keypoint_stride', 1) == (codec_of(leaf).stride if release else 1)


def test_release_configs_are_their_siblings_but_for_the_pipelines():
    names = [leaf for leaf in LEAVES if leaf.stem.endswith('_release')]
    assert {leaf.stem.removesuffix('_release') for leaf in names} == {
        leaf.stem
        for leaf in LEAVES
        if leaf not in names
        and not leaf.stem.endswith('ablation')
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


# --- numbers of the method and the recipes -------------------------------------------------------


@every_recipe
def test_recipe(leaf, recipe):
    cfg = load(leaf)
    assert cfg.train_cfg.by_epoch and cfg.train_cfg.max_epochs == recipe['epochs']
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=1e-3)
    schedule = cfg.param_scheduler
    assert (schedule.type, schedule.milestones, schedule.gamma, schedule.by_epoch) == (
        'MultiStepLR',
        recipe['milestones'],
        0.1,
        True,
    )
    assert cfg.train_dataloader.batch_size == recipe['batch']
    assert cfg.auto_scale_lr.base_batch_size == 2 * recipe['batch']
    assert cfg.model.head.refinement.num_layers == recipe['layers']
    assert cfg.codec.get('min_area', 0) == recipe['min_area']
    assert cfg.get('sync_bn') is None


@every_recipe
def test_input_and_augmentation(leaf, recipe):
    cfg = load(leaf)
    assert tuple(cfg.codec.input_size) == (512, 512)
    assert tuple(cfg.codec.heatmap_size) == (128, 128)
    assert cfg.codec.sigma == cfg.codec.radius == 2
    (crop,) = (
        build_in_mmpose(TRANSFORMS, step)
        for name, step in transforms(cfg.train_pipeline).items()
        if 'Crop' in name
    )
    assert (crop.scale_factor, crop.shift_factor, crop.rotate_factor) == ((0.75, 1.5), 0.2, 30)
    # The release's crop knows no other.
    assert getattr(crop, 'scale_type', 'short') == 'short'
    flip = build_in_mmpose(TRANSFORMS, transforms(cfg.train_pipeline)['RandomInputFlip'])
    assert (flip.prob, flip.direction) == (0.5, 'horizontal')


@every_recipe
def test_splits_and_evaluation(leaf, recipe):
    cfg = load(leaf)
    train, test = recipe['splits']
    if leaf in PROTOCOL_B:
        test = 'ochuman_coco_format_test'
    assert train in cfg.train_dataloader.dataset.ann_file
    assert test in cfg.test_dataloader.dataset.ann_file
    assert train not in cfg.test_dataloader.dataset.ann_file
    assert cfg.test_evaluator.iou_type == recipe['iou_type']
    assert cfg.test_evaluator.get('use_area', True) == recipe['use_area']
    if train == 'train2017':
        # "More than 10 labelled keypoints in total."
        assert cfg.train_dataloader.dataset.min_keypoints == 11


@pytest.mark.parametrize('leaf', PROTOCOL_B, ids=lambda leaf: leaf.stem)
def test_ochuman_protocol_b_changes_nothing_but_what_is_evaluated(leaf):
    cfg, coco = load(leaf), load(leaf.with_stem(leaf.stem.replace('_on-ochuman', '')))
    for name in (
        'model',
        'codec',
        'train_dataloader',
        'train_cfg',
        'optim_wrapper',
        'param_scheduler',
        'test_pipeline',
    ):
        assert cfg[name] == coco[name], name
    for split in ('val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset.to_dict()
        assert dataset == dict(
            type='OCHumanDataset',
            data_mode='bottomup',
            test_mode=True,
            data_root='data/ochuman/',
            data_prefix=dict(img='images/'),
            pipeline=cfg.test_pipeline,
            ann_file=f'annotations/ochuman_coco_format_{split}_range_0.00_1.00.json',
        )
        assert {**cfg[f'{split}_dataloader'], 'dataset': 0} == {
            **coco.test_dataloader,
            'dataset': 0,
        }


@pytest.mark.parametrize(
    'leaf', [leaf for leaf in LEAVES if 'w48' in leaf.stem], ids=lambda leaf: leaf.stem
)
def test_w48_leaves_differ_from_w32_in_the_width_alone(leaf):
    wide = load(leaf).to_dict()
    w32 = load(leaf.with_stem(leaf.stem.replace('-w48', ''))).to_dict()
    assert '_w48-' in wide['model']['backbone'].pop('init_cfg')['checkpoint']
    assert '_w32-' in w32['model']['backbone'].pop('init_cfg')['checkpoint']
    assert (wide['model']['head'].pop('in_channels'), w32['model']['head'].pop('in_channels')) == (
        720,
        480,
    )
    for stage, widths in dict(
        stage2=(48, 96), stage3=(48, 96, 192), stage4=(48, 96, 192, 384)
    ).items():
        assert wide['model']['backbone']['extra'][stage].pop('num_channels') == widths
        w32['model']['backbone']['extra'][stage].pop('num_channels')
    assert wide == w32


@every_recipe
def test_layout(leaf, recipe):
    layout = codec_of(leaf).layout
    kind = 'crowdpose' if layout.num_keypoints == 14 else 'coco'
    parts = dict(coco=COCO_PARTS, crowdpose=CROWDPOSE_PARTS)[kind]
    assert layout.part_names == ('head', 'body', 'leg')
    assert [sorted(part) for part in layout.parts] == list(parts.values())
    found = {frozenset(edge) for edge in layout.skeleton}
    assert found == {frozenset(edge) for edge in EDGES[kind]}
    assert len(layout.skeleton) == len(EDGES[kind])
    assert layout.part_flip_indices == (0, 1, 2)


@every_leaf
def test_left_and_right_change_places(leaf):
    layout = codec_of(leaf).layout
    swapped = [
        name.replace('left', '?').replace('right', 'left').replace('?', 'right')
        for name in layout.keypoint_names
    ]
    assert [layout.keypoint_names[i] for i in layout.flip_indices] == swapped
    assert sum('left' in name for name in swapped) == (layout.num_keypoints - 1) // 2
    assert len(layout.sigmas) == layout.num_keypoints and max(layout.sigmas) < 0.11


# --- everything builds ---------------------------------------------------------------------------


def write_dataset(dataset, root, k):
    """One picture with one person, where the dataset's config expects it."""
    points = np.random.default_rng(0).uniform(100, 200, (k, 2)).round()
    keypoints = np.concatenate((points, np.full((k, 1), 2)), axis=-1)
    annotation = dict(
        id=1,
        image_id=7,
        category_id=1,
        iscrowd=0,
        area=9000.0,
        num_keypoints=k,
        bbox=[100, 100, 100, 100],
        keypoints=keypoints.flatten().tolist(),
    )
    image = dict(id=7, file_name='7.png', width=300, height=280, crowdIndex=0.5)
    image.update((name, values) for name, values in dataset.get('where', {}).items())
    content = dict(images=[image], annotations=[annotation], categories=[dict(id=1, name='person')])
    for path in (root / dataset.ann_file, root / dataset.data_prefix.img / '7.png'):
        path.parent.mkdir(parents=True, exist_ok=True)
    (root / dataset.ann_file).write_text(json.dumps(content))
    cv2.imwrite(str(root / dataset.data_prefix.img / '7.png'), np.zeros((280, 300, 3), np.uint8))


def build_dataset(config, root, k):
    config = Config(dict(config))
    for number, member in enumerate(config.get('datasets', [config])):
        if member.type != 'CrowdSynthDataset':  # which draws its images
            member.data_root = str(root / str(number))
            write_dataset(member, root / str(number), k)
    return build_in_mmpose(DATASETS, config._cfg_dict)


@every_leaf
def test_training_data_builds(leaf, tmp_path):
    cfg = load(leaf)
    codec = codec_of(leaf)
    k, m, (w, h) = codec.layout.num_keypoints, codec.layout.num_parts, codec.heatmap_size
    dataset = build_dataset(cfg.train_dataloader.dataset, tmp_path, k)
    assert dataset.metainfo['num_keypoints'] == k
    np.testing.assert_array_equal(dataset.metainfo['flip_indices'], codec.layout.flip_indices)
    np.testing.assert_allclose(dataset.metainfo['sigmas'], codec.layout.sigmas)
    np.random.seed(0)
    item = dataset[0]
    assert item['inputs'].shape[1:] == tuple(codec.input_size[::-1])
    fields, labels = item['data_samples'].gt_fields, item['data_samples'].gt_instance_labels
    assert fields.heatmaps.shape == fields.heatmap_weights.shape == (k + m, h, w)
    assert fields.heatmap_mask.shape == (1, h, w) and 'offsets' not in fields
    assert labels.target_offsets.shape == (len(labels), k, 2)
    assert labels.target_weights.shape == (len(labels), k)
    assert labels.target_pixels[:, 0].unique().tolist() == list(range(m))
    assert (labels.target_areas > 0).all()


@every_leaf
def test_test_data_and_metric_build(leaf, tmp_path):
    cfg = load(leaf)
    k = codec_of(leaf).layout.num_keypoints
    dataset = build_dataset(cfg.test_dataloader.dataset, tmp_path, k)
    item = dataset[0]
    # 300 × 280 is enlarged, to a short side of 512 say; sides go up to a multiple of 64.
    short = cfg.get('test_size', cfg.codec.input_size)[0]
    assert item['data_samples'].input_size == (short // 64 * 64 + 64, short)
    assert item['data_samples'].id == [1] and item['data_samples'].img_id == 7
    metric = build_in_mmpose(
        METRICS,
        dict(
            cfg.test_evaluator, ann_file=str(tmp_path / '0' / cfg.test_dataloader.dataset.ann_file)
        ),
    )
    assert metric.iou_type == cfg.test_evaluator.get('iou_type', 'keypoints')


@every_leaf
def test_test_pipeline_runs_from_a_picture_alone(leaf):
    cfg = load(leaf)
    pipeline = Compose(
        [build_in_mmpose(TRANSFORMS, step) for step in cfg.test_dataloader.dataset.pipeline]
    )
    item = pipeline(dict(img=np.zeros((90, 60, 3), np.uint8), img_path='none', flip_indices=[0]))
    w, h = item['data_samples'].input_size
    short = cfg.get('test_size', cfg.codec.input_size)[0]
    assert (w, h) == (short, short * 3 // 2 + -short * 3 // 2 % 64)
    assert {'flip_indices', 'input_center', 'input_scale'} <= set(
        item['data_samples'].metainfo_keys()
    )
    assert tuple(item['inputs'].shape[1:]) == (h, w)


def test_the_whole_w32_model_builds():
    cfg = load(ROOT / 'configs' / 'pinet_hrnet_crowdpose.py')
    assert cfg.model.head.in_channels == 480
    model = build_in_mmpose(MODELS, cfg.model).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
        heatmaps, offsets = model.head(features)
    assert features[-1].shape == (1, 480, 16, 16)
    assert heatmaps.shape == (1, 17, 16, 16) and offsets.shape == (1, 3 * 2 * 14, 16, 16)
    assert len(model.head.refinement.blocks) == 3
    widths = [
        stage.num_channels for stage in (cfg.model.backbone.extra[f'stage{n}'] for n in (2, 3, 4))
    ]
    assert [list(width) for width in widths] == [[32, 64], [32, 64, 128], [32, 64, 128, 256]]


def test_the_whole_w48_model_builds():
    model = build_in_mmpose(MODELS, load(ROOT / 'configs' / 'pinet_hrnet-w48_coco.py').model).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
    # 48, 96, 192 and 384 channels side by side
    assert features[-1].shape == (1, 720, 16, 16)
    assert model.head.score_branch.in_channels == 720 and len(model.head.refinement.blocks) == 2


def test_the_slim_model_builds(tmp_path):
    path = tmp_path / 'slim.py'
    base = ROOT / 'configs' / '_base_'
    path.write_text(
        f"_base_ = ['{base}/pinet_hrnet-slim.py', '{base}/crowdpose.py']\n"
        'model = dict(head=dict(decoder=_base_.codec))\n'
    )
    model = build_in_mmpose(MODELS, load(path).model).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
    assert features[-1].shape[1] == model.head.score_branch.in_channels == 240
    assert len(model.head.refinement.blocks) == 1


def test_one_setting_of_the_codec_reaches_head_and_pipeline():
    leaf = str(ROOT / 'configs' / 'pinet_hrnet_crowdpose.py')
    cfg = Config.fromfile(leaf)
    cfg.merge_from_dict({'codec.layout.parts': 'all', 'codec.sigma': 3})
    share_codec(cfg)
    encoder = transforms(cfg.train_pipeline)['GenerateTarget'].encoder
    loaded = transforms(cfg.train_dataloader.dataset.pipeline)['GenerateTarget'].encoder
    assert encoder.layout.parts != 'all', 'the loader has a copy of its own'
    for codec in (cfg.model.head.decoder, loaded):
        assert codec.sigma == 3 and codec == cfg.codec
        layout = build_in_mmpose(KEYPOINT_CODECS, codec).layout
        assert layout.part_names == ('person',) and layout.parts == (tuple(range(14)),)


def test_workers_can_be_switched_off():
    cfg = Config.fromfile(str(ROOT / 'configs' / 'pinet_hrnet_coco.py'))
    cfg.merge_from_dict({'train_dataloader.num_workers': 0})
    allow_no_workers(cfg)
    assert not cfg.train_dataloader.persistent_workers and cfg.val_dataloader.persistent_workers
