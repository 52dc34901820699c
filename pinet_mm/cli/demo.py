"""Find the poses in drawn crowds and photographs, without torch: pinet-mm demo.

The crowds are drawn (`crowdsynth`); the photographs, both in the public domain, are those that
matplotlib (Grace Hopper) and scikit-image (Eileen Collins) bring, where these are installed.
"""

import argparse
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from ..environment.printing import print_line
from . import command, finding
from .options import to_count
from .predict import load_model
from .telling import tell

# Package -> where a photograph in the public domain lies in it.
PHOTOGRAPHS = dict(matplotlib='mpl-data/sample_data/grace_hopper.jpg', skimage='data/astronaut.png')

EXAMPLES = ('--images 8 --out demo',)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description='Find the poses in drawn crowds, without torch; where matplotlib or '
        'scikit-image is installed, in the photograph that it brings, too'
    )
    parser.add_argument(
        '--images', type=to_count, default=4, metavar='N', help='so many crowds (%(default)s)'
    )
    finding.add_basic_options(parser, 'pinet-demo')
    finding.add_threads_option(parser)
    return parser


def find_photographs(places: Mapping[str, str] = PHOTOGRAPHS) -> list[Path]:
    """List the photographs that the installed packages carry; there may be none.

    Args:
        places: package -> where the photograph lies in it.
    """
    specs = {place: find_spec(package) for package, place in places.items()}
    files = [
        Path(spec.origin).parent / place for place, spec in specs.items() if spec and spec.origin
    ]
    return [file for file in files if file.is_file()]


def run(args: argparse.Namespace) -> None:
    """Draw the crowds, predict, and print what was found."""
    from ..crowdsynth import CrowdSettings, write_dataset
    from ..inference.light import predict_files

    crowds = Path(args.out, 'crowds')
    settings = CrowdSettings(size=(384, 384), persons=(2, 4), height=(0.6, 0.9))
    write_dataset(crowds, settings, args.images, 0, 'test', 1, '.jpg')
    model = load_model(None, args.threads)
    inputs = [*find_photographs(), crowds / 'images']
    report = predict_files(model, inputs, Path(args.out, 'poses'), args.pose_thr)
    tell(report)
    print_line(f'now open {report.json.parent / "overview.jpg"}')


main = command(make_parser, run, examples=EXAMPLES)
