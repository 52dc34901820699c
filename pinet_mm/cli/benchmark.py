"""Measure the speed of a model: pinet-mm benchmark [PART [CONFIG [CHECKPOINT]]].

The same as `python tools/benchmark.py`: what measures lies beside the package, in a checkout.
"""

import argparse
import runpy
import sys
from pathlib import Path

from ..errors import RunError
from . import command

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmark.py'
EXAMPLES = (
    'images pinet_lite_photos',
    'decode --out work_dirs/benchmark',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description='Measure the speed of a model, in a checkout; python tools/benchmark.py '
        '--help has all parts and options'
    )
    parser.add_argument(
        'words', nargs=argparse.REMAINDER, metavar='PART ...', help='those of tools/benchmark.py'
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Run the tool of the checkout.

    Raises:
        RunError: the package is installed without its checkout.
    """
    if not TOOL.is_file():
        raise RunError(f'benchmark needs a checkout of the project; found no {TOOL}')
    sys.argv[:] = [str(TOOL), *args.words]
    runpy.run_path(str(TOOL), run_name='__main__')


main = command(make_parser, run, examples=EXAMPLES)
