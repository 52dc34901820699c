"""Bring a checkpoint of the authors' PINet here: python tools/convert_checkpoint.py SRC DST.

SRC is a training checkpoint of theirs, a bare state dict, or an ImageNet HRNet (which becomes the
initial weights of a backbone). DST holds the same numbers for MMPose, with the dataset's metainfo.
`--to-release` goes the other way.
"""

import argparse
import sys
from pathlib import Path

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from mmengine.config import Config  # noqa: E402

from pinet_mm import checkpoints  # noqa: E402


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', metavar='SRC')
    parser.add_argument('target', metavar='DST')
    parser.add_argument('--config', help='config of the model; by default the release config of '
                                         'the dataset that the shapes tell')
    parser.add_argument('--to-release', action='store_true',
                        help='SRC is a checkpoint of this package, DST gets the names of theirs')
    parser.add_argument('--show-keys', action='store_true',
                        help='print every name there and here, with its shape')
    return parser


def find_config(path: str | None, network: checkpoints.Network) -> Config:
    """Load the config that was named, or that of the recognised dataset."""
    return Config.fromfile(
        path or ROOT / 'configs' / f'pinet_hrnet_{network.dataset}_release.py')


def convert(args: argparse.Namespace) -> str:
    """Convert one checkpoint.

    Returns:
        What it was.
    """
    weights = checkpoints.read_weights(args.source)
    if 'classifier.weight' in weights:
        return convert_backbone(args, weights)
    if args.to_release:
        weights = checkpoints.ours_to_release(weights)
    network = checkpoints.recognise(weights)
    config = find_config(args.config, network)
    ours = checkpoints.release_to_ours(weights)
    if args.show_keys:
        show_keys(weights, ours)
    checkpoints.check_weights(ours, checkpoints.build_network(config, network).state_dict())
    checkpoints.write_checkpoint(
        weights if args.to_release else
        dict(meta=dict(dataset_meta=checkpoints.dataset_meta(config)), state_dict=ours),
        args.target)
    return (f'{network.dataset}, HRNet-W{network.width}, {network.num_layers} refinement layers, '
            f'{len(weights)} arrays')


def convert_backbone(args: argparse.Namespace, weights: dict) -> str:
    """Convert an ImageNet HRNet to the initial weights of a backbone."""
    network = checkpoints.Network('coco', len(weights['transition1.0.0.weight']), 1)
    backbone = checkpoints.backbone_weights(weights)
    if args.show_keys:
        show_keys(backbone, backbone)
    model = checkpoints.build_network(find_config(args.config, network), network)
    checkpoints.check_weights(backbone, model.backbone.state_dict())
    checkpoints.write_checkpoint(dict(state_dict=backbone), args.target)
    return f'backbone, HRNet-W{network.width}, {len(backbone)} arrays'


def show_keys(theirs: dict, ours: dict) -> None:
    """Print a table of names, theirs and ours, in the order of the file."""
    for (old, value), new in zip(theirs.items(), ours):
        print(f'{old}  ->  {new}  {tuple(value.shape)}')


def main() -> None:
    """Convert, or end with what does not fit."""
    args = make_parser().parse_args()
    try:
        what = convert(args)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f'error: {error.args[0] if isinstance(error, KeyError) else error}')
    print(f'{args.target}: {what}')


if __name__ == '__main__':
    main()
