"""Show poses in photographs and in drawn crowds on one sheet: python tools/demo.py CROWD...

The photographs are those that installed packages carry, both in the public domain: Grace Hopper
(matplotlib) and Eileen Collins (scikit-image). The crowds stand beside them before and after Pose
Fusion. Overlays and predictions.json of both are in folders of their own beside the sheet.
"""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm import api
from pinet_mm.cli import command, demo
from pinet_mm.cli.demo import PHOTOGRAPHS
from pinet_mm.cli.options import POSE_THR_HELP, to_pose_thr
from pinet_mm.errors import RunError
from pinet_mm.inference.drawing.sheets import in_column, in_row

import cv2

HEIGHT, GAP = 600, 8  # of the sheet, between its images; px


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'crowds', nargs='+', metavar='CROWD', help='an image of tools/make_crowdsynth.py'
    )
    parser.add_argument(
        '--crowd-model',
        default='pinet_hrnet-slim_crowdsynth',
        metavar='CONFIG',
        help='a config with shipped weights, for the crowds (%(default)s)',
    )
    parser.add_argument(
        '--pose-thr',
        type=to_pose_thr,
        default='auto',
        help=f'people with a lower score are not drawn ({POSE_THR_HELP})',
    )
    parser.add_argument(
        '--out', default='work_dirs/demo', metavar='DIR', help='folder to write into (%(default)s)'
    )
    return parser


def find_photographs() -> list[Path]:
    """List the photographs that the installed packages carry.

    Raises:
        FileNotFoundError: there is none.
    """
    found = demo.find_photographs(PHOTOGRAPHS)
    if not found:
        raise FileNotFoundError('no photograph is at hand: install matplotlib or scikit-image')
    return found


def draw(config: str, inputs: list, out: Path, **options) -> list:
    """Return the overlays (H, W, 3), BGR, that a shipped model's poses give."""
    model = api.load(config)
    print(api.describe(api.shipped_weights(config))[0], flush=True)
    api.infer(model, inputs, out, **options)
    return [cv2.imread(str(out / name)) for name in api.overlay_names(map(Path, inputs))]


def write_sheet(args: argparse.Namespace) -> None:
    """Draw photographs and crowds and put them on one sheet.

    Raises:
        RunError: the sheet could not be written.
    """
    logging.getLogger('pinet_mm.api').setLevel(logging.ERROR)  # this tool prints it itself
    out = Path(args.out)
    photographs = draw(api.SHIPPED, find_photographs(), out / 'photographs', pose_thr=args.pose_thr)
    crowds = draw(
        args.crowd_model,
        api.find_images(args.crowds),
        out / 'crowds',
        pose_thr=args.pose_thr,
        before_fusion=True,
    )
    sheet = in_row([*photographs, in_column(crowds, 2 * HEIGHT, GAP)], HEIGHT, GAP)
    if not cv2.imwrite(str(out / 'demo.jpg'), sheet):
        raise RunError(f'{out / "demo.jpg"} could not be written')
    print(f'{out / "demo.jpg"} is written')


main = command(make_parser, write_sheet)

if __name__ == '__main__':
    main()
