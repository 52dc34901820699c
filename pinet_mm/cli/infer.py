"""Find the poses in images, videos and streams: pinet-mm infer INPUT... --config C --checkpoint W.

Without --config and --checkpoint, the model that the package ships is used. Says which model runs
and what it knows; writes an overlay for every image and video, and one predictions.json, which
docs/predictions.md describes; says in how many images nobody scores --pose-thr. What cannot be read
is named at the end, with exit status 1.
"""

import argparse
import logging
from dataclasses import replace

from ..errors import RunError
from . import command, finding
from .options import SHIPPED, add_config_options, add_speed_options, to_count
from .telling import announce, tell, warn_of_problems

EXAMPLES = (
    'street.jpg folder/ --out poses',
    'street.jpg --config pinet_hrnet_crowdpose.py --checkpoint weights.pth',
    "'clips/*.mp4' --every 5 --start 1:30 --end 2:00 --track",
    'rtsp://camera.local/stream --no-overlays',
    'crowd.jpg --explain',
    "find . -name '*.png' | {} - --resume",
)

# Options that an exported file cannot follow.
NOT_WITH_ONNX = (
    'config',
    'checkpoint',
    'before_fusion',
    'explain',
    'device',
    'cfg_options',
    'amp',
    'compile',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = finding.make_parser('Find the poses in')
    _add_model_options(parser)
    finding.add_source_options(parser)
    finding.add_output_options(parser)
    _add_insight_options(parser)
    finding.add_track_options(parser)
    add_speed_options(parser)
    add_config_options(parser)
    return parser


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--config', help=f"a file, or the name of one of the project's configs ({SHIPPED}.py)")
    add('--checkpoint', help='path or URL of the weights (those that the package ships for CONFIG)')
    add(
        '--onnx',
        metavar='FILE',
        help='run what tools/export_onnx.py wrote, image by image, in place '
        'of CONFIG and CHECKPOINT',
    )
    add('--device', help='such as cuda:1 (the first GPU, or the CPU)')
    add('--batch-size', type=to_count, default=8, help='images per pass (%(default)s)')
    finding.add_threads_option(parser)
    finding.add_short_side_option(parser)


def _add_insight_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_mutually_exclusive_group().add_argument
    add(
        '--before-fusion',
        action='store_true',
        help='show on the left the proposed poses before they are fused',
    )
    add(
        '--explain',
        action='store_true',
        help='draw a sheet in place of each overlay: part centers, coarse and refined poses, the '
        'groups that are fused, and which part each keypoint of the result came from',
    )


def load_model(args: argparse.Namespace):
    """Load the model that the options name.

    Raises:
        RunError: `--onnx` stands beside an option that an exported file cannot follow, or the file
            does not say how to resize images.
    """
    from .. import api
    from ..inference.light import require_resize

    if not args.onnx:
        return api.load(
            args.config or api.SHIPPED,
            args.checkpoint,
            args.device,
            args.cfg_options,
            args.amp,
            args.compile,
            args.short_side,
        )
    for name in NOT_WITH_ONNX:
        if getattr(args, name):
            raise RunError(f'--{name.replace("_", "-")} has no effect on the file of --onnx')
    model = api.load_onnx(args.onnx, args.threads, args.short_side)
    require_resize(model, args.onnx)
    return model


def run(args: argparse.Namespace) -> None:
    """Predict, write, and print what was found.

    Raises:
        RunError: a camera or stream is to be resumed, or there are files among the inputs that
            cannot be read; all others are done by then.
    """
    from ..inference.sources.items import find_sources

    options = replace(finding.make_options(args, _name_of_run(args)), explain=args.explain)
    sources = find_sources(args.inputs, args.out)  # fails before torch is imported
    finding.require_resumable(args, sources)
    warn_of_problems(sources)
    finding.make_folder(args.out)

    import torch

    from .. import api

    logging.getLogger('pinet_mm.api').setLevel(logging.ERROR)  # `announce` prints it
    if args.threads:
        torch.set_num_threads(args.threads)
    model = load_model(args)
    weights = args.onnx or args.checkpoint or api.shipped_weights(args.config or api.SHIPPED)
    announce(weights, model.warning)
    names = [source.name for source in sources]
    report = api.infer(
        model, names, args.out, args.batch_size, args.pose_thr, args.before_fusion, options
    )
    tell(report, args.short_side)


def _name_of_run(args: argparse.Namespace) -> str:
    """Return the model and the settings on which poses and drawings depend."""
    settings = {name: getattr(args, name) for name in NOT_WITH_ONNX if name != 'device'}
    known = dict(settings, onnx=args.onnx, short_side=args.short_side)
    return ', '.join(f'{name}={value}' for name, value in known.items() if value) or SHIPPED


main = command(make_parser, run, examples=EXAMPLES)
