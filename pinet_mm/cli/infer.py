"""Find the poses in images, videos and streams: pinet-mm infer INPUT... --config C --checkpoint W.

Without --config and --checkpoint, the model that the package ships is used. Says which model runs
and what it knows; writes an overlay for every image and video, and one predictions.json, which
docs/predictions.md describes; says in how many images nobody scores --pose-thr. What cannot be read
is named at the end, with exit status 1.
"""

import argparse
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RunError
from . import command
from .options import POSE_THR, SHIPPED, add_config_options, add_speed_options
from .telling import announce, require_resize, tell

if TYPE_CHECKING:
    from ..inference.options import InferOptions

EXAMPLES = """examples:
  pinet-mm infer street.jpg folder/ --out poses
  pinet-mm infer 'clips/*.mp4' --every 5 --start 1:30 --end 2:00
  pinet-mm infer rtsp://camera.local/stream --no-overlays
  find . -name '*.png' | pinet-mm infer - --resume
"""

# Options that an exported file cannot follow.
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
    parser = argparse.ArgumentParser(
        description='Find the poses in images, videos and streams',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='an image, a folder of images, a video, a quoted glob, a URL of an image or a stream, '
        'the index of a camera, or - for a list of these on the standard input',
    )
    _add_model_options(parser)
    _add_source_options(parser)
    _add_output_options(parser)
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
    add('--batch-size', type=int, default=8, help='images per pass (%(default)s)')


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--every', type=int, default=1, metavar='N', help='every N-th frame (%(default)s)')
    add('--start', type=to_seconds, default=0, metavar='TIME', help='seconds, or 1:30; of videos')
    add('--end', type=to_seconds, metavar='TIME', help='seconds, or 1:30; of videos and streams')


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--out', default='poses', help='folder to write into (%(default)s)')
    add(
        '--resume',
        action='store_true',
        help='go on with the run in the folder of --out that was interrupted or killed',
    )
    add(
        '--pose-thr',
        type=float,
        default=POSE_THR,
        help='people with a lower score are neither drawn nor written (%(default)s)',
    )
    add('--all-poses', action='store_true', help='write people of any score into the JSON')
    add(
        '--json-schema',
        type=int,
        choices=(1, 2),
        default=2,
        help='form of predictions.json; 1 is that of version 0.1 (%(default)s)',
    )
    add(
        '--track',
        action='store_true',
        help='give people an id through each video, or folder of frames sorted by name',
    )
    add('--no-overlays', action='store_true', help='write the poses only, no images and videos')
    add(
        '--keypoint-thr',
        type=float,
        default=0.05,
        help='keypoints with a lower score are not drawn (%(default)s)',
    )
    add('--boxes', action='store_true', help='draw the box of each person')
    add(
        '--before-fusion',
        action='store_true',
        help='show on the left the proposed poses before they are fused',
    )


def to_seconds(text: str) -> float:
    """Return the seconds of `90`, `1:30` or `0:01:30`; argparse answers the error of other text."""
    return sum(60**i * float(part) for i, part in enumerate(reversed(text.split(':'))))


def load_model(args: argparse.Namespace):
    """Load the model that the options name.

    Raises:
        RunError: `--onnx` stands beside an option that an exported file cannot follow, or the file
            does not say how to resize images.
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
    require_resize(model.resize, args.onnx)
    return model


def run(args: argparse.Namespace) -> None:
    """Predict, write, and print what was found.

    Raises:
        RunError: a camera or stream is to be resumed, or there are files among the inputs that
            cannot be read; all others are done by then.
    """
    from .. import api

    logging.getLogger('pinet_mm.api').setLevel(logging.ERROR)  # `announce` prints it
    options = make_options(args)
    sources = api.find_sources(args.inputs, args.out)  # fails before the model is loaded
    if args.resume and any(source.kind == 'stream' for source in sources):
        raise RunError('--resume needs files: what a camera or stream has shown is gone')
    Path(args.out).mkdir(parents=True, exist_ok=True)
    model = load_model(args)
    announce(args.onnx or args.checkpoint or api.shipped_weights(args.config or api.SHIPPED))
    names = [source.name for source in sources]
    report = api.infer(
        model, names, args.out, args.batch_size, args.pose_thr, args.before_fusion, options
    )
    tell(report, args.pose_thr)


def _tracker_of(args: argparse.Namespace) -> Callable | None:
    """Return what makes a tracker for `--track`; everybody who is drawn gets an id."""
    if not args.track:
        return None
    from ..inference.tracking import Follower, TrackerSettings

    return partial(Follower, TrackerSettings(start=args.pose_thr, keep=args.pose_thr / 2))


def make_options(args: argparse.Namespace) -> 'InferOptions':
    """Return what the options of the command line ask of `api.infer`."""
    from ..inference.options import InferOptions
    from ..inference.videos import Clip

    settings = {name: getattr(args, name) for name in NOT_WITH_ONNX if name != 'device'}
    known = dict(settings, onnx=args.onnx)
    return InferOptions(
        all_poses=args.all_poses,
        schema=args.json_schema,
        clip=Clip(args.every, args.start, args.end),
        tracker=_tracker_of(args),
        overlays=not args.no_overlays,
        keypoint_thr=args.keypoint_thr,
        boxes=args.boxes,
        resume=args.resume,
        model=', '.join(f'{name}={value}' for name, value in known.items() if value) or SHIPPED,
    )


main = command(make_parser, run)
