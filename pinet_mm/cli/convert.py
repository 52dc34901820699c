"""Convert a checkpoint of the official implementation: pinet-mm convert SRC DST.

SRC is one of its training checkpoints, a bare state dict, or an ImageNet HRNet (which becomes the
initial weights of a backbone). DST holds the same numbers for MMPose, with the dataset's metainfo.
`--to-release` goes the other way; a checkpoint of this package without that option is written anew,
without its optimizer. SRC and DST may end in .pth, .pth.tar or .safetensors.
"""

import argparse
from typing import TYPE_CHECKING

from ..environment.printing import print_line
from . import command

if TYPE_CHECKING:
    from ..checkpoints import Conversion

EXAMPLES = (
    'crowdpose.pth weights.pth',
    'weights.pth official.pth --to-release',
    'hrnet_w32-36af842e.pth imagenet.pth',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Convert a checkpoint of the authors' PINet to this package, or back"
    )
    parser.add_argument('source', metavar='SRC')
    parser.add_argument('target', metavar='DST')
    parser.add_argument(
        '--config',
        help='config of the model, a file or the name of one of the '
        "project's; by default the release config of the "
        'dataset that the shapes show',
    )
    parser.add_argument(
        '--to-release',
        action='store_true',
        help='write DST as a bare state dict with the names of the official implementation',
    )
    parser.add_argument(
        '--half',
        action='store_true',
        help='store matrices and kernels in half precision: half the size',
    )
    parser.add_argument(
        '--show-keys', action='store_true', help='print every name there and here, with its shape'
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Convert, and print what it was."""
    from ..checkpoints import convert_checkpoint

    done = convert_checkpoint(args.source, args.target, args.config, args.to_release, args.half)
    if args.show_keys:
        for key, other, shape in done.names:
            print_line(f'{key}  ->  {other}  {shape}')
    print_line(f'{args.target}: {describe(done, args.config is not None)}')


def describe(done: 'Conversion', config_is_named: bool) -> str:
    """Return what a checkpoint was, and which config goes with it if that was not known before.

    Args:
        done: the conversion.
        config_is_named: the user named the config.
    """
    count, network = f'{len(done.names)} arrays', done.network
    if network is None:
        return f'the network of {done.config.name}, {count}'
    hrnet = f'HRNet-W{network.width}'
    if done.is_backbone:
        option = 'model.backbone.init_cfg.checkpoint'
        return f'backbone, {hrnet}, {count}; start a training from it with {option}'
    dataset, layers = network.dataset or 'own dataset', f'{network.num_layers} refinement layers'
    text = f'{dataset}, {hrnet}, {layers}, {count}'
    if done.was_ours or config_is_named:
        return text
    name = done.config.name
    if done.config_has_size:
        return f'{text}; its config is {name}'
    return f'{text}; no config has this size, give {name} its width and number of layers'


main = command(make_parser, run, examples=EXAMPLES)
