"""A network of each family of timm, small, and its inputs."""

from pinet_mm.models import TimmBackbone

import torch

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


def assert_same_maps(backbone, net):
    with torch.no_grad():
        for one, other in zip(
            backbone.eval()(noise(1, 3, 64, 64)), net.eval()(noise(1, 3, 64, 64)), strict=True
        ):
            torch.testing.assert_close(one, other)
