"""Measure the tracker and ByteTrack on drawn videos: python tools/tracking.py OUT."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli import command
from pinet_mm.errors import RunError


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description='Measure how well identities are kept in drawn videos of crossing people'
    )
    parser.add_argument('out', type=Path, help='folder for results.json')
    parser.add_argument('--val', type=int, default=3, help='videos to choose thresholds on')
    parser.add_argument('--test', type=int, default=5, help='videos to measure on')
    return parser


def run(args: argparse.Namespace) -> None:
    """Run the study and print its table.

    Raises:
        RunError: the library with the metrics and with ByteTrack is missing.
    """
    try:
        import trackers  # noqa: F401 - fails before the model runs
    except ImportError as error:
        raise RunError('ByteTrack and the metrics need `pip install trackers`') from error
    from studies.tracking import run as run_study
    from studies.tracking.study import to_table

    print(to_table(run_study(args.out, args.val, args.test)['rows']))


main = command(make_parser, run)

if __name__ == '__main__':
    main()
