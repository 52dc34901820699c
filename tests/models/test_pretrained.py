"""Weights of backbones: found by name, by order or in a package; what does not fit is named."""

import sys
from unittest import mock

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.models import TimmBackbone
from pinet_mm.runner import weights

import pytest
import timm
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers import toys
from tests.helpers.timm_networks import FAMILIES, LITE, assert_same_maps, build

# --- weights -------------------------------------------------------------------------------------


def initialized(name, checkpoint, **options):
    prefix = options.pop('prefix', None)
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint), prefix=prefix)
    backbone = build(name, init_cfg=init_cfg, **options)
    weights.fetch_pretrained(backbone)
    backbone.init_weights()
    return backbone


def scrambled(name, **options):
    return toys.scramble(timm.create_model(name, **options), seed=3)


@pytest.mark.parametrize(
    'name, features',
    [
        (LITE, (1, 2, 3, 4)),
        ('resnet18', (1, 2)),
        ('convnext_atto', (0, 1, 2)),
        ('vit_tiny_patch16_224', (1,)),
    ],
)
def test_weights_of_timms_whole_network_are_found_by_name(name, features, tmp_path):
    options = {key: value for key, value in FAMILIES[name].items() if key != 'out_indices'}
    whole = scrambled(name, **options)
    torch.save(whole.state_dict(), tmp_path / 'timm.pth')
    backbone = initialized(name, tmp_path / 'timm.pth', out_indices=features)
    net = timm.create_model(name, features_only=True, out_indices=features, **options)
    own = net.state_dict()
    for key in own:
        old = next(
            each
            for each in (
                key,
                key.replace('stages_', 'stages.'),
                key.replace('stem_', 'stem.'),
                key.removeprefix('model.'),
            )
            if each in whole.state_dict()
        )
        own[key] = whole.state_dict()[old]
    net.load_state_dict(own)
    assert_same_maps(backbone, net)


def other_names(net):
    """What EfficientNet-PyTorch would save of a network: other names, same order, a classifier."""
    state = {
        f'_layers.{i}': value
        for i, (key, value) in enumerate(net.state_dict().items())
        if not key.endswith('num_batches_tracked')
    }
    return dict(
        state,
        _conv_head=torch.zeros(2, 2),
        **{'_bn1.weight': torch.ones(2), '_fc.bias': torch.ones(3)},
    )


def test_weights_with_other_names_are_found_by_order(tmp_path):
    net = scrambled(LITE, features_only=True, out_indices=(1, 2, 3, 4))
    torch.save(other_names(net), tmp_path / 'lite.pth')
    assert_same_maps(initialized(LITE, tmp_path / 'lite.pth'), net)


def test_weights_come_from_an_installed_package(tmp_path, monkeypatch):
    net = scrambled(LITE, features_only=True, out_indices=(1, 2, 3, 4))
    folder = tmp_path / 'toy_lite_model'
    (folder / 'models').mkdir(parents=True)
    (folder / '__init__.py').write_text('raise SystemExit("it is not imported")')
    torch.save(other_names(net), folder / 'models' / 'lite.pth')
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    assert_same_maps(initialized(LITE, 'package:toy_lite_model'), net)
    torch.save({}, folder / 'another.pth')
    with pytest.raises(RunError, match='toy_lite_model must hold one .pth file; found 2'):
        initialized(LITE, 'package:toy_lite_model')
    for name in ('no_such_model', 'no such model'):
        with pytest.raises(RunError, match=f'there is no package {name}: pip install') as error:
            initialized(LITE, f'package:{name}')
        assert '\n' not in str(error.value)


def test_weights_of_a_trained_model_are_found_by_prefix(tmp_path):
    backbone = toys.scramble(build('resnet18'), seed=4)
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    torch.save(dict(state_dict=dict(state, **{'head.weight': torch.ones(1)})), tmp_path / 'a.pth')
    assert_same_maps(initialized('resnet18', tmp_path / 'a.pth', prefix='backbone.'), backbone)


SMALL = dict(out_indices=(1, 2))


@pytest.mark.parametrize('name', ['resnet18', 'convnext_atto', 'vit_tiny_patch16_224'])
@pytest.mark.parametrize('saved_as', ['net.{}', 'backbone.net.{}', 'teacher.model.backbone.net.{}'])
def test_a_backbone_is_found_in_what_was_trained_with_it(name, saved_as, tmp_path):
    # With more maps than are asked for, beside a head whose names end alike.
    whole = toys.scramble(build(name), seed=5)
    state = {saved_as.format(key): value for key, value in whole.net.state_dict().items()}
    if saved_as != 'net.{}':
        state['head.conv1.weight'] = torch.ones(1)
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    fewer = {} if name.startswith('vit') else SMALL
    backbone = initialized(name, tmp_path / 'a.pth', **fewer)
    own = backbone.net.state_dict()
    assert fewer == {} or len(own) < len(whole.net.state_dict())
    for key, value in own.items():
        if not key.endswith('num_batches_tracked'):
            assert torch.equal(value, whole.net.state_dict()[key]), key


def test_a_checkpoint_with_two_backbones_asks_which(tmp_path):
    one, other = (toys.scramble(build('resnet18'), seed=seed) for seed in (5, 6))
    state = {f'student.{key}': value for key, value in one.state_dict().items()}
    state |= {f'teacher.{key}': value for key, value in other.state_dict().items()}
    torch.save(state, tmp_path / 'a.pth')
    message = r'holds the network 2 times, behind student.net., teacher.net.: choose one with init'
    with pytest.raises(RunError, match=message):
        initialized('resnet18', tmp_path / 'a.pth')
    assert_same_maps(initialized('resnet18', tmp_path / 'a.pth', prefix='teacher.'), other)


def test_a_backbone_of_another_depth_is_refused_behind_a_prefix_too(tmp_path):
    # resnet34 has every name and shape of resnet18, and more.
    state = {f'backbone.{key}': value for key, value in build('resnet34').state_dict().items()}
    torch.save(dict(state, **{'neck.weight': torch.ones(1)}), tmp_path / 'a.pth')
    with pytest.raises(RunError, match='unknown backbone.net.layer1.2.bn1.bias') as error:
        initialized('resnet18', tmp_path / 'a.pth')
    assert 'neck' not in str(error.value)


def change(name):
    def add(state):
        state['layer1.2.conv1.weight'] = torch.ones(1)

    def remove(state):
        del state['layer2.0.conv1.weight']

    def reshape(state):
        state['bn1.weight'] = torch.ones(3)

    return dict(add=add, remove=remove, reshape=reshape)[name]


@pytest.mark.parametrize(
    'how, message',
    [
        ('add', r'timm.pth does not fit the network:\n  unknown layer1.2.conv1.weight\n1 keys'),
        ('remove', r'timm.pth does not fit the network:\n  missing layer2.0.conv1.weight\n1 keys'),
        (
            'reshape',
            r'timm.pth does .*:\n  bn1.weight has the shape \(3,\), expected \(64,\)\n1 keys',
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(how, message, tmp_path):
    state = timm.create_model('resnet18').state_dict()
    change(how)(state)
    torch.save(state, tmp_path / 'timm.pth')
    with pytest.raises(RunError, match=message):
        initialized('resnet18', tmp_path / 'timm.pth')
    with pytest.raises(ValueError, match=message):
        build(
            'resnet18', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'timm.pth'))
        ).init_weights()


def test_order_alone_does_not_make_weights_fit(tmp_path):
    state = other_names(timm.create_model(LITE, features_only=True))
    state['_layers.0'] = torch.ones(8, 3, 3, 3)
    torch.save(state, tmp_path / 'lite.pth')
    message = (
        r'conv_stem.weight, by its order _layers.0, has the shape \(8, 3, 3, 3\), '
        r'expected \(32, 3, 3, 3\)'
    )
    with pytest.raises(RunError, match=message):
        initialized(LITE, tmp_path / 'lite.pth')
    del state['_layers.0']
    torch.save(state, tmp_path / 'lite.pth')
    with pytest.raises(RunError, match="its 239 weights have other names than the network's 240"):
        initialized(LITE, tmp_path / 'lite.pth')


def test_only_the_first_names_are_listed(tmp_path):
    torch.save({'conv1.weight': torch.ones(64, 3, 7, 7)}, tmp_path / 'one.pth')
    with pytest.raises(RunError, match='one.pth does not fit') as error:
        initialized('resnet18', tmp_path / 'one.pth')
    lines = str(error.value).splitlines()
    assert lines[1:3] == ['  missing bn1.weight', '  missing bn1.bias'] and len(lines) == 13
    # 20 convolutions and batch norms with four arrays each, but for the one that is there.
    assert lines[11] == '  and 89 more' and lines[12].startswith('99 keys do not fit; ')


def test_timms_own_weights(monkeypatch):
    create, net = (
        timm.create_model,
        scrambled('resnet18', features_only=True, out_indices=(1, 2, 3, 4)),
    )

    def download(name, pretrained=False, **options):
        if not pretrained:
            return create(name, pretrained=False, **options)
        assert (name, options) == (
            'resnet18.a1_in1k',
            dict(features_only=True, out_indices=(1, 2, 3, 4)),
        )
        return net

    monkeypatch.setattr(timm, 'create_model', download)
    assert_same_maps(initialized('resnet18.a1_in1k', 'timm'), net)


def test_no_network_is_one_line(monkeypatch):
    def fail(*_, **__):
        raise FileNotFoundError('cannot find the file. Please check\nyour connection')

    backbone = build('resnet18', init_cfg=dict(type='Pretrained', checkpoint='timm'))
    monkeypatch.setattr(timm, 'create_model', fail)
    with pytest.raises(RunError) as error:
        weights.fetch_pretrained(backbone)
    assert str(error.value) == (
        'model cannot start from its pretrained weights: timm could not download the weights of '
        'resnet18: cannot find the file; give a local copy with --cfg-options '
        'model.init_cfg.checkpoint=/path/to/weights.pth, or start from random weights with '
        '--cfg-options model.init_cfg=None'
    )
    weights.forget_pretrained(backbone)
    weights.fetch_pretrained(backbone)
    backbone.init_weights()


def test_a_network_that_timm_has_no_weights_for_is_named():
    with pytest.raises(RunError, match='timm has no weights for resnet14t'):
        with mock.patch.object(timm, 'is_model_pretrained', lambda _: False):
            initialized('resnet14t', 'timm')


# --- loading -------------------------------------------------------------------------------------


def test_loading_never_downloads(tmp_path, monkeypatch):
    config = Config.fromfile(api.config_path('pinet_lite_photos.py'))
    assert config.model.backbone.init_cfg.checkpoint
    model = toys.build_in_mmpose(MODELS, config.model)
    toys.scramble(model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'lite.pth')
    monkeypatch.setattr(TimmBackbone, 'read_pretrained', None)
    loaded = api.load(config, tmp_path / 'lite.pth', 'cpu')
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key


def test_names_of_the_parameters_are_those_of_shipped_files():
    config = Config.fromfile(api.config_path('pinet_lite_photos.py'))
    state = toys.build_in_mmpose(MODELS, config.model).state_dict()
    assert {
        'backbone.net.conv_stem.weight',
        'backbone.net.bn1.weight',
        'backbone.net.blocks.0.0.conv_dw.weight',
        'backbone.net.blocks.6.0.bn3.running_var',
        'neck.laterals.3.0.weight',
        'neck.laterals.0.1.bias',
        'neck.blocks.0.1.depthwise.weight',
        'neck.blocks.3.0.depthwise_norm.weight',
        'neck.blocks.1.0.pointwise.weight',
        'neck.blocks.2.0.norm.running_mean',
    } <= set(state)
    assert {key.split('.')[0] for key in state} == {'backbone', 'neck', 'head'}
