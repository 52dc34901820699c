"""Test a model: python tools/test.py CONFIG CHECKPOINT.

The options are those of MMPose's tool, and --json, --amp and --compile.
"""

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
    parser = argparse.ArgumentParser(description='Test a pose model')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    runner.add_shared_options(parser)
    parser.add_argument('--out', help='file for the metrics, FILE.json')
    parser.add_argument('--dump', help='file for the predictions, FILE.pkl')
    parser.add_argument('--json', help="file for the poses in COCO's result format, FILE.json")
    runner.add_speed_options(parser)
    parser.add_argument(
        '--badcase',
        action='store_true',
        help='collect the worst predictions; top-down configs with a bad-case hook only',
    )
    return parser


def main() -> None:
    """Test, or end with one line that says why not."""
    args = make_parser().parse_args()
    try:
        runner.test(args)
    except runner.RunError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
