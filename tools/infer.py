"""Find the poses in pictures and folders: python tools/infer.py INPUT... --config C --checkpoint W.

Without --config and --checkpoint, the small model that the package ships is used. Writes an
overlay for every picture and one predictions.json, which docs/predictions.md describes. Files that
cannot be read are named at the end, with exit status 1.
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
from pinet_mm.runner import RunError, add_speed_options  # noqa: E402


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='a picture or a folder')
    parser.add_argument('--config', help="a file, or the name of one of the project's configs "
                                         f'({api.SHIPPED})')
    parser.add_argument('--checkpoint',
                        help='path or URL of the weights (those that the package ships for CONFIG)')
    parser.add_argument('--onnx', metavar='FILE',
                        help='run what tools/export_onnx.py wrote, picture by picture, in place '
                             'of CONFIG and CHECKPOINT')
    parser.add_argument('--out', default='poses', help='folder to write into (%(default)s)')
    parser.add_argument('--batch-size', type=int, default=8, help='pictures a pass (%(default)s)')
    parser.add_argument('--pose-thr', type=float, default=0.1,
                        help='persons with a lower score are not drawn (%(default)s)')
    parser.add_argument('--before-fusion', action='store_true',
                        help='show on the left the proposed poses before they are fused')
    parser.add_argument('--device', help='such as cuda:1 (the first GPU, or the CPU)')
    add_speed_options(parser)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings that replace those of the config')
    return parser


def load_model(args: argparse.Namespace):
    """Load the model that the options name.

    Raises:
        RunError: `--onnx` stands beside an option that an exported file cannot follow.
    """
    if not args.onnx:
        return api.load(args.config or api.SHIPPED, args.checkpoint, args.device, args.cfg_options,
                        args.amp, args.compile)
    for name in ('config', 'checkpoint', 'before_fusion', 'device', 'cfg_options', 'amp',
                 'compile'):
        if getattr(args, name):
            raise RunError(f'--{name.replace("_", "-")} has no effect on the file of --onnx')
    return api.load_onnx(args.onnx)


def main() -> None:
    """Predict, or end with one line that says why not."""
    args = make_parser().parse_args()
    try:
        files = api.find_pictures(args.inputs, args.out)  # before the model takes its seconds
        Path(args.out).mkdir(parents=True, exist_ok=True)
        report = api.infer(load_model(args), files, args.out, args.batch_size, args.pose_thr,
                           args.before_fusion)
    except (OSError, RunError, ValueError) as error:
        sys.exit(f'error: {error}')
    rate = report.pictures / max(report.seconds, 1e-9)
    pictures = '1 picture' if report.pictures == 1 else f'{report.pictures} pictures'
    print(f'{pictures} in {report.seconds:.1f} s ({rate:.1f} images/s); '
          f'overlays and {report.json.name} are in {report.json.parent}')
    if report.unreadable:
        count = len(report.unreadable)
        files = '1 file is no picture' if count == 1 else f'{count} files are no pictures'
        sys.exit(f'error: {files} that can be read: ' + ', '.join(report.unreadable))


if __name__ == '__main__':
    main()
