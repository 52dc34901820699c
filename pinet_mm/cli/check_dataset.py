"""Check annotation files before they cost a training: pinet-mm data check FILE... --images DIR.

Prints all faults as a table with counts and the first few ids, and what becomes of them.
--overlap A B finds the images of folder A that folder B has too, in any encoding.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..datasets.check import Checked, Expected, check_file
from ..datasets.check.findings import to_lines
from ..datasets.check.overlap import Print, find_shared, prints_of, write_names
from ..datasets.check.page import to_markdown
from ..datasets.labeling import keypoint_names
from ..environment.printing import Lines, print_line
from ..errors import InputError
from ..inference.sources.images import find_images
from . import command

EXAMPLES = (
    'train.json val.json --images images/',
    'train.json --fix mended/',
    '--overlap train/ val/ --exclude shared.json',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description='Check COCO-style annotation files')
    parser.add_argument('files', nargs='*', metavar='FILE', help='annotation file')
    parser.add_argument(
        '--images', metavar='DIR', help='folder of the images: compare names and sizes with it'
    )
    parser.add_argument(
        '--metainfo',
        metavar='FILE',
        help="MMPose's metainfo of the dataset, such as configs/_base_/datasets/coco.py: compare "
        'the names of keypoints',
    )
    parser.add_argument(
        '--list', action='store_true', help='print every fault that the check knows'
    )
    parser.add_argument('--category', metavar='NAME', help='name or id of the person category')
    parser.add_argument(
        '--crowd-index', action='store_true', help='every image needs a crowdIndex (CrowdPose)'
    )
    parser.add_argument(
        '--allow-outside', action='store_true', help='file names may leave the folder of the images'
    )
    parser.add_argument('--strict', action='store_true', help='refuse what is suspicious too')
    parser.add_argument(
        '--fix', metavar='DIR', help='write mended copies into this folder, named as the files'
    )
    parser.add_argument(
        '--overlap',
        nargs=2,
        metavar=('A', 'B'),
        help='image folders: find the images of A that B has too',
    )
    parser.add_argument(
        '--exclude', metavar='FILE', help='write the images that --overlap finds to FILE.json'
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Check, print, write; the status is 1 if a file is refused or images overlap.

    Raises:
        InputError: there is nothing to check, options do not go together, or there is no such
            folder of images.
    """
    if args.list:
        print(to_markdown(), end='')
        return 0
    _check_options(args)
    names = _names(args.metainfo) if args.metainfo else None
    refused = [not _check(path, names, args) for path in args.files]
    shared = _compare(args.overlap, args.exclude) if args.overlap else False
    return int(any(refused) or shared)


def _check_options(args: argparse.Namespace) -> None:
    if not args.files and not args.overlap:
        raise InputError('nothing to check: name an annotation file, or two folders to --overlap')
    if args.exclude and not args.overlap:
        raise InputError('--exclude is for --overlap A B: name two folders of images')
    if args.images and not Path(args.images).is_dir():
        raise InputError(f'the folder --images {args.images} does not exist')
    copies = [_name_of_copy(path) for path in args.files if args.fix]
    several = next((name for name in copies if copies.count(name) > 1), None)
    if several:
        raise InputError(
            f'--fix writes files by their names; several are called {several}: fix them into '
            'folders of their own'
        )


def _name_of_copy(path: str) -> str:
    return Path(path).name.removesuffix('.gz')


def _names(path: str) -> list[str]:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    return keypoint_names(parse_pose_metainfo(dict(from_file=path)))


def _check(path: str, names: Sequence[str] | None, args: argparse.Namespace) -> bool:
    """Check a file and print what is found; return whether it can be used."""
    expected = Expected(
        names,
        args.category,
        args.images,
        allow_outside=args.allow_outside,
        crowd_index=args.crowd_index,
    )
    try:
        checked = check_file(path, expected)
    except InputError as error:
        print_line(f'refused: {error}')
        _say_no_copy(path, args)
        return False
    findings = list(checked.findings)
    if findings:
        (first, *rest) = to_lines(path, findings)
        print(Lines.of((first if rest else f'{findings[0].what.level.value}: {first}', *rest)))
    if checked.is_refused(args.strict):
        print_line(f'refused: {path}')
        _say_no_copy(path, args)
        return False
    print_line(_summary(checked))
    if checked.looked:
        print_line(checked.looked)
    if args.fix:
        _fix(checked, args.fix)
    return True


def _say_no_copy(path: str, args: argparse.Namespace) -> None:
    if args.fix:
        print_line(f'no mended copy of {path} is written: only its author can mend what is refused')


def _fix(checked: Checked, folder: str) -> None:
    """Write a mended copy into a folder, if there is something to mend."""
    if not checked.is_mended:
        print_line(f'no mended copy of {checked.path} is written: nothing is to be mended')
        return
    target = Path(folder) / _name_of_copy(checked.path)
    if target.exists():
        raise InputError(f'--fix: {target} exists already; name an empty folder')
    checked.write(target)
    print_line(f'mended copy: {target}')


def _summary(checked: Checked) -> str:
    people = [each for each in checked.data['annotations'] if not each.get('iscrowd')]
    labeled = sum(any(each['keypoints'][2::3]) for each in people)
    return (
        f'{checked.path}: {len(checked.data["images"])} images, {len(people)} people, '
        f'{labeled} with labeled keypoints'
    )


def _prints(folder: str) -> list[Print]:
    names = [str(path.relative_to(folder)) for path in find_images([folder])]
    prints, looked = prints_of(folder, names)
    print_line(f'{folder}: {looked}')
    unread = set(names) - {each.name for each in prints}
    if unread:
        print_line(f'{folder}: {len(unread)} images cannot be read, such as {min(unread)}')
    return prints


def _compare(folders: Sequence[str], target: str | None) -> bool:
    folder, other = folders
    first, second = map(_prints, folders)
    shared = find_shared(first, second)
    for each in shared:
        how = f'{each.difference} of 256 bits differ' if each.difference else 'the same'
        print_line(f'{folder}/{each.name} is {other}/{each.other} ({how})')
    print_line(f'{len(shared)} of {len(first)} images of {folder} are in {other}')
    if target:
        write_names(target, shared)
        print_line(f'their names are in {target}')
    return bool(shared)


main = command(make_parser, run, examples=EXAMPLES)
