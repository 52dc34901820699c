"""The layout of the model's codec counts, and data that disagree are refused before the run.

Keypoints are the toys' five: head, left_hand, right_hand, left_foot, right_foot.
"""

import copy
from types import SimpleNamespace

from pinet_mm.configs import read_config
from pinet_mm.errors import InputError
from pinet_mm.models.codec import build_layout
from pinet_mm.runner.layout import LayoutGuard, follow_layout

import pytest
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.evaluation.metrics import CocoMetric

from tests.helpers.leaves import LEAVES, every_leaf, load
from tests.helpers.toys import codec_config, five_metainfo


def metainfo(**changes):
    return dict(copy.deepcopy(five_metainfo()), **changes)


def renamed(*names):
    info = metainfo()
    for i, name in enumerate(names):
        info['keypoint_info'][i].update(name=name, swap='')
    info.update(skeleton_info={}, keypoint_info={i: info['keypoint_info'][i] for i in range(5)})
    return info


def config(dataset, evaluator=None, **codec):
    return Config(
        dict(
            model=dict(head=dict(decoder=codec_config(**codec))),
            train_dataloader=dict(dataset=copy.deepcopy(dataset)),
            val_dataloader=dict(dataset=copy.deepcopy(dataset)),
            val_evaluator=evaluator or dict(type='CocoMetric', ann_file='a.json'),
            visualizer=dict(type='CrowdVisualizer'),
        )
    )


def follow(dataset, loader='train_dataloader', **options):
    cfg = config(dataset, **options)
    follow_layout(cfg, loader)
    return cfg


PLAIN = dict(type='CocoDataset', metainfo=five_metainfo())
CONVERTER = dict(type='KeypointConverter', num_keypoints=5, mapping=[(0, 0)])


def test_the_metric_gets_the_sigmas_of_the_layout():
    evaluator = [dict(type='CocoResults'), dict(type='mmpose.CocoMetric', ann_file='a.json')]
    first, second = follow(PLAIN, 'val_dataloader', evaluator=evaluator).val_evaluator
    assert first == dict(type='CocoResults')
    assert second.type == 'LayoutCocoMetric'
    assert second.sigmas == pytest.approx([0.1, 0.05, 0.05, 0.08, 0.08])
    assert second.max_per_part == 30  # a test_cfg's default


def test_metrics_of_other_packages_are_left_alone():
    own = [CocoMetric, 'mmpose.CocoMetric']
    given = ['mmdet.CocoMetric', 'mmdet.evaluation.CocoMetric', *own]
    evaluator = [dict(type=kind, ann_file='a.json') for kind in given]
    found = follow(PLAIN, 'val_dataloader', evaluator=evaluator).val_evaluator
    assert [each.type for each in found] == [*given[:2], *['LayoutCocoMetric'] * len(own)]
    assert ['sigmas' in each for each in found] == [False, False, True, True]


def test_a_config_that_an_earlier_run_has_left_gets_them_anew():
    left = follow(PLAIN, 'val_dataloader').val_evaluator
    left.sigmas = [0.9] * 5
    again = follow(PLAIN, 'val_dataloader', evaluator=left).val_evaluator
    assert again.sigmas == pytest.approx([0.1, 0.05, 0.05, 0.08, 0.08])


def test_poses_that_are_converted_have_the_sigmas_of_the_annotations():
    evaluator = dict(type='CocoMetric', ann_file='a.json', pred_converter=CONVERTER)
    metric = follow(PLAIN, 'val_dataloader', evaluator=evaluator).val_evaluator
    assert metric.type == 'LayoutCocoMetric' and 'sigmas' not in metric


def test_converted_keypoints_are_those_of_the_model():
    converter = dict(CONVERTER, mapping=[(5, 0)])
    evaluator = dict(type='CocoMetric', ann_file='a.json', pred_converter=converter)
    with pytest.raises(InputError, match='pred_converter.mapping must lead from keypoints 0 to 4'):
        follow(PLAIN, 'val_dataloader', evaluator=evaluator)


@pytest.mark.parametrize('sigmas', [[], [0.3] * 5])
def test_other_sigmas_are_told(sigmas, monkeypatch):
    said = []
    monkeypatch.setattr('pinet_mm.runner.layout.print_log', lambda text, *_: said.append(text))
    follow(dict(PLAIN, metainfo=metainfo(sigmas=sigmas)))
    assert said == [
        "train_dataloader: the sigmas of the model's layout count, not those of the data's metainfo"
    ]
    follow(PLAIN)
    assert len(said) == 1


@pytest.mark.parametrize(
    'info, message',
    [
        (
            renamed('head', 'right_hand', 'left_hand', 'left_foot', 'right_foot'),
            'the layout has left_hand as keypoint 1, the data right_hand',
        ),
        (dict(from_file='configs/_base_/datasets/crowdpose.py'), 'has 5 .*, the data 14; '),
        (renamed(), 'the data mirror left_hand to left_hand, the model.* to right_hand'),
    ],
)
@pytest.mark.parametrize('wrapper', [lambda each: each, lambda each: dict(dataset=each)])
def test_data_of_other_keypoints_are_refused(info, message, wrapper):
    if info == renamed():
        for each in info['keypoint_info'].values():
            each['swap'] = ''
    with pytest.raises(InputError, match=f'^train_dataloader: .*{message}'):
        follow(wrapper(dict(PLAIN, metainfo=info)))


def combined(*members, **options):
    return dict(type='CombinedDataset', metainfo=five_metainfo(), datasets=members, **options)


def test_members_may_be_converted():
    other = dict(PLAIN, metainfo=renamed('top', 'a', 'b', 'c', 'd'))
    follow(combined(PLAIN, dict(other, pipeline=[CONVERTER])))
    with pytest.raises(InputError, match='a member without a KeypointConverter: .* the data top'):
        follow(combined(PLAIN, other))
    four = dict(CONVERTER, num_keypoints=4)
    with pytest.raises(InputError, match='must make the 5 keypoints .*num_keypoints=4'):
        follow(combined(dict(other, pipeline=[four])))


def test_a_converter_needs_a_combined_dataset_around():
    # Alone, its dataset would mirror by the source's pairs, and name results after the source.
    with pytest.raises(InputError, match='must be a member of a CombinedDataset that has'):
        follow(dict(PLAIN, pipeline=[CONVERTER]))


def test_an_evaluation_may_convert_the_annotations_instead():
    other = dict(PLAIN, metainfo=renamed('top', 'a', 'b', 'c', 'd'))
    evaluator = dict(type='CocoMetric', ann_file='a.json', gt_converter=CONVERTER)
    follow(other, 'val_dataloader', evaluator=evaluator)
    with pytest.raises(InputError, match='val_dataloader: the keypoints of the data must be'):
        follow(other, 'val_dataloader')


def test_models_without_a_layout_stay():
    cfg = config(dict(PLAIN, metainfo=dict(from_file='configs/_base_/datasets/coco.py')))
    cfg.model.head.decoder = dict(type='SPR')
    follow_layout(cfg, 'train_dataloader', 'val_dataloader')
    assert 'sigmas' not in cfg.val_evaluator and 'layout' not in cfg.visualizer


@pytest.mark.parametrize('leaf', LEAVES)
def test_our_configs_agree_with_themselves(leaf):
    follow_layout(read_config(leaf), 'train_dataloader', 'val_dataloader', 'test_dataloader')


# --- MMPose's own tools --------------------------------------------------------------------------


def runner(meta, **metric):
    """What a hook knows of a runner whose loaders all have this metainfo."""
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=parse_pose_metainfo(meta)))
    evaluator = SimpleNamespace(metrics=[SimpleNamespace(**metric)])
    return SimpleNamespace(
        model=SimpleNamespace(head=SimpleNamespace(layout=build_layout(codec_config()['layout']))),
        **{f'{name}_dataloader': loader for name in ('train', 'val', 'test')},
        **{f'{name}_evaluator': evaluator for name in ('val', 'test')},
    )


def mirrored():
    info = metainfo()
    info['keypoint_info'][3].update(swap='')
    info['keypoint_info'][4].update(swap='')
    return info


@pytest.mark.parametrize('name', ['train', 'val', 'test'])
@pytest.mark.parametrize(
    'meta, said',
    [
        (renamed('head', 'right_hand', 'left_hand', 'left_foot', 'right_foot'), 'as keypoint 1'),
        (mirrored(), 'mirror left_foot to left_foot, the model.s layout to right_foot'),
    ],
)
def test_a_runner_of_mmpose_compares_data_with_the_layout(name, meta, said):
    before = getattr(LayoutGuard(), f'before_{name}')
    before(runner(five_metainfo()))
    with pytest.raises(InputError, match=f'{name}_dataloader: .*{said}'):
        before(runner(meta))
    converting = runner(meta, gt_converter=CONVERTER)
    if name == 'train':
        with pytest.raises(InputError, match=said):
            before(converting)
    else:
        before(converting)


def test_models_without_a_layout_and_data_without_metainfo_are_left_alone():
    other = runner(mirrored())
    other.model = SimpleNamespace()
    LayoutGuard().before_test(other)
    other = runner(mirrored())
    other.test_dataloader.dataset = [1]
    LayoutGuard().before_test(other)


@every_leaf
def test_all_our_configs_have_the_guard(leaf):
    assert [each.type for each in load(leaf).custom_hooks].count('LayoutGuard') == 1


def test_members_of_wrapped_members_are_compared():
    repeated = dict(type='RepeatDataset', times=2, dataset=dict(PLAIN, metainfo=mirrored()))
    combined = dict(type='CombinedDataset', metainfo=five_metainfo(), datasets=[repeated])
    with pytest.raises(InputError, match='a member without a KeypointConverter: the data mirror'):
        follow(combined)
