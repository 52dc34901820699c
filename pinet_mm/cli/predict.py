"""Find the poses in images, videos and streams, without torch: pinet-mm predict INPUT...

Runs the exported model that the package ships, or one of `pinet-mm export`. Says which model runs
and what it knows; writes an overlay for every image and video, and one predictions.json, which
docs/predictions.md describes. What cannot be read is named at the end, with exit status 1.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import command, finding
from .options import SHIPPED as NAME
from .telling import announce, tell, warn_of_problems

if TYPE_CHECKING:
    from ..onnx_runner import OnnxPoses

OF_INFER = (
    '--explain',
    '--before-fusion',
    '--config',
    '--checkpoint',
    '--cfg-options',
    '--device',
    '--batch-size',
    '--amp',
    '--compile',
)

EXAMPLES = (
    'street.jpg folder/ --out poses',
    'film.mp4 --track --every 2',
    '0 --end 10 --no-overlays',
    "find . -name '*.png' | {} - --resume",
    'street.jpg --model my_model.onnx',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = finding.make_parser('Find, without torch, the poses in')
    add_model_options(parser)
    finding.add_source_options(parser)
    finding.add_output_options(parser)
    finding.add_track_options(parser)
    refuse_options_of_infer(parser)
    return parser


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, `--threads` and `--short-side`.

    Args:
        parser: parser of the command; changed in place.
    """
    parser.add_argument(
        '--model',
        type=Path,
        metavar='FILE.onnx',
        help=f'a file of pinet-mm export ({NAME}, which the package ships)',
    )
    finding.add_threads_option(parser)
    finding.add_short_side_option(parser)


class OfInfer(argparse.Action):
    """An option of `pinet-mm infer`, which an exported model cannot follow."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Say which command has it."""
        parser.error(
            f'{option_string} needs the network with its weights, in torch: '
            f'pinet-mm infer INPUT... {option_string}'
        )


def refuse_options_of_infer(parser: argparse.ArgumentParser) -> None:
    """Let options that `pinet-mm infer` has beside those of a parser name that command.

    Args:
        parser: with its own options; changed in place.
    """
    parser.add_argument(*OF_INFER, nargs='*', action=OfInfer, help=argparse.SUPPRESS)


def load_model(path: Path | None, threads: int, short_side: int | None = None) -> 'OnnxPoses':
    """Load an exported model that says how to resize images, and print which it is.

    Args:
        path: see `light.load`, which also says what cannot be loaded.
        threads: see there.
        short_side: see there.
    """
    from ..inference.light import load, require_resize
    from ..onnx_runner import SHIPPED

    path = path or SHIPPED
    model = load(path, threads, short_side)
    require_resize(model, path)
    announce(path, model.warning)
    return model


def run(args: argparse.Namespace) -> None:
    """Predict, write, and print what was found.

    Raises:
        RunError: a camera or stream is to be resumed, or there are files among the inputs that
            cannot be read; all others are done by then.
    """
    from ..inference.light import predict_files
    from ..inference.sources.items import find_sources

    options = finding.make_options(args, _name_of_run(args))
    sources = find_sources(args.inputs, args.out)  # fails before the model is loaded
    finding.require_resumable(args, sources)
    warn_of_problems(sources)
    finding.make_folder(args.out)
    model = load_model(args.model, args.threads, args.short_side)
    names = [source.name for source in sources]
    report = predict_files(model, names, args.out, args.pose_thr, options)
    tell(report, args.short_side)


def _name_of_run(args: argparse.Namespace) -> str:
    size = f', short_side={args.short_side}' if args.short_side else ''
    return f'onnx={args.model or NAME}{size}'


main = command(make_parser, run, examples=EXAMPLES)
