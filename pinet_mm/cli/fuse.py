"""Fuse the poses of one or several models: pinet-mm fuse A.json B.json --out fused.json.

A file is in COCO's result format, as `pinet-mm test CONFIG CHECKPOINT --json FILE` writes it for
any model of MMPose; the output has the same format. --annotations prints AP of every file and of
the result. docs/pose_fusion.md explains the fusion.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic import require_writable
from ..environment.printing import print_line
from ..errors import InputError
from . import command

if TYPE_CHECKING:
    from xtcocotools.coco import COCO

    from ..datasets.check import Checked

# As in datasets.evaluation and datasets.matching, which import MMPose.
IOU_TYPES = ('keypoints', 'keypoints_crowd')
MAX_POSES = 20

EXAMPLES = (
    'a.json b.json --out fused.json',
    'a.json --out fused.json --annotations val.json --oks-thr 0.6',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description='Fuse the poses of one or several models')
    parser.add_argument('files', nargs='+', metavar='FILE', help='poses of a model')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write')
    parser.add_argument('--annotations', metavar='FILE', help='COCO annotations, to print AP')
    parser.add_argument(
        '--metainfo',
        default='configs/_base_/datasets/coco.py',
        metavar='FILE',
        help="MMPose's metainfo of the dataset, or a config with a codec, whose layout then gives "
        'OKS sigmas and names (%(default)s)',
    )
    parser.add_argument(
        '--category',
        metavar='NAME',
        help='name or id of the person category, if several have keypoints',
    )
    parser.add_argument(
        '--oks-thr',
        type=float,
        default=0.7,
        help='poses whose OKS is above it are one person (%(default)s)',
    )
    parser.add_argument(
        '--weights', type=float, nargs='+', metavar='W', help="factor on each file's scores (1)"
    )
    parser.add_argument(
        '--iou-type',
        choices=IOU_TYPES,
        default='keypoints',
        help='with crowds also AP of easy, medium and hard images (%(default)s)',
    )
    parser.add_argument(
        '--max-poses',
        type=int,
        default=MAX_POSES,
        metavar='N',
        help="poses per image that count in AP; COCO's protocol has %(default)s",
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Fuse and write; evaluate if there are annotations. All is checked before it is written.

    Raises:
        InputError: --out is one of the files that are read.
    """
    from ..datasets.limits import require_limit
    from ..datasets.pose_files import read_results, write_poses
    from ..inference import ensemble

    read = [*args.files, *filter(None, [args.annotations])]
    if Path(args.out).resolve() in [Path(path).resolve() for path in read]:
        raise InputError(f'--out {args.out} is a file to read: name another one')
    require_writable(args.out)
    sigmas, names = ensemble.read_keypoints(args.metainfo)
    require_limit(args.max_poses, args.iou_type)
    people = _check_people(args, names) if args.annotations else None
    category = people.category_id if people else args.category
    files = [read_results(path, category, len(sigmas)) for path in args.files]
    for note in filter(None, (each.note for each in files)):
        print_line(note)
    images = [each.images for each in files]
    truth = _to_truth(people, images, args) if people else None
    fused = ensemble.fuse_read(images, sigmas, args.oks_thr, args.weights)
    known = [people and people.category_id, *(each.category_id for each in files), 1]
    write_poses(args.out, fused, next(each for each in known if each is not None))
    count = sum(len(poses.scores) for poses in fused.values())
    print_line(f'{count} poses of {len(fused)} images are in {args.out}')
    if truth:
        _evaluate(dict(zip((*args.files, args.out), (*images, fused))), truth, sigmas, args)


def _check_people(args: argparse.Namespace, names: Sequence[str]) -> 'Checked':
    from ..datasets.evaluation import check_truth
    from ..datasets.limits import note_on_crowded

    people = check_truth(args.annotations, args.iou_type, names, args.category)
    crowded = note_on_crowded(people.data['annotations'], args.max_poses)
    for note in filter(None, (*people.notes(), crowded)):
        print_line(note)
    return people


def _to_truth(people: 'Checked', images: Sequence[Mapping], args: argparse.Namespace) -> 'COCO':
    """Return the annotations to evaluate against, once all files are of their images."""
    from ..datasets.evaluation import require_images, to_coco

    truth = to_coco(people)
    for path, poses in zip(args.files, images):
        require_images(poses, truth, path, args.annotations)
    return truth


def _evaluate(
    files: Mapping[str, Mapping], truth: 'COCO', sigmas: Sequence[float], args: argparse.Namespace
) -> None:
    """Print the AP of each file, and what easy, medium and hard mean where such AP is printed."""
    from ..datasets.limits import BOUNDS_NOTE
    from ..datasets.pose_files import list_poses

    for path, poses in files.items():
        numbers = _numbers(list_poses(poses), truth, sigmas, args)
        print_line(' '.join(map(str, (path, *numbers))))
    if args.iou_type == 'keypoints_crowd':
        print(BOUNDS_NOTE)


def _numbers(
    entries: Sequence[dict], truth: 'COCO', sigmas: Sequence[float], args: argparse.Namespace
) -> list[str]:
    """Return the numbers of poses as they are printed, with the reason where AP is 0 or -1."""
    from ..datasets.evaluation import precision_of
    from ..datasets.reasons import BEHIND, why_no_number, why_zero

    found = precision_of(entries, truth, sigmas, args.iou_type, args.max_poses)
    annotations = truth.dataset['annotations']
    lines = [f'{name} {value:.3f}' for name, value in found.items()]
    if found['AP'] < 0:
        lines.append(f'(AP is -1: {why_no_number(annotations)})')
    elif found['AP'] == 0:
        lines.append(f'(AP is 0: {why_zero(annotations, entries, sigmas) or BEHIND})')
    return lines


main = command(make_parser, run, examples=EXAMPLES)
