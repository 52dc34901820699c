"""timm's networks as backbones: maps, freezing, weights, padding, and the fit with the rest."""

import copy
import sys
from unittest import mock

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.models import TimmBackbone, pretrained, shapes
from pinet_mm.models.norms import fuse_norms
from pinet_mm.models.padding import ConstantSameConv2d, make_padding_constant
from pinet_mm.runner import weights

import pytest
import timm
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from timm.layers import Conv2dSame
from torch import nn

from tests.helpers import toys

ALL = (0, 1, 2, 3)
LITE = 'tf_efficientnet_lite0'
# A network of each family, and what it needs.
FAMILIES = {
    LITE: {},
    'efficientnet_lite0': {},
    'mobilenetv4_conv_small': {},
    'convnext_atto': dict(out_indices=ALL),
    'repvit_m0_9': dict(out_indices=ALL),
    'hrnet_w18_small': {},
    'resnet18': {},
    'xception41': {},  # maps from inside of blocks
    'swin_tiny_patch4_window7_224': dict(
        out_indices=ALL, strict_img_size=False, depths=(1, 1, 1, 1)
    ),  # (B, H, W, C)
    'vit_tiny_patch16_224': dict(out_indices=(1,), dynamic_img_size=True),
    'vit_small_patch16_dinov3': dict(out_indices=(0,)),
}


def build(name, **options):
    torch.manual_seed(0)
    return TimmBackbone(name, **{**FAMILIES.get(name, {}), **options})


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


# --- maps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', FAMILIES)
def test_maps_are_channels_first_with_the_channels_and_strides_that_are_told(name):
    backbone = build(name).eval()
    with torch.no_grad():
        feats = backbone(noise(2, 3, 64, 96))
    assert [feat.shape for feat in feats] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]


def test_values_are_those_of_timm():
    backbone = build('swin_tiny_patch4_window7_224').eval()
    images = noise(1, 3, 64, 64)
    with torch.no_grad():
        for feat, plain in zip(backbone(images), backbone.net(images), strict=True):
            assert torch.equal(feat, plain.movedim(3, 1))


def test_options_pass_through():
    rates = [
        module.drop_prob
        for module in build(LITE, drop_path_rate=0.1).modules()
        if type(module).__name__ == 'DropPath'
    ]
    assert rates and max(rates) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(model_name='resnet81'), "timm .* has no network 'resnet81'; similar names: resnet18"),
        (dict(model_name='resnet18.a9_in1k'), r'similar names: resnet18\.a1_in1k'),
        (dict(model_name=7), 'has no network 7; similar names: none'),
        (
            dict(out_indices=(1, 9)),
            r'out_indices must be below 5, the number of feature maps of resnet'
            r'18; found \(1, 9\)',
        ),
        (
            dict(model_name='convnext_atto'),
            'must be below 4, the number of feature maps of convnext',
        ),
        (
            dict(model_name='vit_tiny_patch16_224', out_indices=(99,)),
            r'cannot build vit_tiny_patch16_224 .*index 99 is out of range \(0 to 11\)',
        ),
        (
            dict(out_indices=(3, 1)),
            r'ascending integers from 0, without repetition; found \(3, 1\)',
        ),
        (dict(out_indices=()), r'out_indices must be ascending .*found \(\)'),
        (dict(out_indices=4), 'out_indices must be ascending .*found 4'),
        (dict(out_indices=(True, 2)), r'out_indices must be ascending .*found \(True, 2\)'),
        (dict(nonsense=1), "timm cannot build resnet18 .*unexpected keyword argument 'nonsense'"),
        (dict(frozen_stages=5), 'frozen_stages must be at most 4, the stages of resnet18; found 5'),
        (dict(frozen_stages=-2), 'frozen_stages must be an integer from -1; found -2'),
        (dict(frozen_stages=True), 'frozen_stages must be an integer from -1; found True'),
        (
            dict(model_name='densenet121', frozen_stages=0),
            'frozen_stages=0 needs stages, of which densenet121 has none by name; found features_',
        ),
        (dict(norm_eval=1), 'norm_eval must be True or False; found 1'),
        (
            dict(init_cfg='timm'),
            r"init_cfg must be None or dict\(type='Pretrained', .*found 'timm'",
        ),
        (dict(init_cfg=dict(type='Normal')), 'init_cfg must be None or dict'),
        (
            dict(pretrained=True),
            'pretrained is no option of TimmBackbone: init_cfg names the weights',
        ),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TimmBackbone(**dict(dict(model_name='resnet18'), **options))


def test_a_network_without_feature_maps_is_refused():
    name = 'levit_128s'
    with mock.patch.object(timm, 'create_model', side_effect=RuntimeError('features_only not imp')):
        with pytest.raises(ValueError, match=f'cannot build {name} for its feature maps: features'):
            TimmBackbone(name)


# --- freezing ------------------------------------------------------------------------------------

FROZEN = [
    (LITE, 3, ['conv_stem', 'bn1', 'blocks.0', 'blocks.1', 'blocks.2']),
    (LITE, 0, ['conv_stem', 'bn1']),
    ('resnet18', 1, ['conv1', 'bn1', 'layer1']),
    ('convnext_atto', 2, ['stem_0', 'stem_1', 'stages_0', 'stages_1']),
    (
        'hrnet_w18_small',
        2,
        ['conv1', 'bn1', 'conv2', 'bn2', 'layer1', 'transition1', 'stage2', 'transition2'],
    ),
    (
        'vit_tiny_patch16_224',
        1,
        ['model.cls_token', 'model.pos_embed', 'model.patch_embed', 'model.blocks.0'],
    ),
    ('xception41', 1, ['stem_0', 'stem_1', 'blocks_0']),
]


@pytest.mark.parametrize('name, stages, parts', FROZEN)
def test_stem_and_stages_are_frozen(name, stages, parts):
    backbone = build(name, frozen_stages=stages).train()
    frozen = [key for key, value in backbone.net.named_parameters() if not value.requires_grad]
    assert frozen == [
        key
        for key, _ in backbone.net.named_parameters()
        if any(f'{key}.'.startswith(f'{part}.') for part in parts)
    ]
    assert 0 < len(frozen) < len(list(backbone.parameters()))
    for key, module in backbone.net.named_modules():
        inside = any(f'{key}.'.startswith(f'{part}.') for part in parts)
        if isinstance(module, nn.BatchNorm2d):
            assert module.training is not inside, key


def test_all_stages_can_be_frozen_and_none():
    assert not any(value.requires_grad for value in build('resnet18', frozen_stages=4).parameters())
    assert all(value.requires_grad for value in build('resnet18').parameters())


def test_norms_can_keep_their_statistics():
    for keep in (True, False):
        backbone = build('resnet18', norm_eval=keep).train()
        norms = [each for each in backbone.modules() if isinstance(each, nn.BatchNorm2d)]
        assert {norm.training for norm in norms} == {not keep}
        assert all(norm.weight.requires_grad for norm in norms)
        before = norms[0].running_mean.clone()
        backbone(noise(2, 3, 64, 64) + 1)
        assert torch.equal(before, norms[0].running_mean) is keep
    assert not backbone.eval().training


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


def assert_same_maps(backbone, net):
    with torch.no_grad():
        for one, other in zip(
            backbone.eval()(noise(1, 3, 64, 64)), net.eval()(noise(1, 3, 64, 64)), strict=True
        ):
            torch.testing.assert_close(one, other)


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
        ('add', r'timm.pth has weights of another network: layer1.2.conv1.weight'),
        ('remove', r'timm.pth lacks weights of the network: layer2.0.conv1.weight\)'),
        (
            'reshape',
            r'timm.pth has weights of another shape: bn1.weight \(3,\) in place of \(64,\)',
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(how, message, tmp_path):
    state = timm.create_model('resnet18').state_dict()
    change(how)(state)
    torch.save(state, tmp_path / 'timm.pth')
    with pytest.raises(RunError, match=message):
        initialized('resnet18', tmp_path / 'timm.pth')
    with pytest.raises(ValueError, match=message.rstrip('\\)')):
        build(
            'resnet18', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'timm.pth'))
        ).init_weights()


def test_order_alone_does_not_make_weights_fit(tmp_path):
    state = other_names(timm.create_model(LITE, features_only=True))
    state['_layers.0'] = torch.ones(8, 3, 3, 3)
    torch.save(state, tmp_path / 'lite.pth')
    message = (
        r'other names, and in their order weights of another shape: _layers.0 \(8, 3, 3, 3\)'
        r' in place of conv_stem.weight \(32, 3, 3, 3\)'
    )
    with pytest.raises(RunError, match=message):
        initialized(LITE, tmp_path / 'lite.pth')
    del state['_layers.0']
    torch.save(state, tmp_path / 'lite.pth')
    with pytest.raises(RunError, match="its 239 weights have other names than the network's 240"):
        initialized(LITE, tmp_path / 'lite.pth')


def test_only_the_first_names_are_listed(tmp_path):
    torch.save({'conv1.weight': torch.ones(64, 3, 7, 7)}, tmp_path / 'one.pth')
    with pytest.raises(RunError, match='lacks .*: bn1.weight, bn1.bias, bn1.running_mean and 96 m'):
        initialized('resnet18', tmp_path / 'one.pth')


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
    monkeypatch.setattr(pretrained.timm, 'create_model', fail)
    with pytest.raises(RunError) as error:
        weights.fetch_pretrained(backbone)
    assert str(error.value) == (
        'the pretrained weights timm of model could not be had (timm could not download the weights'
        ' of resnet18: cannot find the file): give a local copy with --cfg-options '
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


# --- padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'kernel, stride, dilation',
    [(3, 2, 1), (5, 2, 1), (3, 1, 1), (4, 1, 1), (3, 2, 2), (7, 4, 1), (1, 2, 1)],
)
@pytest.mark.parametrize('size', [(8, 12), (7, 12), (9, 13)])
def test_constant_padding_is_timms(kernel, stride, dilation, size):
    torch.manual_seed(0)
    conv = Conv2dSame(3, 4, kernel, stride=stride, dilation=dilation)
    other = nn.Sequential(copy.deepcopy(conv))
    assert make_padding_constant(other) == 1 and make_padding_constant(other) == 0
    assert type(other[0]) is ConstantSameConv2d
    assert torch.equal(other(noise(2, 3, *size)), conv(noise(2, 3, *size)))
    assert list(other[0].state_dict()) == list(conv.state_dict())


def test_constant_padding_is_a_constant_of_the_graph():
    conv = nn.Sequential(Conv2dSame(3, 4, 5, stride=2))
    make_padding_constant(conv)
    height = torch.export.Dim('height', min=1, max=64)
    program = torch.export.export(conv, (noise(1, 3, 64, 64),), dynamic_shapes=({2: 32 * height},))
    pads = [node.args[1] for node in program.graph.nodes if 'pad' in str(node.target)]
    assert pads == [[1, 2, 1, 2]]


def test_a_tf_network_is_timms():
    net = timm.create_model(LITE, features_only=True, out_indices=(1, 2, 3, 4))
    backbone = build(LITE)
    assert sum(type(each) is ConstantSameConv2d for each in backbone.modules()) == 5
    assert list(backbone.net.state_dict()) == list(net.state_dict())
    backbone.net.load_state_dict(net.state_dict())
    assert_same_maps(backbone, net)


# --- folded norms --------------------------------------------------------------------------------


class Branches(nn.Module):
    """A norm of a sum, registered behind a convolution; and a convolution that is used twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.twice, self.twice_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.last, self.last_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.given, self.given_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.norm(self.first(x) + self.second(x))
        y = self.twice(x)
        x = self.last_norm(self.last(y + self.twice_norm(y)))
        z = self.given(x)
        return z, self.given_norm(z)


def test_norms_are_folded_where_they_alone_take_a_convolution():
    net = toys.scramble(Branches()).eval()
    folded = copy.deepcopy(net)
    assert fuse_norms(folded, lambda: folded(noise(1, 3, 4, 4))) == 1
    assert isinstance(folded.last_norm, nn.Identity)
    assert sum(isinstance(each, nn.BatchNorm2d) for each in folded.modules()) == 3
    for one, other in zip(folded(noise(2, 3, 5, 5)), net(noise(2, 3, 5, 5)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('name', ['repvit_m0_9', 'ghostnetv2_100', LITE])
def test_folding_keeps_the_maps_of_a_network(name):
    backbone = toys.scramble(build(name)).eval()
    folded = copy.deepcopy(backbone)
    with torch.no_grad():
        assert fuse_norms(folded, lambda: folded(noise(1, 3, 64, 64))) > 40
        for one, other in zip(folded(noise(1, 3, 64, 64)), backbone(noise(1, 3, 64, 64))):
            assert (one - other).norm() < 1e-4 * other.norm()


# --- the fit with the rest -----------------------------------------------------------------------


def timm_model(backbone=None, channels=24, **config):
    backbone = dict(dict(type='TimmBackbone', model_name='resnet18'), **(backbone or {}))
    neck = dict(type='SeparableFPN', in_channels=(64, 128, 256, 512), out_channels=24)
    return toys.build_in_mmpose(
        MODELS,
        dict(
            toys.model_config(),
            backbone=backbone,
            head=toys.head_config(channels=channels),
            **dict(dict(neck=neck), **config),
        ),
    )


UP = dict(type='FeatureMapProcessor', scale_factor=4.0)
VIT = dict(model_name='vit_tiny_patch16_224', out_indices=(0,), dynamic_img_size=True)


def test_what_fits_is_built():
    timm_model()
    timm_model(dict(out_indices=(1,)), 64, neck=None)
    timm_model(VIT, 192, neck=UP)
    toys.build_model()


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(channels=25),
            r'the head takes in_channels=25, and the last map of SeparableFPN has 24',
        ),
        (
            dict(backbone=dict(model_name='resnet50')),
            r'SeparableFPN takes in_channels=\(64, 128, 256, '
            r'512\), and the maps of TimmBackbone have \(256, 512, 1024, 2048\)',
        ),
        (
            dict(backbone=dict(out_indices=(0, 2, 3, 4))),
            r'the codec has stride 4 \(input_size / heatmap'
            r'_size\), and the last map of SeparableFPN has 2',
        ),
        (dict(neck=None, channels=512), 'has stride 4 .* the last map of TimmBackbone has 32'),
        (dict(backbone=VIT, channels=192, neck=None), 'last map of TimmBackbone has 16'),
        (
            dict(backbone=dict(VIT, patch_size=14), channels=192, neck=dict(UP, scale_factor=3.5)),
            r'input_size \(128, 128\) of the codec is no multiple of the stride 14 of TimmBackbone',
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        timm_model(**options)


def test_hrnet_and_its_neck_are_checked_too():
    with pytest.raises(
        ValueError, match='in_channels=61, and the last map of FeatureMapProcessor has 60'
    ):
        toys.build_in_mmpose(MODELS, dict(toys.model_config(), head=toys.head_config(channels=61)))
    with pytest.raises(ValueError, match='stride 4 .* last map of FeatureMapProcessor has 8'):
        toys.build_in_mmpose(
            MODELS,
            dict(
                toys.model_config(),
                head=toys.head_config(channels=8),
                neck=dict(type='FeatureMapProcessor', select_index=1),
            ),
        )


@pytest.mark.parametrize('multiscale', [True, False])
def test_the_maps_of_hrnet_are_known(multiscale):
    config = toys.hrnet_config()
    config['extra']['stage4'].update(multiscale_output=multiscale)
    hrnet = toys.build_in_mmpose(MODELS, config)
    hrnet.eval()
    side, maps = shapes.backbone_maps(hrnet)
    with torch.no_grad():
        feats = hrnet(torch.zeros(1, 3, side, side))
    assert [each.shape for each in maps] == [each.shape for each in feats]


def test_other_backbones_compute_a_tiny_image_and_stay_as_they_are():
    config = dict(type='ResNet', depth=18, base_channels=4, stem_channels=8, out_indices=(0, 1))
    resnet = toys.build_in_mmpose(MODELS, config)
    resnet.layer1.eval()
    modes = [each.training for each in resnet.modules()]
    state, drawn = copy.deepcopy(resnet.state_dict()), torch.get_rng_state()
    side, maps = shapes.backbone_maps(resnet)
    assert (side, [tuple(each.shape) for each in maps]) == (64, [(1, 4, 16, 16), (1, 8, 8, 8)])
    assert torch.equal(drawn, torch.get_rng_state())
    assert modes == [each.training for each in resnet.modules()]
    for key, value in resnet.state_dict().items():
        assert torch.equal(value, state[key]), key
    with pytest.raises(ValueError, match='stride 4 .* the last map of ResNet has 8'):
        toys.build_in_mmpose(
            MODELS,
            dict(
                toys.model_config(), backbone=config, neck=None, head=toys.head_config(channels=8)
            ),
        )


def test_a_backbone_that_cannot_compute_a_tiny_image_is_not_checked():
    class Picky(nn.Module):
        def forward(self, _):
            raise RuntimeError('only 512×512')

    shapes.check_fit(Picky(), None, 3, 4, (128, 128))
    shapes.check_fit(nn.Flatten(), None, 3, 4, (128, 128))


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
