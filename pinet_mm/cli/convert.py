"""Bring a checkpoint of the official implementation here: pinet convert SRC DST.

SRC is a training checkpoint of theirs, a bare state dict, or an ImageNet HRNet (which becomes the
initial weights of a backbone). DST holds the same numbers for MMPose, with the dataset's metainfo.
`--to-release` goes the other way; a checkpoint of this package without that option is written anew,
without its optimizer. SRC and DST may end in .pth, .pth.tar or .safetensors.
"""

import argparse

from ..checkpoints.convert import convert
from . import command


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Bring a checkpoint of the authors' PINet here, or one of ours there"
    )
    parser.add_argument('source', metavar='SRC')
    parser.add_argument('target', metavar='DST')
    parser.add_argument(
        '--config',
        help='config of the model, a file or the name of one of the '
        "project's; by default the release config of the "
        'dataset that the shapes tell',
    )
    parser.add_argument(
        '--to-release',
        action='store_true',
        help='give DST, a bare state dict, the names of the release',
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
    """Convert, and say into what."""
    what = convert(
        args.source, args.target, args.config, args.to_release, args.half, args.show_keys
    )
    print(f'{args.target}: {what}')


main = command(make_parser, run)
