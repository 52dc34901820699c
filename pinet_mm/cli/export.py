"""Write a PINet as one ONNX file: pinet-mm export CONFIG [CHECKPOINT] OUT.onnx.

The file takes images of any number and size and gives the people's poses; docs/export.md says
how to use it. It is then compared with PyTorch on drawn crowds of two other sizes and numbers.
With --int8 it computes in 8 bits, and is compared with the file that does not; with --half-weights
it stores float16 and computes in float32.
"""

import argparse
from pathlib import Path

from ..atomic import require_writable
from . import command
from .options import CONFIG_HELP, MixedParser, add_config_options

EXAMPLES = (
    'pinet_lite_photos model.onnx',
    'my_config.py weights.pth model.onnx --max-poses 30',
    'my_config.py weights.pth small.onnx --int8 images/',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = MixedParser(description='Write a PINet as one ONNX file')
    parser.add_argument('config', help=CONFIG_HELP)
    parser.add_argument(
        'checkpoint', nargs='?', help='path or URL of the weights (those shipped for the config)'
    )
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument(
        '--max-poses',
        type=int,
        help='rows for the people of an image (as many as there are proposals)',
    )
    parser.add_argument(
        '--opset',
        type=int,
        default=18,
        help='version of the operators of ONNX (%(default)s)',
    )
    parser.add_argument(
        '--int8',
        nargs='+',
        metavar='INPUT',
        help='compute in 8 bits; INPUT are images or folders with some dozens of '
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
    add_config_options(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Write and check the file, and print how well it agrees."""
    from .. import api
    from ..export import check, graph, int8

    graph.require_packages()
    require_writable(args.out)
    model = api.load(args.config, args.checkpoint, 'cpu', args.cfg_options)
    options = dict(
        max_poses=args.max_poses,
        opset=args.opset,
        size=tuple(args.size),
        half_weights=args.half_weights,
    )
    if args.int8:
        print('writing it in float32 and in 8 bits, and comparing both', flush=True)
        print(int8.export_int8(model, args.out, args.int8, **options))
    else:
        print('tracing the network and writing the file', flush=True)
        graph.export_onnx(model, args.out, **options)
        print('comparing it with PyTorch on drawn crowds', flush=True)
        print(check.check(args.out, model))
    note = graph.note_on_rows(model, args.max_poses)
    if note:
        print(note)


main = command(make_parser, run, examples=EXAMPLES)
