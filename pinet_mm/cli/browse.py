"""Draw the training targets of a dataset: pinet-mm data browse CONFIG --out browse.

A sheet per training sample, after crop and flip: the annotated people, keypoint heatmaps, part
centers, the offsets from parts to keypoints, and where there is no loss. No model is built.
"""

import argparse

from ..environment.printing import print_line
from . import command
from .options import CONFIG_HELP, add_config_options, to_count, to_seed

EXAMPLES = ('my_config.py --count 20 --out browse',)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description='Draw the training targets of a dataset')
    parser.add_argument('config', help=CONFIG_HELP)
    parser.add_argument('--out', default='browse', help='folder to write into (%(default)s)')
    parser.add_argument(
        '--count', type=to_count, default=8, help='samples, spread over the dataset (%(default)s)'
    )
    parser.add_argument('--seed', type=to_seed, default=0, help='of crops and flips (%(default)s)')
    add_config_options(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Draw the sheets and say where they are."""
    from ..configs import read_config
    from ..inference.browsing import browse

    config = read_config(args.config, args.cfg_options)
    written = browse(config, args.out, args.count, args.seed)
    print_line(f'{len(written)} sheets are in {args.out}')


main = command(make_parser, run, examples=EXAMPLES)
