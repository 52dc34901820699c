"""timm's networks as backbones: maps, options, freezing."""

from unittest import mock

from pinet_mm.models import TimmBackbone

import pytest
import timm
import torch
from torch import nn

from tests.helpers.timm_networks import FAMILIES, LITE, build, noise

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
