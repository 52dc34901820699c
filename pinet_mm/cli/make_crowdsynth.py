"""Write a synthetic crowd dataset: images and COCO annotations.

pinet-mm make-crowdsynth data/crowdsynth --images 2000 --seed 0 --split train
"""

import argparse
import json
from pathlib import Path

from ..crowdsynth import (
    LAYOUTS,
    POSES,
    SPLITS,
    VIEWS,
    CrowdSettings,
    check_preview,
    check_request,
    write_dataset,
    write_preview,
)
from ..errors import InputError
from . import command


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    default = CrowdSettings()
    parser = argparse.ArgumentParser(
        description='Write a synthetic crowd dataset: images and COCO annotations'
    )
    add = parser.add_argument
    add('out', help='folder to write images/SPLIT and annotations/SPLIT.json into')
    add('--images', type=_count(1), default=100, help='number of images')
    add('--seed', type=_count(0), default=0)
    add('--split', choices=list(SPLITS), default='train')
    add('--size', type=int, nargs=2, default=default.size, metavar=('W', 'H'))
    add('--persons', type=int, nargs=2, default=default.persons, metavar=('LO', 'HI'))
    add(
        '--height',
        type=float,
        nargs=2,
        default=default.height,
        metavar=('LO', 'HI'),
        help="upright height as a share of the image's",
    )
    add(
        '--crowd-index',
        type=float,
        nargs=2,
        default=default.crowd_index,
        metavar=('LO', 'HI'),
        help='range of crowd indices aimed at',
    )
    add('--poses', nargs='+', default=default.poses, choices=POSES)
    add('--views', nargs='+', default=default.views, choices=VIEWS)
    add('--keypoints', choices=list(LAYOUTS), default=default.keypoints)
    add('--plain', action='store_true', help='no occluding objects, blur, noise, change of light')
    add('--workers', type=_count(1), default=1)
    add('--suffix', choices=['.jpg', '.png'], default='.jpg')
    add('--overwrite', action='store_true', help='replace a dataset that was drawn otherwise')
    add('--preview', metavar='FILE', help='also write a contact sheet')
    return parser


def _count(least: int):
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f'must be at least {least}; found {text}')
        return int(text)

    return number


def make_settings(args: argparse.Namespace) -> CrowdSettings:
    """Return what the options say about the images.

    Raises:
        ValueError: a range is out of bounds or upside down, or a name occurs twice.
    """
    return CrowdSettings(
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


def check_options(args: argparse.Namespace) -> CrowdSettings:
    """Check all options before anything is drawn, and return the settings.

    Raises:
        InputError: an option has a value that the dataset or the preview cannot have.
    """
    try:
        settings = make_settings(args)
        check_request(settings, args.images, args.seed, args.split, args.workers, args.suffix)
        if args.preview:
            check_preview(args.preview)
    except ValueError as error:
        raise InputError(str(error)) from error
    return settings


def check_folder(args: argparse.Namespace, settings: CrowdSettings) -> None:
    """Refuse to replace annotations that the same settings and seed would not draw again.

    Raises:
        InputError: there are such, and `--overwrite` is not given.
    """
    path = Path(args.out) / 'annotations' / f'{args.split}.json'
    if args.overwrite or not path.exists():
        return
    wanted = json.loads(json.dumps(dict(settings.as_dict(), seed=args.seed)))
    found = _drawn_with(path)
    other = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if other:
        raise InputError(
            f'{args.out} holds {path.relative_to(args.out)} with another {", ".join(other)}: name '
            'another folder, or give --overwrite to replace it'
        )


def _drawn_with(path: Path) -> dict:
    """Return the settings and the seed of a drawn dataset; nothing for any other file."""
    try:
        info = json.loads(path.read_text())['info']
        return dict(info['settings'], seed=info['seed'])
    except (ValueError, LookupError, TypeError):
        return {}


def run(args: argparse.Namespace) -> None:
    """Write the dataset, then print its statistics."""
    settings = check_options(args)
    check_folder(args, settings)
    path, statistics = write_dataset(
        args.out, settings, args.images, args.seed, args.split, args.workers, args.suffix
    )
    if args.preview:
        write_preview(args.preview, settings, args.seed, args.split)
    print(path)
    for name, value in statistics.items():
        print(f'  {name}: {json.dumps(value)}')


main = command(make_parser, run)
