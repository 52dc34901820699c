"""The authors' checkpoints: recognising and renaming their weights, and the way back.

The release's graph predictor is made of 1×1 `Conv1d`, ours of `Linear`: the same numbers with one
dimension less.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS
from torch import Tensor, nn

from ..errors import InputError

# What an ImageNet HRNet has beyond the backbone.
CLASSIFIER = ('incre_modules.', 'downsamp_modules.', 'final_layer.', 'classifier.')

# Release -> ours, the starts of keys, # being a number; the first row that fits is taken.
RENAMED = (
    ('backbone.', 'backbone.'),
    ('ppg.heatmap_head.', 'head.score_branch.'),
    ('ppg.detkptmap_head.', 'head.part_branch.'),
    ('ppg.offset_head.', 'head.offset_branch.'),
    ('pr.adj', 'head.refinement.adjacency'),
    ('pr.gconv_head.bn.', 'head.refinement.stem.bn.'),
    ('pr.gconv_head.conv.', 'head.refinement.stem.'),
    ('pr.gconv_layers.#.gconv#.bn.', 'head.refinement.blocks.#.conv#.bn.'),
    ('pr.gconv_layers.#.gconv#.conv.', 'head.refinement.blocks.#.conv#.'),
    ('pr.gconv_pred.', 'head.refinement.predictor.'),
)
_LAYER = re.compile(r'(?:pr\.gconv_layers|head\.refinement\.blocks)\.(\d+)\.')
_CONVOLUTION = re.compile(r'pr\.gconv_pred\.\d+\.weight')


def _rename(key: str, column: int) -> str | None:
    for row in RENAMED:
        pattern = re.escape(row[column]).replace(r'\#', r'(\d+)')
        match = re.match(pattern, key)
        if match:
            return row[1 - column].replace('#', '{}').format(*match.groups()) + key[match.end() :]
    return None


def _rename_all(state_dict: Mapping[str, Tensor], column: int) -> dict[str, str]:
    names = {key: _rename(key, column) for key in state_dict}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        raise InputError(
            f'{len(unknown)} keys belong to no parameter of PINet, whose prefixes are '
            f'{[row[column] for row in RENAMED]}:\n  ' + '\n  '.join(unknown)
        )
    return names


def release_to_ours(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of the authors' release to ours.

    Args:
        state_dict: a bare one, without the prefix `module.`.

    Raises:
        ValueError: names the keys that are not the release's.
    """
    renamed = {}
    for key, name in _rename_all(state_dict, 0).items():
        value = state_dict[key]
        convolution = _CONVOLUTION.fullmatch(key) and value.ndim == 3
        renamed[name] = value.squeeze(-1) if convolution else value
    return renamed


def ours_to_release(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename our parameters to the release's: the inverse of `release_to_ours`.

    Args:
        state_dict: that of a `PINet`.

    Raises:
        ValueError: names the keys that are not ours.
    """
    renamed = {}
    for key, name in _rename_all(state_dict, 1).items():
        value = state_dict[key]
        convolution = _CONVOLUTION.fullmatch(name) and value.ndim == 2
        renamed[name] = value.unsqueeze(-1) if convolution else value
    return renamed


def is_ours(state_dict: Mapping[str, Tensor]) -> bool:
    """Tell whether weights have this package's names rather than the release's."""
    return 'head.score_branch.weight' in state_dict


def other_name(key: str) -> str | None:
    """Translate the name of a parameter, the release's to ours or back; None for unknown ones."""
    return _rename(key, 0) or _rename(key, 1)


def both_names(key: str) -> str:
    """Write the name of a parameter with the other side's behind it, where that is another."""
    other = other_name(key)
    return key if other in (None, key) else f'{key} (elsewhere {other})'


class Network(NamedTuple):
    """What shapes tell of a network: dataset (None: none of the release's), width, PR layers."""

    dataset: str | None
    width: int
    num_layers: int


def recognise(state_dict: Mapping[str, Tensor]) -> Network:
    """Tell dataset, width and refinement layers from the shapes of a state dict.

    COCO and OCHuman share their keypoints; the recipes have 2 refinement layers for COCO, 3 for
    OCHuman.

    Args:
        state_dict: named as in the release or as here.

    Raises:
        ValueError: the weights are not PINet's.
    """
    head = state_dict.get('ppg.heatmap_head.weight', state_dict.get('head.score_branch.weight'))
    if head is None or head.ndim != 4 or head.shape[1] % 15:
        found = f'the shape {tuple(head.shape)}' if head is not None else 'none'
        raise InputError(
            "a PINet on HRNet has 'ppg.heatmap_head.weight' of the shape (keypoints, "
            f'15 × width, 1, 1); found {found}, first keys {list(state_dict)[:3]}'
        )
    layers = {match[1] for match in map(_LAYER.match, state_dict) if match}
    dataset = {14: 'crowdpose', 17: 'ochuman' if len(layers) == 3 else 'coco'}.get(head.shape[0])
    return Network(dataset, head.shape[1] // 15, len(layers))


def build_network(config: Config, network: Network) -> nn.Module:
    """Build the model of a config with the width and refinement layers of a checkpoint.

    It lives on the `meta` device: names and shapes without numbers.

    Args:
        config: the dataset's config; it is left as it is.
        network: what `recognise` returns.
    """
    model = config.model.to_dict()
    for stage in (2, 3, 4):
        model['backbone']['extra'][f'stage{stage}']['num_channels'] = tuple(
            network.width * 2**branch for branch in range(stage)
        )
    model['backbone']['init_cfg'] = None
    model['head']['in_channels'] = 15 * network.width
    if model['head'].get('refinement'):
        model['head']['refinement']['num_layers'] = network.num_layers
    with DefaultScope.overwrite_default_scope('mmpose'), torch.device('meta'):
        return MODELS.build(model)


def dataset_meta(config: Config) -> dict:
    """Parse the metainfo of a config's dataset, which inferencers look for in a checkpoint.

    Args:
        config: one with a `codec`.
    """
    return parse_pose_metainfo(dict(from_file=config.codec.layout.metainfo))


def has_size(config: Config, network: Network) -> bool:
    """Tell whether a config builds a network of this width and these refinement layers as it is."""
    head = config.model.head
    return (head.in_channels, head.refinement.num_layers) == (
        15 * network.width,
        network.num_layers,
    )


def check_weights(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], label: Callable[[str], str] = str
) -> None:
    """Compare names and shapes of weights with those of a network.

    Args:
        found: what a file holds.
        wanted: what the network has; without `num_batches_tracked`, which old files lack.
        label: how a key is written in the message.

    Raises:
        ValueError: names every key that is missing, unknown, of another shape or kind of number.
    """
    optional = {key for key in wanted if key.endswith('num_batches_tracked')}
    complaints = [
        f'missing {label(key)}' for key in wanted if key not in found and key not in optional
    ]
    complaints += [f'unknown {label(key)}' for key in found if key not in wanted]
    both = [key for key in found if key in wanted]
    complaints += [
        f'{label(key)} has the shape {tuple(found[key].shape)}, expected {tuple(wanted[key].shape)}'
        for key in both
        if found[key].shape != wanted[key].shape
    ]
    complaints += [
        f'{label(key)} holds {found[key].dtype}, expected floating point'
        for key in both
        if wanted[key].is_floating_point() and not found[key].is_floating_point()
    ]
    if complaints:
        # Said again at the end: there may be a thousand lines between.
        raise InputError(
            '\n  '.join([f'{len(complaints)} keys do not fit:', *complaints])
            + f'\n{len(complaints)} keys do not fit: is this the right config?'
        )


def is_backbone(state_dict: Mapping[str, Tensor]) -> bool:
    """Tell whether weights are those of an HRNet alone, with or without ImageNet's classifier."""
    return {'conv1.weight', 'transition1.0.0.weight'} <= state_dict.keys()


def backbone_weights(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the backbone from an ImageNet HRNet: without its classifier, names unchanged.

    Args:
        state_dict: that of the HRNet classifier.
    """
    return {key: value for key, value in state_dict.items() if not key.startswith(CLASSIFIER)}
