"""Conversion of checkpoint files: official ones to this package's names, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from torch import Tensor

from ..configs import config_path, load_config
from ..errors import InputError
from .carried import carry_score, carry_uncertainty
from .files import Checkpoint, check_target, halve, read_checkpoint, write_checkpoint
from .fit import Network, build_network, check_weights, has_size, recognize, recognize_backbone
from .names import (
    backbone_weights,
    both_names,
    is_backbone,
    is_ours,
    other_name,
    ours_to_release,
    release_to_ours,
)


@dataclass(frozen=True)
class Conversion:
    """A converted checkpoint.

    Attributes:
        network: recognized by the shapes; None for a network that is not on HRNet.
        config: file of the config whose network the weights fit.
        config_has_size: that config as it is builds a network of this size.
        is_backbone: these are initial weights of a backbone, whose names are the same everywhere.
        was_ours: it had this package's names already.
        names: (name in the source, name on the other side or None, shape) of every array.
    """

    network: Network | None
    config: Path
    config_has_size: bool
    is_backbone: bool
    was_ours: bool
    names: tuple[tuple[str, str | None, tuple[int, ...]], ...]


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    config: str | Path | None = None,
    to_release: bool = False,
    half: bool = False,
) -> Conversion:
    """Convert one checkpoint; where it does not fit, nothing is written.

    Args:
        source: a training checkpoint or bare state dict of the official implementation or of this
            package, or an ImageNet HRNet, which becomes the initial weights of a backbone.
        target: file to write, in the format that its ending names.
        config: that of the model, as `config_path` takes it; by default the release config of the
            dataset that the shapes show. A network that is not on HRNet needs it.
        to_release: write a bare state dict with the official names.
        half: store matrices and kernels in half precision.

    Raises:
        InputError: `half` is combined with `to_release`, or one of them with a backbone; or the
            config is not a PINet's, or has to be named.
        CheckpointError: the source is no checkpoint, or its weights do not fit the network of the
            config; or the target cannot be written.
        FileNotFoundError: the config does not exist.
    """
    check_target(target)
    if half and to_release:
        raise InputError(
            '--half is for this package: the official implementation reads single precision'
        )
    checkpoint = read_checkpoint(source)
    backbone = is_backbone(checkpoint.weights)
    if backbone and (half or to_release):
        raise InputError('--half and --to-release are for whole networks; this is a backbone')
    settings, network = find_config(checkpoint.weights, config)
    carry_score(settings, checkpoint.weights)
    carry_uncertainty(settings, checkpoint.weights)
    if backbone:
        weights, meta = _checked_backbone(checkpoint, settings, network), {}
    else:
        weights, meta = _checked(checkpoint, settings, network), _meta(checkpoint, settings)
    if to_release:
        write_checkpoint(ours_to_release(weights), None, target)
    else:
        write_checkpoint(halve(weights) if half else weights, meta, target)
    return Conversion(
        network,
        Path(settings.filename),
        network is None or has_size(settings, network),
        backbone,
        is_ours(checkpoint.weights),
        _names(weights if backbone else checkpoint.weights),
    )


def _checked_backbone(
    checkpoint: Checkpoint, config: Config, network: Network
) -> dict[str, Tensor]:
    backbone = backbone_weights(checkpoint.weights)
    wanted = build_network(config, network).backbone.state_dict()
    check_weights(backbone, wanted, checkpoint.source, shown=None)
    return backbone


def _checked(
    checkpoint: Checkpoint, config: Config, network: Network | None
) -> Mapping[str, Tensor]:
    """Return the weights under our names."""
    weights, own = checkpoint.weights, is_ours(checkpoint.weights)
    ours = build_network(config, network).state_dict()
    wanted = ours if own else ours_to_release(ours)
    check_weights(weights, wanted, checkpoint.source, both_names, shown=None)
    return weights if own else release_to_ours(weights)


def _meta(checkpoint: Checkpoint, config: Config) -> dict[str, Any]:
    return {'dataset_meta': dataset_meta(config), **checkpoint.meta}


def dataset_meta(config: Config) -> dict:
    """Parse the metainfo of a config's dataset, which inferencers look for in a checkpoint.

    Args:
        config: one with a `codec`.
    """
    return parse_pose_metainfo(dict(from_file=config.codec.layout.metainfo))


def _names(weights: Mapping[str, Tensor]) -> tuple[tuple[str, str | None, tuple[int, ...]], ...]:
    return tuple((key, other_name(key), tuple(value.shape)) for key, value in weights.items())


def find_config(
    weights: Mapping[str, Tensor], name: str | Path | None = None
) -> tuple[Config, Network | None]:
    """Load the config that was named, or that of the recognized dataset.

    Args:
        weights: of a network, or of a backbone of HRNet.
        name: of the config.

    Returns:
        The config, and what `recognize` tells; None where the config's network is not on HRNet.

    Raises:
        InputError: none was named for keypoints that are not official ones, or it is no PINet's.
        CheckpointError: the weights are not those of a PINet on HRNet, but its config is.
    """
    config = None if name is None else _load_config(str(name))
    if config is not None and config.model.backbone.type != 'HRNet':
        return config, None
    network = recognize_backbone(weights) if is_backbone(weights) else recognize(weights)
    return config or _load_config(_release_config(network)), network


def _release_config(network: Network) -> str:
    if network.dataset is None:
        raise InputError(
            'the datasets of the official implementation have 14 or 17 keypoints, these weights '
            'another number: name the config of your dataset with --config'
        )
    backbone = 'hrnet-w48' if network.width == 48 else 'hrnet'
    return f'pinet_{backbone}_{network.dataset}_release.py'


def _load_config(name: str) -> Config:
    path = config_path(name)
    config = load_config(path)
    missing = [key for key in ('model', 'codec') if key not in config]
    if missing:
        raise InputError(f'{path} is no config of a PINet: it lacks {missing}')
    return config
