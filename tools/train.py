"""Train a model: python tools/train.py CONFIG. The options are those of MMPose's own tool."""

import argparse
import sys
from pathlib import Path

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from pinet_mm import runner


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description='Train a pose model')
    parser.add_argument('config', help='config file')
    runner.add_shared_options(parser)
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
    return parser


def main() -> None:
    """Train, or end with one line that says why not."""
    args = make_parser().parse_args()
    try:
        runner.train(args)
    except runner.RunError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
