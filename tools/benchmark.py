"""Measure the package: python tools/benchmark.py [PART] [CONFIG [CHECKPOINT]].

Prints Markdown tables of one run, times and their ratios; without PART all parts run, which takes
minutes on a CPU.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

# Processor times are compared on one core, whatever else the machine does.
os.environ.setdefault('OMP_NUM_THREADS', '1')

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli import command

import torch

from studies.benchmark.parts import LIGHT, SMALL, WIDE, Options, run

PARTS = dict(
    encode="targets of an image: the codec, the plain loops of the tests, MMPose's SPR codec",
    decode="from CONFIG's maps to people: stages, plain loops, MMPose's CID and DEKR",
    images='images per second of CONFIG by batch and precision, and of CID on its backbone',
    scaling='stages and memory of CONFIG as people, images and batches grow',
    training='stages and memory of a step of training of CONFIG, with and without --amp',
    gpu="a GPU's images/s by batch and precision, training, the host's part; no part of all",
)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parts = '; '.join(f'{name}: {text}' for name, text in PARTS.items())
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=parts)
    parser.add_argument(
        'part',
        nargs='?',
        default='all',
        choices=['all', *PARTS],
        help='what is measured (%(default)s)',
    )
    parser.add_argument(
        'config',
        nargs='?',
        help="for all but encode: a file, or the name of one of the project's "
        f'configs ({SMALL}; for images also {LIGHT} and {WIDE}, for decode {WIDE} alone)',
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='of CONFIG, for images and scaling; by default the shipped weights, or random ones',
    )
    _add_options(parser)
    _add_part_options(parser)
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--out',
        type=Path,
        metavar='DIR',
        help='write benchmark.md, benchmark.json and the plot there (all: work_dirs/benchmark)',
    )
    parser.add_argument('--repeats', type=int, help='turns of which the median counts')
    parser.add_argument(
        '--device',
        default='cuda:0' if torch.cuda.is_available() else 'cpu',
        help='where networks and decoding run (%(default)s)',
    )


def _add_part_options(parser: argparse.ArgumentParser) -> None:
    # Options that only the parts named in their help take.
    parser.add_argument(
        '--persons', type=int, nargs='+', help='sizes of the crowds of encode and scaling'
    )
    parser.add_argument('--sizes', type=int, nargs='+', help='sides of the images of scaling')
    parser.add_argument(
        '--batches', type=int, nargs='+', help='batch sizes of images, scaling and training'
    )
    parser.add_argument(
        '--budget',
        type=float,
        default=120,
        metavar='SECONDS',
        help='gpu: no step starts after this (%(default)s)',
    )
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='WORD',
        help='gpu: the steps whose name contains one, such as compiled or host, in this order',
    )
    parser.add_argument(
        '--compile',
        dest='compiled',
        action='store_true',
        help='images: also compiled networks and ONNX files, which takes minutes',
    )


def bench(args: argparse.Namespace) -> None:
    """Measure, print, and write if a folder is named."""
    tell = partial(print, flush=True)
    named = {name: value for name, value in vars(args).items() if name not in ('part', 'out')}
    run(args.part, Options(tell=tell, **named), args.out, tell)


main = command(make_parser, bench)

if __name__ == '__main__':
    main()
