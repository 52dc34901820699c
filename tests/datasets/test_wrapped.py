"""Datasets and steps in whatever wrappers and under whatever scope."""

from pinet_mm import api
from pinet_mm.datasets.pipelines import set_short_side
from pinet_mm.datasets.wrapped import bare_name, datasets_in, predicting_steps, steps_named
from pinet_mm.errors import InputError

import numpy as np
import pytest
from mmengine.config import Config
from mmpose.datasets.transforms import LoadImage

STEP = dict(type='BottomupResize', input_size=(448, 448))


def wrapped_steps(step):
    """A step in every wrapper that MMCV has."""
    return {
        'plain': [step],
        'Compose': [dict(type='Compose', transforms=[step])],
        'RandomApply': [dict(type='mmcv.RandomApply', transforms=step, prob=0.5)],
        'RandomChoice': [dict(type='RandomChoice', transforms=[[dict(type='A')], [step]])],
        'TransformBroadcaster': [
            dict(type='TransformBroadcaster', transforms=[dict(type='KeyMapper', transforms=step)])
        ],
    }


def wrapped_datasets(dataset):
    """A dataset in every wrapper that MMEngine and MMPose have."""
    return {
        'plain': dataset,
        'RepeatDataset': dict(type='RepeatDataset', times=2, dataset=dataset),
        'ConcatDataset': dict(type='mmengine.ConcatDataset', datasets=[dict(type='A'), dataset]),
        'CombinedDataset': dict(
            type='CombinedDataset',
            pipeline=[],
            datasets=[dict(type='RepeatDataset', dataset=dataset)],
        ),
    }


every_step_wrapper = pytest.mark.parametrize('steps', wrapped_steps({}))
every_dataset_wrapper = pytest.mark.parametrize('wrapper', wrapped_datasets({}))


@pytest.mark.parametrize(
    'kind, name',
    [
        ('LoadImage', 'LoadImage'),
        ('mmpose.LoadImage', 'LoadImage'),
        ('mmcv.transforms.LoadImage', 'LoadImage'),
        (LoadImage, 'LoadImage'),
    ],
)
def test_a_name_without_its_scope(kind, name):
    assert bare_name(dict(type=kind)) == name
    assert bare_name({}) == ''


@every_step_wrapper
@every_dataset_wrapper
@pytest.mark.parametrize('kind', ['BottomupResize', 'mmpose.WholeCentreResize'])
def test_the_short_side_reaches_every_step(kind, wrapper, steps):
    step = dict(STEP, type=kind)
    dataset = dict(type='CocoDataset', pipeline=wrapped_steps(step)[steps])
    settings = wrapped_datasets(dataset)[wrapper]
    set_short_side(settings, 192)
    assert step['input_size'] == (192, 192)
    assert list(steps_named(settings, 'BottomupResize', 'WholeCentreResize')) == [step]


@every_dataset_wrapper
def test_a_dataset_comes_with_the_steps_of_its_samples(wrapper):
    dataset = dict(type='CocoDataset', ann_file='a.json', pipeline=[STEP])
    (found,) = datasets_in(wrapped_datasets(dataset)[wrapper])
    assert found == (dataset, [STEP])


def test_the_steps_of_a_wrapper_follow_those_of_its_datasets():
    first = dict(type='CocoDataset', ann_file='a.json')
    second = dict(type='CocoDataset', ann_file='b.json', pipeline=[dict(type='A')])
    both = dict(type='CombinedDataset', datasets=[first, second], pipeline=[STEP])
    assert list(datasets_in(both)) == [(first, [STEP]), (second, [dict(type='A'), STEP])]


@every_dataset_wrapper
def test_a_model_predicts_by_the_steps_of_its_test_data(wrapper):
    inner = wrapped_datasets(dict(type='CocoDataset', pipeline=[STEP]))[wrapper]
    assert predicting_steps(dict(test_dataloader=dict(dataset=inner))) == [STEP]
    inner['pipeline'] = [dict(type='A')]
    assert predicting_steps(dict(test_dataloader=dict(dataset=inner))) == [dict(type='A')]


def test_a_config_without_steps_to_predict_by_is_refused():
    for dataset in (dict(type='A'), dict(type='ConcatDataset', datasets=[])):
        with pytest.raises(InputError, match='no steps to predict by: test_dataloader.dataset.pi'):
            predicting_steps(dict(test_dataloader=dict(dataset=dataset)))


def test_a_model_whose_test_data_are_wrapped_predicts_by_its_short_side():
    config = Config.fromfile(api.config_path('pinet_lite_photos'))
    config.test_dataloader.dataset = dict(
        type='RepeatDataset', times=1, dataset=config.test_dataloader.dataset
    )
    model = api.load(config, api.shipped_weights('pinet_lite_photos'), 'cpu', short_side=64)
    (found,) = api.predict(model, np.zeros((90, 120, 3), np.uint8))
    assert min(found.metainfo['input_size']) == 64
