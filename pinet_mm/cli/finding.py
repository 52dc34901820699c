"""What the commands that find poses have in common: their inputs, and what they write."""

import argparse
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RunError
from .options import POSE_THR_HELP, to_count, to_pose_thr, to_score, to_threads

if TYPE_CHECKING:
    from ..inference.runs.options import InferOptions
    from ..inference.sources.items import Source

# Of `--short-side`: below, no keypoint can be told from the next; above, an image takes gigabytes.
MIN_SHORT_SIDE, MAX_SHORT_SIDE = 64, 4096


def make_parser(
    description: str, inputs: str = 'images, videos and streams'
) -> argparse.ArgumentParser:
    """Return a parser that takes inputs.

    Args:
        description: what the command does.
        inputs: what it is for.
    """
    parser = argparse.ArgumentParser(description=f'{description} {inputs}')
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='an image, a folder of images, a video, a quoted glob, a URL of an image or a stream, '
        'the index of a camera, or - for a list of these on the standard input',
    )
    return parser


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add which frames of videos and streams are taken.

    Args:
        parser: parser of the command; changed in place.
    """
    add = parser.add_argument
    add('--every', type=to_count, default=1, metavar='N', help='every N-th frame (%(default)s)')
    add('--start', type=to_seconds, default=0, metavar='TIME', help='seconds, or 1:30; of videos')
    add('--end', type=to_seconds, metavar='TIME', help='seconds, or 1:30; of videos and streams')


def to_seconds(text: str) -> float:
    """Return the seconds of `90`, `1:30` or `0:01:30`."""
    try:
        seconds = sum(60**i * float(part) for i, part in enumerate(reversed(text.split(':'))))
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f'expected seconds from 0 on, or 1:30; found {text}')
    return seconds


def make_folder(out: str) -> None:
    """Make the folder of `--out`.

    Raises:
        RunError: there is something else of this name.
    """
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise RunError(f'--out {out}: expected a folder; found a file') from error


def add_output_options(parser: argparse.ArgumentParser, out: str = 'poses') -> None:
    """Add what is written, and where.

    Args:
        parser: parser of the command; changed in place.
        out: default of `--out`.
    """
    add = parser.add_argument
    add_basic_options(parser, out)
    add(
        '--resume',
        action='store_true',
        help='go on with the run in the folder of --out that was interrupted or killed',
    )
    add('--all-poses', action='store_true', help='write people of any score into the JSON')
    add(
        '--json-schema',
        type=int,
        choices=(1, 2),
        default=2,
        help='form of predictions.json; 1 is that of version 0.1 (%(default)s)',
    )
    add('--no-overlays', action='store_true', help='write the poses only, no images and videos')
    add(
        '--keypoint-thr',
        type=to_score,
        default=0.015,
        metavar='SCORE',
        help='keypoints with a lower score are not drawn (%(default)s)',
    )
    add('--boxes', action='store_true', help='draw the box of each person')


def add_basic_options(parser: argparse.ArgumentParser, out: str) -> None:
    """Add `--out` and `--pose-thr`.

    Args:
        parser: parser of the command; changed in place.
        out: default of `--out`.
    """
    add = parser.add_argument
    add('--out', default=out, metavar='DIR', help='folder to write into (%(default)s)')
    add(
        '--pose-thr',
        type=to_pose_thr,
        default='auto',
        metavar='SCORE',
        help=f'people with a lower score are neither drawn nor written ({POSE_THR_HELP})',
    )


def add_track_options(parser: argparse.ArgumentParser, always: bool = False) -> None:
    """Add `--track` and what belongs to it.

    Args:
        parser: parser of the command; changed in place.
        always: people are tracked in any case.
    """
    if always:
        parser.set_defaults(track=True)
    else:
        parser.add_argument(
            '--track',
            action='store_true',
            help='give people an id through each video, or folder of frames sorted by name',
        )
    parser.add_argument(
        '--track-start',
        type=to_score,
        metavar='SCORE',
        help='people who never score this get no id (that of --pose-thr; the model of drawn '
        'crowds keeps more identities with 0.4)',
    )


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`.

    Args:
        parser: parser of the command; changed in place.
    """
    parser.add_argument(
        '--threads',
        type=to_threads,
        default=default_threads(),
        metavar='N',
        help='that compute, 0 for one per core (OMP_NUM_THREADS, or 0)',
    )


def add_short_side_option(parser: argparse.ArgumentParser) -> None:
    """Add `--short-side`.

    Args:
        parser: parser of the command; changed in place.
    """
    parser.add_argument(
        '--short-side',
        type=_to_short_side,
        metavar='PX',
        help="resize images to this short side (the model's): smaller for people who fill the "
        'image, larger for people who are small in it',
    )


def _to_short_side(text: str) -> int:
    if not text.isdigit() or not MIN_SHORT_SIDE <= int(text) <= MAX_SHORT_SIDE:
        raise argparse.ArgumentTypeError(
            f'expected pixels from {MIN_SHORT_SIDE} to {MAX_SHORT_SIDE}; found {text}'
        )
    return int(text)


def default_threads() -> int:
    """Return what `OMP_NUM_THREADS` says, which ONNX Runtime does not read; 0 if that is nothing.

    It may list the threads of nested regions, of which the first count.
    """
    first = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]
    return int(first) if first.isdigit() else 0


def require_resumable(args: argparse.Namespace, sources: Sequence['Source']) -> None:
    """Check that a run can be resumed, if it is to be.

    Args:
        args: the command line.
        sources: its inputs.

    Raises:
        RunError: one is a camera or stream.
    """
    if args.resume and any(source.kind == 'stream' for source in sources):
        raise RunError('--resume needs files: what a camera or stream has shown is gone')


def make_options(args: argparse.Namespace, model: str) -> 'InferOptions':
    """Return what the options of the command line ask for.

    Args:
        args: the command line.
        model: names model and settings; a run can only be resumed with the same.
    """
    from ..inference.runs.options import InferOptions
    from ..inference.sources.videos import Clip

    return InferOptions(
        all_poses=args.all_poses,
        schema=args.json_schema,
        clip=Clip(args.every, args.start, args.end),
        tracker=_tracker_of(args),
        overlays=not args.no_overlays,
        keypoint_thr=args.keypoint_thr,
        boxes=args.boxes,
        resume=args.resume,
        model=model,
    )


def _tracker_of(args: argparse.Namespace) -> Callable | None:
    # Everybody who is drawn gets an id, unless a higher score is asked for.
    if not args.track:
        if args.track_start is not None:
            raise RunError('--track-start is for --track')
        return None
    from ..inference.runs.journal import begun_with
    from ..inference.runs.running import JOURNAL
    from ..inference.tracking import Follower, TrackerSettings

    shown = args.pose_thr
    if args.resume and shown == 'auto':
        shown = begun_with(Path(args.out, JOURNAL)) or shown
    start = shown if args.track_start is None else args.track_start
    keep = shown if shown == 'auto' else min(shown, start) / 2
    return partial(Follower, TrackerSettings(start=start, keep=keep))
