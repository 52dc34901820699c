"""The numbers of the configs: the paper's recipes, protocol B of OCHuman, layouts."""

import pytest
from mmpose.registry import TRANSFORMS

from tests.helpers.leaves import LEAVES, codec_of, every_leaf, load, steps_by_type
from tests.helpers.toys import COCO_PARTS, CROWDPOSE_PARTS, build_in_mmpose

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

every_recipe = pytest.mark.parametrize(
    'leaf, recipe', PUBLISHED, ids=[leaf.stem for leaf, _ in PUBLISHED]
)


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
        for name, step in steps_by_type(cfg.train_pipeline).items()
        if 'Crop' in name
    )
    assert (crop.scale_factor, crop.shift_factor, crop.rotate_factor) == ((0.75, 1.5), 0.2, 30)
    # The release's crop knows no other.
    assert getattr(crop, 'scale_type', 'short') == 'short'
    flip = build_in_mmpose(TRANSFORMS, steps_by_type(cfg.train_pipeline)['RandomInputFlip'])
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
        # "More than 10 labeled keypoints in total."
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
