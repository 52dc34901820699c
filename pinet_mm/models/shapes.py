"""Check that backbone, neck, head and codec fit together, when a model is built."""

import math
from collections.abc import Sequence
from contextlib import contextmanager

import torch
from mmpose.models.backbones import HRNet
from torch import Tensor, nn

from ..errors import InputError
from .backbones import TimmBackbone

SIDE = 64  # px of the image, or the next multiple of the strides


def check_fit(
    backbone: nn.Module,
    neck: nn.Module | None,
    in_channels: int,
    stride: int,
    input_size: tuple[int, int],
) -> None:
    """Check that the maps that reach the head have its channels and the codec's stride.

    The maps of a `TimmBackbone` and of HRNet are known; other backbones, and all necks, compute
    tiny ones. A module that fails at that is not checked. Random state and running statistics do
    not change.

    Args:
        backbone: of the model.
        neck: of the model, if it has one.
        in_channels: that the head takes.
        stride: of the codec, input pixels per map pixel.
        input_size: of the codec, (w, h).

    Raises:
        ValueError: they do not fit.
    """
    side, feats = backbone_maps(backbone)
    for feat in feats or ():
        _check_input_size(backbone, input_size, side / feat.shape[-1])
    if feats and neck is not None:
        _check_neck(neck, backbone, [feat.shape[1] for feat in feats])
        feats = _compute(neck, feats)
    if not feats:
        return
    source = type(neck or backbone).__name__
    found, found_stride = feats[-1].shape[1], side / feats[-1].shape[-1]
    if found != in_channels:
        raise InputError(
            f'the head takes in_channels={in_channels}, and the last map of {source} has {found}'
        )
    if found_stride != stride:
        raise InputError(
            f'the codec has stride {stride} (input_size / heatmap_size), and the last '
            f'map of {source} has {found_stride:g}'
        )


def check_windows(windows: Sequence[int], heatmap_size: tuple[int, int]) -> None:
    """Check that averages for the refinement are of parts of the map, see `PoseRefinement`.

    Args:
        windows: map pixels.
        heatmap_size: of the codec, (w, h).

    Raises:
        InputError: a window is as large as the map.
    """
    side = min(heatmap_size)
    if max(windows, default=0) >= side:
        raise InputError(
            f'a window of refinement.context must be smaller than the map, which has a side of '
            f'{side} pixels (input_size / stride); found {max(windows)}'
        )


def _check_input_size(backbone: nn.Module, size: tuple[int, int], stride: float) -> None:
    if any(side % stride for side in size):
        raise InputError(
            f'the input_size {tuple(size)} of the codec is no multiple of the stride '
            f'{stride:g} of {type(backbone).__name__}'
        )


def _check_neck(neck: nn.Module, backbone: nn.Module, channels: list[int]) -> None:
    wanted = getattr(neck, 'in_channels', None)
    if isinstance(wanted, Sequence) and list(wanted) != channels:
        raise InputError(
            f'{type(neck).__name__} takes in_channels={tuple(wanted)}, and the maps '
            f'of {type(backbone).__name__} have {tuple(channels)}'
        )


def backbone_maps(backbone: nn.Module) -> tuple[int, list[Tensor] | None]:
    """Make maps of the shapes that a backbone makes of a small square image.

    Returns:
        Side of the image, and zeros (1, C, h, w) in the backbone's order; None if unknown.
    """
    if isinstance(backbone, TimmBackbone):
        shapes = list(zip(backbone.channels, backbone.strides))
    elif type(backbone) is HRNet and backbone.stage4_cfg['block'] == 'BASIC':
        shapes = _hrnet_shapes(backbone.stage4_cfg)
    else:
        return SIDE, _compute(backbone, _zeros(backbone, 3, SIDE))
    multiple = math.lcm(*(stride for _, stride in shapes))
    side = math.ceil(SIDE / multiple) * multiple
    return side, [_zeros(backbone, channels, side // stride) for channels, stride in shapes]


def _hrnet_shapes(stage: dict) -> list[tuple[int, int]]:
    shapes = [(width, 4 * 2**i) for i, width in enumerate(stage['num_channels'])]
    return shapes if stage.get('multiscale_output', False) else shapes[:1]


def _zeros(backbone: nn.Module, channels: int, side: int) -> Tensor:
    like = next(backbone.parameters(), torch.empty(0))
    return torch.zeros(1, channels, side, side, device=like.device, dtype=like.dtype)


def _compute(module: nn.Module, inputs) -> list[Tensor] | None:
    try:
        with torch.no_grad(), _evaluating(module):
            maps = module(inputs)
    except Exception:  # the module needs another size, and says so itself when it is used
        return None
    maps = [maps] if isinstance(maps, Tensor) else maps
    usable = (
        isinstance(maps, Sequence)
        and maps
        and all(isinstance(each, Tensor) and each.dim() == 4 for each in maps)
    )
    return list(maps) if usable else None


@contextmanager
def _evaluating(module: nn.Module):
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, mode in modes:
            each.training = mode
