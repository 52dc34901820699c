"""Measure the package: python tools/benchmark.py encode.

Prints a Markdown table of one run, times and their ratios.
"""

import argparse
import json
import os
import sys
from pathlib import Path

# Processor times are compared on one core, whatever else the machine does.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from pinet_mm.benchmark import bench_encode, to_markdown  # noqa: E402
from pinet_mm.runner import RunError  # noqa: E402


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest='part', required=True, metavar='PART')
    encode = parts.add_parser('encode', help='targets of a picture: the codec, the naive loops of '
                                             "the tests, MMPose's SPR codec")
    encode.add_argument('--persons', type=int, nargs='+', default=[2, 10, 30, 100],
                        help='sizes of the crowds')
    encode.add_argument('--repeats', type=int, default=7,
                        help='turns of which the median counts (%(default)s)')
    encode.add_argument('--json', type=Path, metavar='FILE', help='also write the rows there')
    return parser


def main() -> None:
    """Measure and print, or end with one line that says why not."""
    args = make_parser().parse_args()
    try:
        rows = bench_encode(args.persons, args.repeats)
    except (RunError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(to_markdown(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + '\n')


if __name__ == '__main__':
    main()
