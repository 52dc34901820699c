"""Check that the package computes on a GPU what it computes on the CPU.

Prints a line per comparison and ends with status 1 if one failed.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli import command  # repairs MMPose, so it comes before everything else

from studies import gpu


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--budget',
        type=float,
        default=120,
        metavar='SECONDS',
        help='no check starts after this (%(default)s)',
    )
    parser.add_argument(
        '--device', default='cuda:0', help='what is checked; a CPU with small sizes (%(default)s)'
    )
    parser.add_argument(
        '--out',
        type=Path,
        metavar='FILE.json',
        help='write the rows there, and as a Markdown table beside it',
    )
    parser.add_argument('--only', nargs='+', metavar='CHECK', help=f'of {", ".join(gpu.CHECKS)}')
    return parser


def check(args: argparse.Namespace) -> int:
    """Check and print; return the exit status."""
    rows = gpu.check_gpu(
        args.device, args.budget, args.only, lambda row: print(gpu.line(row), flush=True)
    )
    if args.out:
        gpu.write_rows(args.out, rows)
    print('\n' + gpu.summary(rows))
    return int(gpu.failed(rows))


main = command(make_parser, check)

if __name__ == '__main__':
    sys.exit(main())
