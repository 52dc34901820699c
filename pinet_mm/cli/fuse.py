"""Fuse the poses of one or several models: pinet-mm fuse A.json B.json --out fused.json.

A file is in COCO's result format, as `pinet-mm test CONFIG CHECKPOINT --json FILE` writes it for
any model of MMPose; the output has the same format. --annotations prints AP of every file and of
the result. docs/pose_fusion.md says what happens.
"""

import argparse

from mmpose.datasets.datasets.utils import parse_pose_metainfo

from ..datasets.evaluation import STATISTICS, average_precision, note_on_crowded, read_truth
from ..datasets.labeling import keypoint_names
from ..datasets.matching import MAX_POSES
from ..datasets.pose_files import write_poses
from ..inference import ensemble
from . import command


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
        help="MMPose's metainfo of the dataset, for its OKS sigmas (%(default)s)",
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
        choices=STATISTICS,
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
    """Fuse and write; evaluate if there are annotations."""
    metainfo = parse_pose_metainfo(dict(from_file=args.metainfo))
    sigmas, names = metainfo['sigmas'], keypoint_names(metainfo)
    if args.annotations:
        truth = read_truth(args.annotations, args.iou_type, names)  # before anything is written
        note = note_on_crowded(truth.dataset['annotations'], args.max_poses)
        if note:
            print(note)
    fused = ensemble.fuse_files(args.files, sigmas, args.oks_thr, args.weights)
    write_poses(args.out, fused)
    count = sum(len(poses.scores) for poses in fused.values())
    print(f'{count} poses of {len(fused)} images are in {args.out}')
    for path in (*args.files, args.out) if args.annotations else ():
        found = average_precision(
            path, args.annotations, sigmas, args.iou_type, args.max_poses, names
        )
        print(path, *(f'{name} {value:.3f}' for name, value in found.items()))


main = command(make_parser, run)
