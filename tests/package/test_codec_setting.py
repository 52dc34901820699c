"""One codec for pipelines, head and network, in every config and with every option."""

import functools
import inspect
import json
import re

from pinet_mm.configs import read_config, share_codec
from pinet_mm.errors import InputError

import numpy as np
import pytest
import torch
from mmengine import runner
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS, MODELS, TRANSFORMS

from tests.helpers.leaves import (
    LEAVES,
    ROOT,
    codec_of,
    every_leaf,
    load,
    pipelines_of,
    steps_by_type,
)
from tests.helpers.toys import build_in_mmpose

BASELINES = sorted({*(ROOT / 'configs').glob('*.py')} - {*LEAVES})


def encoders_of(cfg):
    pipelines = pipelines_of(cfg.train_dataloader.dataset)
    return [steps_by_type(pipeline)['GenerateTarget']['encoder'] for pipeline in pipelines]


def crops_of(cfg):
    steps = (step for pipeline in pipelines_of(cfg.train_dataloader.dataset) for step in pipeline)
    return [step for step in steps if step['type'] in ('RandomCropAffine', 'ReleaseCrop')]


def resizes_of(cfg):
    steps = (
        step
        for loader in (cfg.val_dataloader, cfg.test_dataloader)
        for step in loader.dataset.pipeline
    )
    return [step for step in steps if step['type'] in ('BottomupResize', 'WholeCentreResize')]


# --- the files -----------------------------------------------------------------------------------


@pytest.mark.parametrize('path', [*LEAVES, *BASELINES], ids=lambda path: path.stem)
def test_codec_encoder_and_decoder_are_one(path):
    cfg = load(path)
    for encoder in encoders_of(cfg):
        assert cfg.model.head.decoder == cfg.codec == encoder
    assert steps_by_type(cfg.train_pipeline)['GenerateTarget']['encoder'] == cfg.codec


@every_leaf
def test_crop_and_resize_have_the_input_size_of_the_codec(leaf):
    cfg = load(leaf)
    size = tuple(cfg.codec.input_size)
    crops, resizes = crops_of(cfg), resizes_of(cfg)
    assert len(crops) == len(pipelines_of(cfg.train_dataloader.dataset)) and len(resizes) == 2
    assert {tuple(crop['input_size']) for crop in crops} == {size}
    # One config resizes whole images to another size than that of its crops.
    resized = (512, 512) if leaf.stem == 'pinet_lite_photos' else size
    assert {tuple(resize['input_size']) for resize in resizes} == {resized}


@functools.lru_cache
def network_stride(network):
    """Measure what the network makes of an image of 128×192 pixels, without computing it."""
    with torch.device('meta'):
        modules = [build_in_mmpose(MODELS, each) for each in json.loads(network)]
        maps = torch.zeros(1, 3, 128, 192)
        for module in modules:
            module.eval()
            maps = module(maps)
    h, w = maps[-1].shape[2:]
    assert 128 / h == 192 / w
    return 128 / h


@every_leaf
def test_the_network_has_the_stride_of_the_codec(leaf):
    model = load(leaf).model.to_dict()
    for part in ('backbone', 'neck'):
        model[part].pop('init_cfg', None)
    assert network_stride(json.dumps([model['backbone'], model['neck']])) == codec_of(leaf).stride


def test_the_depth_of_the_refinement_is_that_of_the_dataset():
    for leaf in LEAVES:
        cfg = load(leaf)
        assert cfg.model.head.refinement.num_layers == cfg.refinement.num_layers, leaf.stem


@pytest.mark.parametrize('leaf', [LEAVES[0], LEAVES[-1]], ids=lambda leaf: leaf.stem)
def test_what_a_run_writes_down_is_values_alone(leaf, tmp_path):
    load(leaf).dump(tmp_path / 'dumped.py')
    text = (tmp_path / 'dumped.py').read_text()
    assert not re.search(r'pinet_mm\.|import |<', text)
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == load(leaf).to_dict()


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize('size', [(256, 320), [256, 320]], ids=['tuple', 'list'])
@pytest.mark.parametrize('name', ['pinet_hrnet_coco', 'pinet_lite_coco'])
def test_an_input_size_reaches_encoder_decoder_crop_and_resize(name, size):
    cfg = read_config(name, {'codec.input_size': size})
    assert cfg.codec == cfg.model.head.decoder
    assert encoders_of(cfg) == [cfg.codec]
    assert tuple(cfg.codec.input_size) == (256, 320)
    # The stride stays 4.
    assert tuple(cfg.codec.heatmap_size) == (64, 80)
    assert [step['input_size'] for step in crops_of(cfg) + resizes_of(cfg)] == [(256, 320)] * 3
    for pipeline in (cfg.train_pipeline, cfg.test_pipeline):
        assert steps_by_type(pipeline)[pipeline[1].type].input_size == (256, 320)


def test_an_input_size_reaches_what_training_and_evaluation_compute():
    cfg = read_config('pinet_hrnet_crowdpose', {'codec.input_size': (192, 128)})
    crop, resize = (
        build_in_mmpose(TRANSFORMS, step) for step in (crops_of(cfg)[0], resizes_of(cfg)[0])
    )
    codec = build_in_mmpose(KEYPOINT_CODECS, cfg.model.head.decoder)
    shape = (300, 450)
    image = dict(img=np.zeros((*shape, 3), np.uint8), img_shape=shape, ori_shape=shape)
    assert crop(dict(image))['img'].shape == (128, 192, 3)
    assert (codec.input_size, codec.heatmap_size, codec.stride) == ((192, 128), (48, 32), 4)
    assert resize(dict(image))['img'].shape == (128, 192, 3)


def test_every_member_of_a_merged_dataset_gets_the_input_size():
    cfg = read_config('pinet_lite_photos', {'codec.input_size': (192, 192)})
    assert len(crops_of(cfg)) == 5
    assert {step['input_size'] for step in crops_of(cfg)} == {(192, 192)}
    assert encoders_of(cfg) == [cfg.codec] * 5
    # Whole images keep the size that this config gives them.
    assert {step['input_size'] for step in resizes_of(cfg)} == {(512, 512)}


def test_a_dumped_config_takes_options_as_its_file_does(tmp_path):
    load(LEAVES[0]).dump(tmp_path / 'dumped.py')
    options = {'codec.input_size': (256, 256)}
    dumped, file = read_config(tmp_path / 'dumped.py', options), read_config(LEAVES[0], options)
    assert dumped.to_dict() == file.to_dict()
    assert read_config(dumped).to_dict() == file.to_dict(), 'reading twice changes nothing'


@pytest.mark.parametrize('size', [(100, 99), (0, 128), (128,), 128, (128.0, 128.0)])
def test_an_input_size_that_does_not_fit_is_refused(size):
    message = r'codec.input_size must be \(w, h\) in pixels, multiples of the stride 4 .*; found '
    with pytest.raises(InputError, match=message + re.escape(repr(size))):
        read_config('pinet_hrnet_coco', {'codec.input_size': size})


def test_a_stride_that_is_not_the_networks_is_refused():
    cfg = read_config('pinet_hrnet-slim_crowdsynth', {'codec.heatmap_size': (16, 16)})
    assert encoders_of(cfg) == [cfg.model.head.decoder]
    message = 'the codec has stride 8 .*, and the last map of FeatureMapProcessor has 4'
    with pytest.raises(ValueError, match=message):
        build_in_mmpose(MODELS, cfg.model)


def test_one_setting_of_the_codec_reaches_head_and_pipeline():
    leaf = ROOT / 'configs' / 'pinet_hrnet_crowdpose.py'
    cfg = Config.fromfile(leaf)
    cfg.merge_from_dict({'codec.layout.parts': 'all', 'codec.sigma': 3})
    assert [encoder.sigma for encoder in encoders_of(cfg)] == [2], 'the loader has its own copy'
    share_codec(cfg)
    for codec in (cfg.model.head.decoder, *encoders_of(cfg)):
        assert codec.sigma == 3 and codec == cfg.codec
        layout = build_in_mmpose(KEYPOINT_CODECS, codec).layout
        assert layout.part_names == ('person',) and layout.parts == (tuple(range(14)),)


def test_a_config_that_is_handed_over_and_its_options_stay_as_they_are():
    cfg = Config.fromfile(ROOT / 'configs' / 'pinet_hrnet_crowdpose.py')
    parts = dict(_delete_=True, head=['neck'])
    options = {'codec.layout.parts': parts}
    changed = read_config(cfg, options)
    assert changed.model.head.decoder.layout.parts == dict(head=['neck'])
    assert cfg.to_dict() == load(ROOT / 'configs' / 'pinet_hrnet_crowdpose.py').to_dict()
    assert parts == dict(_delete_=True, head=['neck'])


def test_configs_without_a_codec_are_left_alone():
    cfg = Config(dict(model=dict(type='PINet', head=None), codec=None, train_pipeline=[]))
    before = cfg.to_dict()
    assert read_config(cfg).to_dict() == before


@pytest.mark.parametrize(
    'option, setting',
    [
        ('model.head.decoder.sigma', 'codec.sigma'),
        ('model.head.decoder.layout.parts', 'codec.layout.parts'),
        ('train_pipeline.3.encoder.sigma', 'codec.sigma'),
        ('train_dataloader.dataset.pipeline.3.encoder.radius', 'codec.radius'),
    ],
)
def test_a_copy_of_the_codec_is_refused_as_an_option(option, setting):
    message = f'{option} is a copy of the codec of the config: set {setting} instead'
    with pytest.raises(InputError, match=f'^{re.escape(message)}$'):
        read_config('pinet_hrnet_crowdpose', {option: 3})


def test_a_copy_of_the_codec_is_refused_in_nested_options():
    with pytest.raises(InputError, match='^model.head.decoder.sigma is a copy of the codec'):
        read_config('pinet_hrnet_crowdpose', {'model': {'head': {'decoder': {'sigma': 3}}}})


@pytest.mark.parametrize(
    'name, convention, made_for',
    [('pinet_hrnet_coco', 'release', 'paper'), ('pinet_hrnet_coco_release', 'paper', 'release')],
)
def test_the_convention_is_not_changed_behind_the_pipelines(name, convention, made_for):
    message = (
        f'codec.convention is {convention!r}, but the pipelines and the head of the config are '
        f'made for {made_for!r}: take a config of the other kind, *.py or *_release.py'
    )
    with pytest.raises(InputError, match=f'^{re.escape(message)}$'):
        read_config(name, {'codec.convention': convention})
    same = read_config(name, {'codec.convention': made_for})
    assert same.to_dict() == load(ROOT / 'configs' / f'{name}.py').to_dict()


# --- names that nothing reads --------------------------------------------------------------------


@pytest.mark.parametrize(
    'option', ['modle.test_cfg.flip_test', 'flip_test', 'test_cfgs.flip_test', 'Model.flip_test']
)
def test_an_option_that_nothing_reads_is_refused_with_the_nearest_names(option):
    message = f'the config has no setting {option}; did you mean .*model.test_cfg.flip_test'
    with pytest.raises(InputError, match=f'^{message}'):
        read_config('pinet_hrnet_crowdpose', {option: False})


@pytest.mark.parametrize(
    'option, variable, settings',
    [
        ('data_root', 'data_root', 'test_dataloader.dataset.data_root'),
        ('refinement.num_layers', 'refinement', 'model.head.refinement.num_layers'),
        ('layout.parts', 'layout', 'codec.layout.parts.leg'),
        (
            'test_pipeline.1.resize_mode',
            'test_pipeline',
            'val_dataloader.dataset.pipeline.1.resize_mode',
        ),
    ],
)
def test_a_variable_of_the_file_is_refused_with_the_settings_made_of_it(option, variable, settings):
    message = f'{option} would change nothing: only the config file itself uses {variable}; did '
    with pytest.raises(InputError, match=f'^{message}you mean .*{settings}'):
        read_config('pinet_hrnet_crowdpose', {option: 3})


def test_an_option_that_resembles_nothing_is_refused_without_a_guess():
    with pytest.raises(InputError, match='^the config has no setting qqqqqqqq$'):
        read_config('pinet_hrnet_crowdpose', {'qqqqqqqq': 1})


def test_options_that_the_runner_reads_need_not_be_in_the_file():
    bare = Config(dict(model=dict(type='PINet')))
    # All that MMEngine's runner asks a config for.
    names = set(re.findall(r"\bcfg\.get\(\s*'(\w+)'", inspect.getsource(runner.Runner.from_cfg)))
    names |= set(re.findall(r"self\.cfg\.get\(\s*'(\w+)'", inspect.getsource(runner.Runner)))
    assert len(names) > 25
    for name in names:
        assert read_config(bare, {name: None})[name] is None


def test_an_option_may_be_named_as_a_group_elsewhere():
    cfg = read_config('pinet_hrnet_crowdpose', {'default_hooks.foo.model': 3})
    assert cfg.default_hooks.foo.model == 3


def test_options_may_add_below_a_setting():
    cfg = read_config(
        'pinet_hrnet_crowdpose', {'model.test_cfg.extra.deep': 1, 'codec.min_area': 4}
    )
    assert cfg.model.test_cfg.extra.deep == 1 and cfg.model.head.decoder.min_area == 4
