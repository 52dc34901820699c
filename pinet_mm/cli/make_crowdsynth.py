"""Write a synthetic crowd dataset: images and COCO annotations.

pinet-mm make-crowdsynth data/crowdsynth --images 2000 --seed 0 --split train
pinet-mm make-crowdsynth data/crowdvideo --video 20 --frames 100 --split test
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
    VideoSettings,
    check_preview,
    check_request,
    check_video_request,
    write_dataset,
    write_preview,
    write_video_preview,
    write_videos,
)
from ..environment.printing import print_line
from ..errors import InputError
from . import command

EXAMPLES = (
    'data/crowdsynth --images 2000 --split train',
    'data/crowdvideo --video 20 --frames 100 --split test',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    default, video = CrowdSettings(), VideoSettings()
    parser = argparse.ArgumentParser(
        description='Write a synthetic crowd dataset: images and COCO annotations'
    )
    add = parser.add_argument
    add('out', help='folder to write images/SPLIT and annotations/SPLIT.json into')
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--images', type=_count(1), default=100, help='number of images')
    what.add_argument(
        '--video',
        type=_count(1),
        metavar='N',
        help='draw N videos of people who walk instead: each is a folder of frames, all of them '
        'annotated, with identities',
    )
    add('--frames', type=_count(1), help=f'frames of a video ({video.frames})')
    add('--fps', type=float, help=f'frames per second of a video ({video.fps:g})')
    add('--seed', type=_count(0), default=0)
    add('--split', choices=list(SPLITS), default='train')
    pairs = (
        ('size', int, ('W', 'H'), 'px'),
        ('persons', int, ('LO', 'HI'), 'people of an image, or of a whole video'),
        ('height', float, ('LO', 'HI'), "upright height as a share of the image's"),
    )
    for name, kind, metavar, meaning in pairs:
        add(
            f'--{name}',
            type=kind,
            nargs=2,
            metavar=metavar,
            help=f'{meaning}; by default {_plain(default, name)}, of videos '
            f'{_plain(video.crowd, name)}',
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


def _plain(settings: CrowdSettings, name: str) -> str:
    return ' '.join(map(str, getattr(settings, name)))


def _count(least: int):
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f'must be at least {least}; found {text}')
        return int(text)

    return number


def make_settings(args: argparse.Namespace) -> CrowdSettings | VideoSettings:
    """Return what the options say about the images.

    Raises:
        InputError: an option of images is given for videos, or the other way round.
        ValueError: a range is out of bounds or upside down, or a name occurs twice.
    """
    images, video = CrowdSettings(), VideoSettings()
    usual = video.crowd if args.video else images
    given = {name: getattr(args, name) for name in ('size', 'persons', 'height')}
    crowd = CrowdSettings(
        **{name: getattr(usual, name) if value is None else value for name, value in given.items()},
        poses=args.poses,
        views=args.views,
        crowd_index=args.crowd_index,
        occluders=not args.plain,
        photometric=not args.plain,
        keypoints=args.keypoints,
    )
    clip = {name: getattr(args, name) for name in ('frames', 'fps')}
    clip = {name: value for name, value in clip.items() if value is not None}
    if not args.video:
        for name in clip:
            raise InputError(f'--{name} is for videos: give their number with --video N')
        return crowd
    for name in ('poses', 'views', 'crowd_index'):
        if getattr(crowd, name) != getattr(images, name):
            option = name.replace('_', '-')
            raise InputError(
                f'--{option} is for images: in a video it follows from how people walk'
            )
    return VideoSettings(crowd, **clip)


def check_options(args: argparse.Namespace) -> CrowdSettings | VideoSettings:
    """Check all options before anything is drawn, and return the settings.

    Raises:
        InputError: an option has a value that the dataset or the preview cannot have.
    """
    try:
        settings = make_settings(args)
        if isinstance(settings, VideoSettings):
            check_video_request(settings, *_request(args))
        else:
            check_request(settings, *_request(args))
        if args.preview:
            check_preview(args.preview)
    except ValueError as error:
        raise InputError(str(error)) from error
    return settings


def _request(args: argparse.Namespace) -> tuple:
    """Return what follows the settings in the arguments of the functions that write and check."""
    return args.video or args.images, args.seed, args.split, args.workers, args.suffix


def check_folder(args: argparse.Namespace, settings: CrowdSettings | VideoSettings) -> None:
    """Refuse to replace what the same settings and seed would not draw again.

    A dataset that they drew is drawn again, with fewer or more images, and a line says so.

    Raises:
        InputError: there are other annotations, or images without annotations, and `--overwrite`
            is not given.
    """
    path = Path(args.out) / 'annotations' / f'{args.split}.json'
    images = Path(args.out) / 'images' / args.split
    if args.overwrite:
        return
    advice = 'name another folder, or give --overwrite to replace'
    if not path.exists():
        if images.is_dir() and any(images.iterdir()):
            raise InputError(
                f'{images} holds files that {path.relative_to(args.out)}, which is missing, does '
                f'not describe: {advice} them'
            )
        return
    wanted = json.loads(json.dumps(dict(settings.as_dict(), seed=args.seed)))
    found, count = _drawn_with(path)
    other = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if other:
        raise InputError(
            f'{args.out} holds {path.relative_to(args.out)} with another {", ".join(other)}: '
            f'{advice} it'
        )
    print_line(f'{args.out} holds {count} images that were drawn in the same way: drawn again')


def _drawn_with(path: Path) -> tuple[dict, int]:
    """Return settings, seed and number of images of a drawn dataset; none for any other file."""
    try:
        data = json.loads(path.read_text())
        return dict(data['info']['settings'], seed=data['info']['seed']), len(data['images'])
    except (ValueError, LookupError, TypeError):
        return {}, 0


def run(args: argparse.Namespace) -> None:
    """Write the dataset, then print its statistics."""
    settings = check_options(args)
    check_folder(args, settings)
    stream = args.seed, args.split
    if isinstance(settings, VideoSettings):
        path, statistics = write_videos(args.out, settings, *_request(args))
        if args.preview:
            write_video_preview(args.preview, settings, *stream)
    else:
        path, statistics = write_dataset(args.out, settings, *_request(args))
        if args.preview:
            write_preview(args.preview, settings, *stream)
    print_line(path)
    for name, value in statistics.items():
        print(f'  {name}: {json.dumps(value)}')


main = command(make_parser, run, examples=EXAMPLES)
