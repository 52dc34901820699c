"""Evaluate a model: pinet-mm test CONFIG CHECKPOINT.

The options are those of MMPose's tool, and --ann, --img, --json, --amp and --compile.
"""

import argparse

from ..errors import InputError, RunError
from ..runner import TestOptions, test
from . import command
from .options import add_run_options, add_speed_options


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description='Evaluate a pose model')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    add_run_options(parser)
    parser.add_argument(
        '--ann', metavar='FILE', help="annotations to evaluate on in place of the config's"
    )
    parser.add_argument('--img', metavar='DIR', help='folder of the images of --ann')
    parser.add_argument('--out', help='file for the metrics, FILE.json')
    parser.add_argument('--dump', help='file for the predictions, FILE.pkl')
    parser.add_argument('--json', help="file for the poses in COCO's result format, FILE.json")
    add_speed_options(parser)
    parser.add_argument(
        '--badcase',
        action='store_true',
        help='collect the worst predictions; top-down configs with a bad-case hook only',
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Evaluate as the options say."""
    test(TestOptions(**vars(args)))


# An OSError after hours of running keeps its traceback.
main = command(make_parser, run, expected=(InputError, RunError))
