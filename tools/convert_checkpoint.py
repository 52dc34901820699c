"""Bring a checkpoint of the authors' PINet here: python tools/convert_checkpoint.py SRC DST.

SRC is a training checkpoint of theirs, a bare state dict, or an ImageNet HRNet (which becomes the
initial weights of a backbone). DST holds the same numbers for MMPose, with the dataset's metainfo.
`--to-release` goes the other way; a checkpoint of this package without that option is written anew,
without its optimizer. SRC and DST may end in .pth, .pth.tar or .safetensors.
"""

import argparse
import sys
from pathlib import Path

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from mmengine.config import Config  # noqa: E402

from pinet_mm import checkpoints, storage  # noqa: E402


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', metavar='SRC')
    parser.add_argument('target', metavar='DST')
    parser.add_argument('--config', help='config of the model; by default the release config of '
                                         'the dataset that the shapes tell')
    parser.add_argument('--to-release', action='store_true',
                        help='give DST, a bare state dict, the names of the release')
    parser.add_argument('--half', action='store_true',
                        help='store matrices and kernels in half precision: half the size')
    parser.add_argument('--show-keys', action='store_true',
                        help='print every name there and here, with its shape')
    return parser


def find_config(path: str | None, network: checkpoints.Network) -> Config:
    """Load the config that was named, or that of the recognised dataset."""
    if path is None and network.dataset is None:
        raise ValueError('the datasets of the release have 14 or 17 keypoints, these weights '
                         'another number: name the config of your dataset with --config')
    backbone = 'hrnet-w48' if network.width == 48 else 'hrnet'
    path = path or ROOT / 'configs' / f'pinet_{backbone}_{network.dataset}_release.py'
    config = Config.fromfile(path)
    missing = [name for name in ('model', 'codec') if name not in config]
    if missing:
        raise ValueError(f'{path} is no config of a PINet: it lacks {missing}')
    return config


def convert(args: argparse.Namespace) -> str:
    """Convert one checkpoint.

    Returns:
        What it was.
    """
    storage.check_target(args.target)
    if args.half and args.to_release:
        raise ValueError('--half is for this package: the release reads single precision')
    weights, meta = storage.read_checkpoint(args.source)
    if checkpoints.is_backbone(weights):
        return convert_backbone(args, weights)
    own = checkpoints.is_ours(weights)
    network = checkpoints.recognise(weights)
    if args.show_keys:
        show_keys(weights)
    config = find_config(args.config, network)
    wanted = checkpoints.build_network(config, network).state_dict()
    checkpoints.check_weights(weights, wanted if own else checkpoints.ours_to_release(wanted),
                              checkpoints.both_names)
    ours = weights if own else checkpoints.release_to_ours(weights)
    if args.to_release:
        storage.write_checkpoint(checkpoints.ours_to_release(ours), None, args.target)
    else:
        ours = storage.halve(ours) if args.half else ours
        meta = dict(dict(dataset_meta=checkpoints.dataset_meta(config)), **meta)
        storage.write_checkpoint(ours, meta, args.target)
    text = (f'{network.dataset or "own dataset"}, HRNet-W{network.width}, {network.num_layers} '
            f'refinement layers, {len(weights)} arrays')
    return text if own or args.config else f'{text}; {advise(config, network)}'


def advise(config: Config, network: checkpoints.Network) -> str:
    """Name the config to use."""
    name = Path(config.filename).name
    if checkpoints.has_size(config, network):
        return f'its config is {name}'
    return f'no config has this size, give {name} its width and number of layers'


def convert_backbone(args: argparse.Namespace, weights: dict) -> str:
    """Convert an ImageNet HRNet to the initial weights of a backbone."""
    if args.half or args.to_release:
        raise ValueError('--half and --to-release are for whole networks; this is a backbone')
    network = checkpoints.Network('coco', len(weights['transition1.0.0.weight']), 2)
    backbone = checkpoints.backbone_weights(weights)
    if args.show_keys:
        show_keys(backbone)
    model = checkpoints.build_network(find_config(args.config, network), network)
    checkpoints.check_weights(backbone, model.backbone.state_dict())
    storage.write_checkpoint(backbone, {}, args.target)
    return (f'backbone, HRNet-W{network.width}, {len(backbone)} arrays; start a training from it '
            'with model.backbone.init_cfg.checkpoint')


def show_keys(weights: dict) -> None:
    """Print a table of names, with the other side's behind them, in the order of the file."""
    for key, value in weights.items():
        print(f'{key}  ->  {checkpoints.other_name(key)}  {tuple(value.shape)}')


def main() -> None:
    """Convert, or end with what does not fit."""
    args = make_parser().parse_args()
    try:
        what = convert(args)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'{args.target}: {what}')


if __name__ == '__main__':
    main()
