"""Whether backbone, neck, head and codec fit one another."""

import copy

from pinet_mm.models import shapes

import pytest
import torch
from mmpose.registry import MODELS
from torch import nn

from tests.helpers import toys


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


@pytest.mark.parametrize('window, fits', [(31, True), (32, False), (100, False)])
def test_a_window_of_the_refinement_is_smaller_than_the_map(window, fits):
    config = toys.model_config()  # 128 pixels at stride 4: 32
    config['head']['refinement'] = dict(config['head']['refinement'], context=(2, window))
    if fits:
        toys.build_in_mmpose(MODELS, config)
        return
    message = f'refinement.context must be smaller than the map, .* a side of 32 .*; found {window}'
    with pytest.raises(ValueError, match=message):
        toys.build_in_mmpose(MODELS, config)
