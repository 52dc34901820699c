"""Write a PINet as one ONNX file: python tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx.

The file takes pictures of any number and size and gives the persons' poses; docs/export.md says
how to use it. It is then compared with PyTorch on drawn crowds of two other sizes and numbers.
With --int8 it computes in 8 bits, and is compared with the file that does not; with --half-weights
it stores float16 and computes in float32.
"""

import argparse
import sys
from pathlib import Path

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.export import check as export_check
from pinet_mm.export import graph as export
from pinet_mm.export import int8 as quantization

from mmengine.config import DictAction


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help="a file, or the name of one of the project's configs")
    parser.add_argument('checkpoint', help='path or URL of the weights')
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument(
        '--max-poses',
        type=int,
        help='rows for the persons of a picture (as many as there are proposals)',
    )
    parser.add_argument(
        '--opset',
        type=int,
        default=18,
        help=f'of ONNX, {export.OPSETS[0]} to {export.OPSETS[-1]} (%(default)s)',
    )
    parser.add_argument(
        '--int8',
        nargs='+',
        metavar='INPUT',
        help='compute in 8 bits; INPUT are pictures or folders with some dozens of '
        'them, such as the model will see: they tell the range of its values',
    )
    parser.add_argument(
        '--half-weights',
        action='store_true',
        help='store the weights in float16, half the size; all is computed in float32 as without',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(192, 128),
        metavar=('W', 'H'),
        help='input to trace with, on which the file does not depend (192 128)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings that replace those of the config',
    )
    return parser


def main() -> None:
    """Write and check the file, or end with one line that says why not."""
    args = make_parser().parse_args()
    try:
        export.require_packages()
        model = api.load(args.config, args.checkpoint, 'cpu', args.cfg_options)
        options = dict(
            max_poses=args.max_poses,
            opset=args.opset,
            size=tuple(args.size),
            half_weights=args.half_weights,
        )
        if args.int8:
            report = quantization.export_int8(model, args.out, args.int8, **options)
        else:
            export.export_onnx(model, args.out, **options)
            report = export_check.check(args.out, model)
    except (FileNotFoundError, RunError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(report)


if __name__ == '__main__':
    main()
