"""Find the poses in images and folders: pinet-mm infer INPUT... --config C --checkpoint W.

Without --config and --checkpoint, the model that the package ships is used. Says which model runs
and what it knows; writes an overlay for every image and one predictions.json, which
docs/predictions.md describes; says in how many images nobody scores --pose-thr. Files that cannot
be read are named at the end, with exit status 1.
"""

import argparse
import logging
from pathlib import Path

from ..errors import RunError
from . import command
from .options import POSE_THR, SHIPPED, add_config_options, add_speed_options
from .telling import announce, tell

# Options that an exported file has fixed.
NOT_WITH_ONNX = (
    'config',
    'checkpoint',
    'before_fusion',
    'device',
    'cfg_options',
    'amp',
    'compile',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description='Find the poses in images and folders')
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='an image or a folder')
    parser.add_argument(
        '--config', help=f"a file, or the name of one of the project's configs ({SHIPPED}.py)"
    )
    parser.add_argument(
        '--checkpoint', help='path or URL of the weights (those that the package ships for CONFIG)'
    )
    parser.add_argument(
        '--onnx',
        metavar='FILE',
        help='run what tools/export_onnx.py wrote, image by image, in place '
        'of CONFIG and CHECKPOINT',
    )
    parser.add_argument('--out', default='poses', help='folder to write into (%(default)s)')
    parser.add_argument('--batch-size', type=int, default=8, help='images per pass (%(default)s)')
    parser.add_argument(
        '--pose-thr',
        type=float,
        default=POSE_THR,
        help='people with a lower score are neither drawn nor written (%(default)s)',
    )
    parser.add_argument(
        '--all-poses', action='store_true', help='write people of any score into the JSON'
    )
    parser.add_argument(
        '--json-schema',
        type=int,
        choices=(1, 2),
        default=2,
        help='form of predictions.json; 1 is that of version 0.1 (%(default)s)',
    )
    parser.add_argument(
        '--before-fusion',
        action='store_true',
        help='show on the left the proposed poses before they are fused',
    )
    parser.add_argument('--device', help='such as cuda:1 (the first GPU, or the CPU)')
    add_speed_options(parser)
    add_config_options(parser)
    return parser


def load_model(args: argparse.Namespace):
    """Load the model that the options name.

    Raises:
        RunError: `--onnx` stands beside an option that an exported file cannot follow, or its file
            cannot say how to resize an image.
    """
    from .. import api

    if not args.onnx:
        return api.load(
            args.config or api.SHIPPED,
            args.checkpoint,
            args.device,
            args.cfg_options,
            args.amp,
            args.compile,
        )
    for name in NOT_WITH_ONNX:
        if getattr(args, name):
            raise RunError(f'--{name.replace("_", "-")} has no effect on the file of --onnx')
    model = api.load_onnx(args.onnx)
    if not model.resize:
        raise RunError(
            f'{args.onnx} does not say how to resize images: its config does so otherwise'
        )
    return model


def run(args: argparse.Namespace) -> None:
    """Predict, write, and print what was found.

    Raises:
        RunError: there are files among the inputs that cannot be read; all others are done by then.
    """
    from .. import api

    logging.getLogger('pinet_mm.api').setLevel(logging.ERROR)  # `announce` prints it
    files = api.find_images(args.inputs, args.out)  # fails before the model is loaded
    Path(args.out).mkdir(parents=True, exist_ok=True)
    model = load_model(args)
    announce(args.onnx or args.checkpoint or api.shipped_weights(args.config or api.SHIPPED))
    form = api.Form(args.all_poses, args.json_schema)
    report = api.infer(
        model, files, args.out, args.batch_size, args.pose_thr, args.before_fusion, form
    )
    tell(report, args.pose_thr)


main = command(make_parser, run)
