"""Draw the curves of trainings: pinet-mm plot WORK_DIR... --out curves.png.

Losses, learning rate and AP by iteration, from the numbers in a work folder. A training that was
resumed is one curve. Several work folders are drawn into one figure, one curve each.
"""

import argparse
import math
from pathlib import Path

from ..environment.printing import print_line
from . import command

EXAMPLES = (
    'work_dirs/mouse',
    'runs/small runs/large --out sizes.svg',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description='Draw losses, learning rate and AP of trainings',
    )
    parser.add_argument('runs', nargs='+', metavar='WORK_DIR', help='work folder of a training')
    parser.add_argument('--out', default='curves.png', help='figure to write (%(default)s)')
    return parser


def run(args: argparse.Namespace) -> None:
    """Draw the figure; print the last numbers of each run."""
    from ..curves import draw_curves, read_curves

    runs = {_name(each, args.runs): read_curves(each) for each in args.runs}
    draw_curves(runs, args.out)
    for name, curves in runs.items():
        losses, metrics = [*curves.losses.values()][0], [*curves.metrics.items()][:1]
        best = ''.join(f'; best {key} {max(each.values()):.3f}' for key, each in metrics if each)
        step = max(losses, default=0)
        print_line(f'{name}: iteration {step}, loss {losses.get(step, math.nan):.4g}{best}')
    print_line(f'curves are in {args.out}')


def _name(folder: str, folders: list[str]) -> str:
    """Return the folder's own name, or its whole path where another has the same name."""
    own = Path(folder).resolve().name
    return own if [Path(each).resolve().name for each in folders].count(own) == 1 else folder


main = command(make_parser, run, examples=EXAMPLES)
