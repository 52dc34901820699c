"""Find the poses in images and folders, without torch: pinet-mm predict INPUT...

Runs the exported model that the package ships, or one of `pinet-mm export`. Says which model runs
and what it knows; writes an overlay for every image and one predictions.json, which
docs/predictions.md describes. Files that cannot be read are named at the end, with exit status 1.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, RunError
from . import command
from .options import POSE_THR
from .options import SHIPPED as NAME
from .telling import announce, require_resize, tell

if TYPE_CHECKING:
    from ..onnx_runner import OnnxPoses


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description='Find the poses in images and folders, without torch'
    )
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='an image or a folder')
    parser.add_argument(
        '--model',
        type=Path,
        metavar='FILE.onnx',
        help=f'a file of pinet-mm export ({NAME}, which the package ships)',
    )
    add_light_options(parser, 'poses')
    parser.add_argument(
        '--all-poses', action='store_true', help='write people of any score into the JSON'
    )
    return parser


def add_light_options(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the options that `predict` and `demo` share.

    Args:
        parser: parser of the command; changed in place.
        out: default of `--out`.
    """
    add = parser.add_argument
    add('--out', default=out, metavar='DIR', help='folder to write into (%(default)s)')
    add(
        '--pose-thr',
        type=float,
        default=POSE_THR,
        metavar='SCORE',
        help='people with a lower score are neither drawn nor written (%(default)s)',
    )
    add('--threads', type=int, default=0, metavar='N', help='of ONNX Runtime (one per core)')


def load_model(path: Path | None, threads: int) -> 'OnnxPoses':
    """Load an exported model, and print which it is.

    Args:
        path: of its file; None for the one that the package ships.
        threads: of ONNX Runtime; 0 for one per core.

    Raises:
        InputError: there is no such file.
        RunError: ONNX Runtime is missing or cannot run the file, or the file does not say how to
            resize images.
    """
    from ..onnx_runner import SHIPPED, OnnxPoses

    path = path or SHIPPED
    if not path.is_file():
        raise InputError(f'{path} does not exist: name a file that pinet-mm export wrote')
    try:
        model = OnnxPoses(str(path), threads=threads)
    except (ImportError, ValueError) as error:
        raise RunError(str(error)) from error
    require_resize(model.resize, path)
    announce(path)
    return model


def refuse_videos(inputs: Sequence[str]) -> None:
    """Refuse videos, and say what reads them.

    Args:
        inputs: of the command line.

    Raises:
        InputError: one is a video.
    """
    from ..inference.videos import VIDEO_SUFFIXES

    for path in map(Path, inputs):
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
            raise InputError(f'{path} is a video: pinet-mm infer reads videos, predict only images')


def run(args: argparse.Namespace) -> None:
    """Predict, write, and print what was found."""
    from ..inference.light import predict_files
    from ..inference.sources import find_images

    refuse_videos(args.inputs)
    files = find_images(args.inputs, args.out)  # fails before the model is loaded
    Path(args.out).mkdir(parents=True, exist_ok=True)
    model = load_model(args.model, args.threads)
    tell(predict_files(model, files, args.out, args.pose_thr, args.all_poses), args.pose_thr)


main = command(make_parser, run)
