"""Find the poses in pictures and folders: python tools/infer.py INPUT... --config C --checkpoint W.

Writes an overlay for every picture and one predictions.json.
"""

import argparse
import sys
from pathlib import Path

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from mmengine.config import DictAction  # noqa: E402

from pinet_mm import api  # noqa: E402


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='a picture or a folder')
    parser.add_argument('--config', required=True)
    parser.add_argument('--checkpoint', required=True, help='path or URL of the weights')
    parser.add_argument('--out', default='poses', help='folder to write into (%(default)s)')
    parser.add_argument('--batch-size', type=int, default=8, help='pictures a pass (%(default)s)')
    parser.add_argument('--pose-thr', type=float, default=0.1,
                        help='persons with a lower score are not drawn (%(default)s)')
    parser.add_argument('--device', help='such as cuda:1 (the first GPU, or the CPU)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings that replace those of the config')
    return parser


def main() -> None:
    """Predict, or end with one line that says why not."""
    args = make_parser().parse_args()
    try:
        model = api.load(args.config, args.checkpoint, args.device, args.cfg_options)
        report = api.infer(model, args.inputs, args.out, args.batch_size, args.pose_thr)
    except FileNotFoundError as error:
        sys.exit(f'error: {error}')
    print(f'overlays and {report.name} are in {report.parent}')


if __name__ == '__main__':
    main()
