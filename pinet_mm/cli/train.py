"""Train a model: pinet-mm train CONFIG. The options are those of MMPose's own tool."""

import argparse

from ..errors import InputError, RunError
from . import command
from .options import CONFIG_HELP, ResumableParser, add_run_options

EXAMPLES = (
    'pinet_lite_coco --work-dir runs/first',
    'my_config.py --cfg-options train_dataloader.batch_size=8 --resume',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = ResumableParser(
        description='Train a pose model',
    )
    parser.add_argument('config', help=CONFIG_HELP)
    add_run_options(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint; without a value, from the latest one in the work folder',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision; bfloat16 on a CPU that has it, on a GPU as optim_wrapper.dtype says',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate checkpoints during training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual batch size over the one the config names',
    )
    parser.add_argument(
        '--skip-bad-batches',
        action='store_true',
        help='skip batches whose losses or gradients are not finite, instead of stopping',
    )
    parser.add_argument(
        '--on-device',
        action='store_true',
        help='keep all images in the memory of the GPU, which makes crops and targets itself',
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Train as the options say."""
    from ..runner import TrainOptions, train

    train(TrainOptions(**vars(args)))


# An OSError after hours of running keeps its traceback.
main = command(make_parser, run, expected=(InputError, RunError), examples=EXAMPLES)
