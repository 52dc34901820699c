"""Train and evaluate PINet and baselines on drawn crowds: python tools/ablation.py OUT."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli import command

from studies.ablation import Budget, run, write_report
from studies.ablation.pinet2 import STUDIES
from studies.ablation.variants import SEEDS


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description='Train and evaluate variants of PINet and baselines on the same drawn crowds'
    )
    parser.add_argument(
        'out',
        type=Path,
        help='folder for checkpoints, test images and results.json; rows that '
        'the file has are not trained again, trainings cut short go on',
    )
    _add_budget(parser)
    _add_choices(parser)
    return parser


def _add_budget(parser: argparse.ArgumentParser) -> None:
    for name, value, meaning in (
        ('backbone_epochs', Budget.backbone_epochs, 'for the backbone that all start from'),
        ('epochs', Budget.epochs, 'for every row'),
        ('pictures', Budget.pictures, 'in an epoch'),
        ('images', Budget.images, 'held-out images'),
    ):
        parser.add_argument(
            f'--{name.replace("_", "-")}',
            type=int,
            default=value,
            metavar='N',
            help=f'{meaning} ({value})',
        )
    parser.add_argument(
        '--persons',
        type=int,
        nargs=2,
        default=Budget.persons,
        metavar=('LO', 'HI'),
        help='fewest and most in an image %(default)s',
    )
    parser.add_argument(
        '--height',
        type=float,
        nargs=2,
        default=Budget.height,
        metavar=('LO', 'HI'),
        help="of the people, as a share of the image's %(default)s",
    )


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--study',
        choices=STUDIES,
        default='paper',
        help="what is varied: the paper's claims, or what may be added to it (%(default)s)",
    )
    variants = ', '.join(name for rows in STUDIES.values() for name in dict(rows))
    parser.add_argument('--only', nargs='+', default=(), metavar='VARIANT', help=f'of {variants}')
    parser.add_argument(
        '--seeds',
        type=int,
        default=SEEDS,
        metavar='N',
        help='of each variant, where it has so many (%(default)s)',
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='rows at a time, one thread each (%(default)s)'
    )
    parser.add_argument(
        '--report', type=Path, metavar='DIR', help='where tables.md and plot.png go (OUT)'
    )
    parser.add_argument(
        '--report-only', action='store_true', help='write them from the results file as it is'
    )


def study(args: argparse.Namespace) -> None:
    """Run what is missing, and write tables and plot."""
    results = args.out / 'results.json'
    if not args.report_only:
        budget = Budget(
            args.backbone_epochs,
            args.epochs,
            args.pictures,
            args.images,
            persons=tuple(args.persons),
            height=tuple(args.height),
        )
        results = run(args.out, budget, args.only, args.jobs, args.seeds, STUDIES[args.study])
    for file in write_report(results, args.report or args.out):
        print(file)


main = command(make_parser, study)


if __name__ == '__main__':
    main()
