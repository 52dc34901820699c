"""Converting checkpoint files: the authors' to this package's, and back."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from ..configs import config_path
from ..errors import InputError
from . import files as storage
from . import names as checkpoints


def convert(
    source: str | Path,
    target: str | Path,
    config: str | Path | None = None,
    to_release: bool = False,
    half: bool = False,
    show_keys: bool = False,
) -> str:
    """Convert one checkpoint; where it does not fit, nothing is written.

    Args:
        source: a training checkpoint or bare state dict of the release or of this package, or an
            ImageNet HRNet, which becomes the initial weights of a backbone.
        target: file to write, in the format that its ending names.
        config: that of the model, as `config_path` takes it; by default the release config of the
            dataset that the shapes tell.
        to_release: write a bare state dict with the names of the release.
        half: store matrices and kernels in half precision.
        show_keys: print every name there and here, with its shape.

    Returns:
        What it was.

    Raises:
        ValueError: `half` stands beside `to_release`, or one of them beside a backbone; the source
            is no checkpoint, or its weights do not fit the network of the config.
        FileNotFoundError: the source or the config does not exist.
    """
    storage.check_target(target)
    if half and to_release:
        raise InputError('--half is for this package: the release reads single precision')
    weights, meta = storage.read_checkpoint(source)
    if checkpoints.is_backbone(weights):
        if half or to_release:
            raise InputError('--half and --to-release are for whole networks; this is a backbone')
        return _convert_backbone(weights, target, config, show_keys)
    network = checkpoints.recognise(weights)
    if show_keys:
        _print_keys(weights)
    settings = find_config(config, network)
    ours = _checked(weights, settings, network)
    if to_release:
        storage.write_checkpoint(checkpoints.ours_to_release(ours), None, target)
    else:
        meta = dict(dict(dataset_meta=checkpoints.dataset_meta(settings)), **meta)
        storage.write_checkpoint(storage.halve(ours) if half else ours, meta, target)
    text = (
        f'{network.dataset or "own dataset"}, HRNet-W{network.width}, {network.num_layers} '
        f'refinement layers, {len(weights)} arrays'
    )
    known = checkpoints.is_ours(weights) or config
    return text if known else f'{text}; {advise(settings, network)}'


def _checked(
    weights: Mapping[str, Tensor], config: Config, network: checkpoints.Network
) -> dict[str, Tensor]:
    # Returns the weights under our names.
    own = checkpoints.is_ours(weights)
    wanted = checkpoints.build_network(config, network).state_dict()
    checkpoints.check_weights(
        weights, wanted if own else checkpoints.ours_to_release(wanted), checkpoints.both_names
    )
    return weights if own else checkpoints.release_to_ours(weights)


def _convert_backbone(
    weights: Mapping[str, Tensor], target: str | Path, config: str | Path | None, show_keys: bool
) -> str:
    network = checkpoints.Network('coco', len(weights['transition1.0.0.weight']), 2)
    backbone = checkpoints.backbone_weights(weights)
    if show_keys:
        _print_keys(backbone)
    model = checkpoints.build_network(find_config(config, network), network)
    checkpoints.check_weights(backbone, model.backbone.state_dict())
    storage.write_checkpoint(backbone, {}, target)
    return (
        f'backbone, HRNet-W{network.width}, {len(backbone)} arrays; start a training from it '
        'with model.backbone.init_cfg.checkpoint'
    )


def _print_keys(weights: Mapping[str, Tensor]) -> None:
    # The other side's names behind them, in the order of the file.
    for key, value in weights.items():
        print(f'{key}  ->  {checkpoints.other_name(key)}  {tuple(value.shape)}')


def find_config(name: str | Path | None, network: checkpoints.Network) -> Config:
    """Load the config that was named, or that of the recognised dataset.

    Raises:
        ValueError: none was named for keypoints that are not the release's, or it is no PINet's.
    """
    if name is None and network.dataset is None:
        raise InputError(
            'the datasets of the release have 14 or 17 keypoints, these weights '
            'another number: name the config of your dataset with --config'
        )
    backbone = 'hrnet-w48' if network.width == 48 else 'hrnet'
    path = config_path(str(name or f'pinet_{backbone}_{network.dataset}_release.py'))
    config = Config.fromfile(path)
    missing = [key for key in ('model', 'codec') if key not in config]
    if missing:
        raise InputError(f'{path} is no config of a PINet: it lacks {missing}')
    return config


def advise(config: Config, network: checkpoints.Network) -> str:
    """Name the config to use."""
    name = Path(config.filename).name
    if checkpoints.has_size(config, network):
        return f'its config is {name}'
    return f'no config has this size, give {name} its width and number of layers'
