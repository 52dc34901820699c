"""Evaluate a model: pinet-mm test CONFIG [CHECKPOINT].

The options are those of MMPose's tool, and --ann, --img, --json, --amp and --compile.
"""

import argparse

from ..environment.printing import print_line
from ..errors import InputError, RunError
from . import command
from .options import CONFIG_HELP, MixedParser, add_run_options, add_speed_options

EXAMPLES = (
    'pinet_lite_photos --ann people.json --img images --json poses.json',
    'my_config.py work_dirs/my_config/epoch_9.pth --out metrics.json',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = MixedParser(
        description='Evaluate a pose model',
    )
    parser.add_argument('config', help=CONFIG_HELP)
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint file or URL (the shipped weights of the config)'
    )
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
    """Evaluate as the options say.

    Raises:
        RunError: no checkpoint is named, and there is no such config or the package ships none
            for it.
    """
    from ..runner import TestOptions, test
    from ..runner.first_process import is_first

    if args.checkpoint is None:
        args.checkpoint = _shipped_weights(args.config)
    if is_first():
        print('reading config, weights and annotations', flush=True)
    test(TestOptions(**vars(args)))


def _shipped_weights(config: str) -> str:
    from .. import api
    from ..configs import config_path

    try:
        config_path(config)
        path = str(api.shipped_weights(config))
    except FileNotFoundError as error:
        raise RunError(str(error)) from error
    print_line(api.describe(path)[0])
    return path


# An OSError after hours of running keeps its traceback.
main = command(make_parser, run, expected=(InputError, RunError), examples=EXAMPLES)
