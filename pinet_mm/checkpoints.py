"""The authors' checkpoints: reading, recognising and renaming them, and the way back.

The release's graph predictor is made of 1×1 `Conv1d`, ours of `Linear`: the same numbers with one
dimension less.
"""

import os
import pickle
import re
from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Union

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS
from torch import Tensor, nn

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
_CONVOLUTION = re.compile(r'pr\.gconv_pred\.\d+\.weight')


def _rename(key: str, column: int) -> str:
    for row in RENAMED:
        pattern = re.escape(row[column]).replace(r'\#', r'(\d+)')
        match = re.match(pattern, key)
        if match:
            return row[1 - column].replace('#', '{}').format(*match.groups()) + key[match.end():]
    raise KeyError(f'{key!r} belongs to no parameter of PINet; known are the prefixes '
                   f'{[row[column] for row in RENAMED]}')


def release_to_ours(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Rename the parameters of the authors' release to ours.

    Args:
        state_dict: a bare one, without the prefix `module.`.

    Raises:
        KeyError: a key is not the release's.
    """
    renamed = {}
    for key, value in state_dict.items():
        convolution = _CONVOLUTION.fullmatch(key) and value.ndim == 3
        renamed[_rename(key, 0)] = value.squeeze(-1) if convolution else value
    return renamed


def ours_to_release(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Rename our parameters to the release's: the inverse of `release_to_ours`.

    Args:
        state_dict: that of a `PINet`.

    Raises:
        KeyError: a key is not ours.
    """
    renamed = {}
    for key, value in state_dict.items():
        name = _rename(key, 1)
        convolution = _CONVOLUTION.fullmatch(name) and value.ndim == 2
        renamed[name] = value.unsqueeze(-1) if convolution else value
    return renamed


def read_weights(path: Union[str, Path]) -> Dict[str, Tensor]:
    """Read the weights from a checkpoint of the release, of MMEngine, or a bare state dict.

    Of a training checkpoint `state_dict` is taken, else `best_state_dict`; the prefix `module.`
    of a distributed model goes. Nothing but tensors, numbers, text and what `compat` lists is built
    from the file.

    Args:
        path: of a `.pth` or `.pth.tar` file.

    Raises:
        ValueError: the file is no checkpoint, or holds no weights.
    """
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f'{path} is no checkpoint that holds only weights and numbers: '
                         f'{str(error).splitlines()[0] if str(error) else "it is cut off"}'
                         ) from error
    weights = content
    for name in ('best_state_dict', 'state_dict'):
        weights = content.get(name, weights) if isinstance(content, Mapping) else weights
    if not isinstance(weights, Mapping) or not weights or not all(
            isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f'{path} holds no weights: expected a state dict, or a dict with '
                         'state_dict or best_state_dict')
    return {key.removeprefix('module.'): value for key, value in weights.items()}


class Network(NamedTuple):
    """What the shapes of a checkpoint tell of its network: dataset, width of HRNet, PR layers."""

    dataset: str
    width: int
    num_layers: int


def recognise(state_dict: Mapping[str, Tensor]) -> Network:
    """Tell dataset, width and refinement layers from the shapes of a release state dict.

    COCO and OCHuman share their keypoints; the recipes have 2 refinement layers for COCO, 3 for
    OCHuman.

    Args:
        state_dict: named as in the release.

    Raises:
        ValueError: the heads are missing, or fit none of the three datasets.
    """
    head = state_dict.get('ppg.heatmap_head.weight')
    if head is None or head.ndim != 4:
        raise ValueError("the checkpoint has no 'ppg.heatmap_head.weight' (K, C, 1, 1), so it is "
                         f'not one of the release; its first keys are {list(state_dict)[:3]}')
    layers = {key.split('.')[2] for key in state_dict if key.startswith('pr.gconv_layers.')}
    num_keypoints, channels = head.shape[:2]
    if num_keypoints not in (14, 17) or channels % 15:
        raise ValueError('expected 14 or 17 keypoints and channels in multiples of 15; found '
                         f'{num_keypoints} and {channels} in ppg.heatmap_head.weight')
    dataset = 'crowdpose' if num_keypoints == 14 else 'ochuman' if len(layers) == 3 else 'coco'
    return Network(dataset, channels // 15, len(layers))


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
            network.width * 2**branch for branch in range(stage))
    model['backbone']['init_cfg'] = None
    model['head']['in_channels'] = 15 * network.width
    model['head']['refinement']['num_layers'] = network.num_layers
    with DefaultScope.overwrite_default_scope('mmpose'), torch.device('meta'):
        return MODELS.build(model)


def dataset_meta(config: Config) -> dict:
    """Parse the metainfo of a config's dataset, which inferencers look for in a checkpoint.

    Args:
        config: one with a `codec`.
    """
    return parse_pose_metainfo(dict(from_file=config.codec.layout.metainfo))


def check_weights(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Compare names and shapes of weights with those of a network.

    Args:
        found: what a file holds.
        wanted: what the network has; without `num_batches_tracked`, which old files lack.

    Raises:
        ValueError: names every key that is missing, unknown, or of another shape.
    """
    optional = {key for key in wanted if key.endswith('num_batches_tracked')}
    complaints = [f'missing {key}' for key in wanted if key not in found and key not in optional]
    complaints += [f'unknown {key}' for key in found if key not in wanted]
    complaints += [f'{key} has the shape {tuple(found[key].shape)}, expected '
                   f'{tuple(wanted[key].shape)}' for key in found
                   if key in wanted and found[key].shape != wanted[key].shape]
    if complaints:
        raise ValueError(f'{len(complaints)} keys do not fit:\n  ' + '\n  '.join(complaints))


def backbone_weights(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Take the backbone from an ImageNet HRNet: without its classifier, names unchanged.

    Args:
        state_dict: that of the HRNet classifier.
    """
    return {key: value for key, value in state_dict.items() if not key.startswith(CLASSIFIER)}


def write_checkpoint(content: Mapping, path: Union[str, Path]) -> None:
    """Write a checkpoint so that `path` is either whole or untouched.

    Args:
        content: what `torch.save` takes.
        path: of the file.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with open(part, 'wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
