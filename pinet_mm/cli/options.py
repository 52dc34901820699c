"""Options that several commands have."""

import argparse
import shlex
import sys
from collections.abc import Iterable
from typing import Any

# As in onnx_runner, which imports OpenCV: `--help` answers before that is done.
SHIPPED = 'pinet_lite_photos'
POSE_THR_HELP = 'by the model: 0.4 for expected OKS, 0.1 for mean keypoint scores'
LARGEST_SEED = 2**32 - 1
CONFIG_HELP = "a file, or the name of one of the project's configs"


class ConfigOptions(argparse.Action):
    """MMEngine's `DictAction`, which is imported when the option is given: help needs no torch."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Add the settings `KEY=VALUE` to those of the namespace."""
        from mmengine.config import DictAction

        odd = next((word for word in values if '=' not in word), None)
        if odd is not None:
            raise argparse.ArgumentError(self, f'expected KEY=VALUE; found {odd!r}')
        action = DictAction(self.option_strings, self.dest, nargs=self.nargs)
        try:
            action(parser, namespace, values, option_string)
        except AssertionError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        except RecursionError as error:
            raise argparse.ArgumentError(self, 'lists are nested too deeply') from error


class MixedParser(argparse.ArgumentParser):
    """Let options stand between positional words, of which one may be left out."""

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does, which would take the word as left out at the first option."""
        words = None if args is None else list(args)
        return self.parse_intermixed_args(words, namespace)


class ResumableParser(argparse.ArgumentParser):
    """Put the line that goes on with a training, if it is stopped, into `command`."""

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does."""
        words = sys.argv[1:] if args is None else list(args)
        parsed = super().parse_args(words, namespace)
        is_tool = self.prog.endswith('.py')
        start = ['python', sys.argv[0]] if is_tool else self.prog.split()
        again = [] if parsed.resume == 'auto' else ['--resume']
        # A launcher's own words are not known here.
        alone = parsed.launcher == 'none'
        parsed.command = shlex.join([*start, *words, *again]) if alone else None
        return parsed


def to_score(text: str) -> float:
    """Return a score from 0 to 1.

    Raises:
        ArgumentTypeError: the text is none.
    """
    try:
        score = float(text)
    except ValueError:
        score = -1
    if not 0 <= score <= 1:
        raise argparse.ArgumentTypeError(f'expected a score from 0 to 1; found {text}')
    return score


def to_pose_thr(text: str) -> float | str:
    """Return a score from 0 to 1, or `auto`, the default.

    Raises:
        ArgumentTypeError: the text is neither.
    """
    return text if text == 'auto' else to_score(text)


def to_count(text: str) -> int:
    """Return a number of things, 1 at least.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f'expected a number from 1 on; found {text}')
    return int(text)


def to_threads(text: str) -> int:
    """Return a number of threads, 0 for one per core.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f'expected a number from 0 on; found {text}')
    return int(text)


def to_seed(text: str) -> int:
    """Return a seed that numpy takes.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(
            f'expected a whole number from 0 to {LARGEST_SEED}; found {text}'
        )
    return int(text)


def add_config_options(parser: argparse.ArgumentParser, more: str = '') -> None:
    """Add `--cfg-options`, as MMPose's tools have it.

    Args:
        parser: parser of the command; changed in place.
        more: what its help says in addition.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help=f'settings that replace those of the config{more}',
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what training and evaluation have in common, named as in MMPose's tools.

    Args:
        parser: parser of the command; changed in place.
    """
    add = parser.add_argument
    add('--work-dir', help='folder for logs, checkpoints and results (work_dirs/CONFIG)')
    add_config_options(
        parser,
        ', such as train_dataloader.batch_size=8; write lists as KEY="[a,b]" or KEY=a,b, without '
        'spaces',
    )
    add('--show-dir', help='folder for images with the predicted poses drawn over them')
    add('--show', action='store_true', help='show these images in a window')
    add('--interval', type=int, default=1, help='draw every n-th batch only (%(default)s)')
    add('--wait-time', type=float, default=1, help='seconds a window stays open (%(default)s)')
    add(
        '--category',
        metavar='NAME',
        help='name or id of the person category, if several have keypoints',
    )
    add('--allow-outside', action='store_true', help='annotations may name images anywhere')
    add(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run (%(default)s)',
    )
    # torch.distributed.launch passes one spelling or the other, depending on the version of torch.
    add('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_speed_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of inference that `acceleration` explains.

    Args:
        parser: parser of the command; changed in place.
    """
    parser.add_argument(
        '--amp',
        action='store_true',
        help='most of it in half precision: bfloat16 on a CPU that has it, float16 on a GPU',
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the model: minutes for every size and number of images, then faster',
    )
