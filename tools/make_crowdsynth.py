"""Write a synthetic crowd dataset: pictures and COCO annotations.

python tools/make_crowdsynth.py data/crowdsynth --images 2000 --seed 0 --split train
"""

import argparse
import json
import sys
from pathlib import Path

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from pinet_mm.crowdsynth import (
    LAYOUTS,
    POSES,
    SPLITS,
    VIEWS,
    CrowdSettings,
    write_dataset,
    write_preview,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    default = CrowdSettings()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', help='folder to write images/SPLIT and annotations/SPLIT.json into')
    parser.add_argument('--images', type=int, default=100, help='number of pictures')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--split', choices=list(SPLITS), default='train')
    parser.add_argument('--size', type=int, nargs=2, default=default.size, metavar=('W', 'H'))
    parser.add_argument(
        '--persons', type=int, nargs=2, default=default.persons, metavar=('LO', 'HI')
    )
    parser.add_argument(
        '--height',
        type=float,
        nargs=2,
        default=default.height,
        metavar=('LO', 'HI'),
        help="upright height as a share of the picture's",
    )
    parser.add_argument(
        '--crowd-index',
        type=float,
        nargs=2,
        default=default.crowd_index,
        metavar=('LO', 'HI'),
        help='range of crowd indices aimed at',
    )
    parser.add_argument('--poses', nargs='+', default=default.poses, choices=POSES)
    parser.add_argument('--views', nargs='+', default=default.views, choices=VIEWS)
    parser.add_argument('--keypoints', choices=list(LAYOUTS), default=default.keypoints)
    parser.add_argument(
        '--plain', action='store_true', help='no occluding objects, blur, noise or change of light'
    )
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--suffix', choices=['.jpg', '.png'], default='.jpg')
    parser.add_argument('--preview', metavar='FILE', help='also write a contact sheet')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the dataset, then print its statistics."""
    args = parse_args(argv)
    settings = CrowdSettings(
        size=args.size,
        persons=args.persons,
        height=args.height,
        poses=args.poses,
        views=args.views,
        crowd_index=args.crowd_index,
        occluders=not args.plain,
        photometric=not args.plain,
        keypoints=args.keypoints,
    )
    path, statistics = write_dataset(
        args.out, settings, args.images, args.seed, args.split, args.workers, args.suffix
    )
    if args.preview:
        write_preview(args.preview, settings, args.seed, args.split)
    print(path)
    for name, value in statistics.items():
        print(f'  {name}: {json.dumps(value)}')


if __name__ == '__main__':
    main()
