"""Weights and networks: which network weights belong to, and whether they fit one."""

import copy
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import load_state_dict
from mmpose.registry import MODELS
from torch import Tensor, nn

from ..environment.printing import Lines
from ..errors import CheckpointError
from .files import Checkpoint
from .names import is_official

SHOWN = 10  # complaints listed in an error, except in a conversion
STAGES = 15  # channels of HRNet's four maps side by side, in widths: 1 + 2 + 4 + 8
# Names of the weights that may be learned when the rest is trained, and what they are.
LATE = {'head.refinement.score.': 'score', 'head.refinement.uncertainty.': 'uncertainty'}
_SWITCHES = {  # settings that leave them out
    'score': 'model.head.refinement.score=None',
    'uncertainty': 'model.head.refinement.uncertainty=False',
}
_LAYER = re.compile(r'(?:pr\.gconv_layers|head\.refinement\.blocks)\.(\d+)\.')


class Network(NamedTuple):
    """A PINet on HRNet, recognized by the shapes of its weights.

    Attributes:
        dataset: whose keypoints it finds; None if that is none of the official implementation's.
        width: of HRNet.
        num_layers: of the refinement.
    """

    dataset: str | None
    width: int
    num_layers: int


def recognize(state_dict: Mapping[str, Tensor]) -> Network:
    """Read dataset, width and refinement layers from the shapes of a state dict.

    COCO and OCHuman share their keypoints; the recipes have 2 refinement layers for COCO, 3 for
    OCHuman.

    Args:
        state_dict: with official names or ours.

    Raises:
        CheckpointError: the weights are not PINet's.
    """
    head = state_dict.get('ppg.heatmap_head.weight', state_dict.get('head.score_branch.weight'))
    if head is None or head.ndim != 4 or head.shape[1] % STAGES:
        found = f'the shape {tuple(head.shape)}' if head is not None else 'none'
        raise CheckpointError(
            "a PINet on HRNet has 'ppg.heatmap_head.weight' of the shape (keypoints, "
            f'{STAGES} × width, 1, 1); found {found}, first keys {list(state_dict)[:3]}'
        )
    layers = {match[1] for match in map(_LAYER.match, state_dict) if match}
    dataset = {14: 'crowdpose', 17: 'ochuman' if len(layers) == 3 else 'coco'}.get(head.shape[0])
    return Network(dataset, head.shape[1] // STAGES, len(layers))


def recognize_backbone(state_dict: Mapping[str, Tensor]) -> Network:
    """Read the width of an HRNet; it stands for a PINet on COCO with this backbone.

    Args:
        state_dict: of the backbone, see `names.is_backbone`.
    """
    return Network('coco', len(state_dict['transition1.0.0.weight']), 2)


def build_network(config: Config, network: Network | None) -> nn.Module:
    """Build the model of a config with the width and refinement layers of a checkpoint.

    It lives on the `meta` device: names and shapes without numbers.

    Args:
        config: the dataset's config; it is left as it is.
        network: what `recognize` returns; None leaves the size as the config has it.
    """
    model = config.model.to_dict()
    if network is not None:
        _resize(model, network)
    model['backbone']['init_cfg'] = None
    with DefaultScope.overwrite_default_scope('mmpose'), torch.device('meta'):
        return MODELS.build(model)


def _resize(model: dict, network: Network) -> None:
    for stage in (2, 3, 4):
        model['backbone']['extra'][f'stage{stage}']['num_channels'] = tuple(
            network.width * 2**branch for branch in range(stage)
        )
    model['head']['in_channels'] = STAGES * network.width
    if model['head'].get('refinement'):
        model['head']['refinement']['num_layers'] = network.num_layers


def has_size(config: Config, network: Network) -> bool:
    """Return whether a config as it is builds a network of this width and refinement."""
    head = config.model.head
    num_layers = head.refinement.num_layers if head.get('refinement') else 0
    return (head.in_channels, num_layers) == (STAGES * network.width, network.num_layers)


def check_weights(
    found: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    source: str,
    label: Callable[[str], str] = str,
    shown: int | None = SHOWN,
) -> None:
    """Compare names and shapes of weights with those of a network, all in one error.

    Args:
        found: what a file holds.
        wanted: what the network has; without `num_batches_tracked`, which old files lack.
        source: path or URL of the checkpoint, for the message.
        label: returns how a key is written in the message.
        shown: how many complaints the message lists; None lists all.

    Raises:
        CheckpointError: names keys that are missing, unknown, of another shape or kind of number,
            or not finite.
    """
    complaints = _complaints(found, wanted, label)
    if complaints:
        more = len(complaints[shown:]) if shown is not None else 0
        listed = complaints[:shown] + ([f'and {more} more'] if more else [])
        raise CheckpointError(
            Lines.of(
                [
                    f'the checkpoint {source} does not fit the network:',
                    *(f'  {each}' for each in listed),
                    # At the end, for there may be a thousand lines.
                    f'{len(complaints)} keys do not fit; it may belong to another config',
                ]
            )
        )


def _complaints(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], label: Callable[[str], str]
) -> list[str]:
    missing = [key for key in wanted if key not in found and not _is_optional(key)]
    unknown = [key for key in found if key not in wanted]
    both = [(key, found[key], wanted[key]) for key in found if key in wanted]
    return [
        *(f'missing {label(key)}' for key in missing),
        *(f'unknown {label(key)}' for key in unknown),
        *(
            f'{label(key)} has the shape {tuple(one.shape)}, expected {tuple(other.shape)}'
            for key, one, other in both
            if one.shape != other.shape
        ),
        *(
            f'{label(key)} holds {one.dtype}, expected floating point'
            for key, one, other in both
            if other.is_floating_point() and not one.is_floating_point()
        ),
        *(
            f'{label(key)} holds numbers that are not finite'
            for key, one, _ in both
            if one.is_floating_point() and not one.isfinite().all()
        ),
    ]


def _is_optional(key: str) -> bool:
    return key.endswith('num_batches_tracked')


def check_model(model: nn.Module, checkpoint: Checkpoint, but: tuple[str, ...] = ()) -> None:
    """Check that a checkpoint has every weight of a model.

    MMEngine only warns of missing ones, and an evaluation ends, much later, with an AP of 0. A
    checkpoint may have more than the model.

    Args:
        model: in a wrapper or not.
        checkpoint: of this package.
        but: beginnings of names of weights that it need not have.

    Raises:
        CheckpointError: weights of the model are missing, have another shape or kind of number,
            are not finite, or have the names of the official implementation; or all that is missing
            is a score or an uncertainty.
    """
    wanted = unwrapped(model).state_dict()
    _refuse_official(checkpoint, wanted)
    lacking = tuple(
        name for name in LATE if _has(wanted, name) and not _has(checkpoint.weights, name)
    )
    wanted = {key: value for key, value in wanted.items() if not key.startswith(but + lacking)}
    found = {key: value for key, value in checkpoint.weights.items() if key in wanted}
    check_weights(found, wanted, checkpoint.source)
    untrained = [LATE[name] for name in lacking if not name.startswith(but)]
    if untrained:
        switches = ' '.join(_SWITCHES[each] for each in untrained)
        raise CheckpointError(
            f'the checkpoint {checkpoint.source} has no {" and no ".join(untrained)}: '
            'train that first, with this checkpoint as load_from (docs/training.md in the '
            "repository, 'A score that says how good a pose is'), or leave that out with "
            f'{switches}'
        )


def _has(weights: Mapping[str, Tensor], name: str) -> bool:
    return any(key.startswith(name) for key in weights)


def check_overlap(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Check that a checkpoint has at least one weight that a model can start from.

    Args:
        model: in a wrapper or not.
        checkpoint: of this package.

    Raises:
        CheckpointError: no weight of the checkpoint has name and shape of one of the model's.
    """
    wanted = unwrapped(model).state_dict()
    _refuse_official(checkpoint, wanted)
    if not any(
        key in wanted and value.shape == wanted[key].shape
        for key, value in checkpoint.weights.items()
        if not _is_optional(key)
    ):
        raise CheckpointError(
            f'the checkpoint {checkpoint.source} holds nothing that the model can start from: '
            f'none of its {len(checkpoint.weights)} weights has name and shape of one of the '
            f"model's {len(wanted)}; its first is {next(iter(checkpoint.weights))}"
        )


def _refuse_official(checkpoint: Checkpoint, wanted: Mapping[str, Tensor]) -> None:
    if is_official(checkpoint.weights) and not is_official(wanted):
        raise CheckpointError(
            f'the checkpoint {checkpoint.source} has the names of the official implementation: '
            'tools/convert_checkpoint.py gives it those of this package'
        )


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a checkpoint into a model, all of whose weights it must hold.

    A score or an uncertainty that the model is to do without is left out; MMEngine would print the
    names of their weights as unexpected.

    Args:
        model: in a wrapper or not.
        checkpoint: of this package.

    Raises:
        CheckpointError: see `check_model`.
    """
    check_model(model, checkpoint)
    known = unwrapped(model).state_dict()
    left_out = tuple(name for name in LATE if not _has(known, name))
    weights = copy.copy(checkpoint.weights)  # with the versions of modules, an attribute
    for name in checkpoint.weights:
        if name.startswith(left_out):
            del weights[name]
    load_state_dict(unwrapped(model), weights)


def unwrapped(model: nn.Module) -> nn.Module:
    """Return a model without the wrapper of a distributed run."""
    return model.module if is_model_wrapper(model) else model
