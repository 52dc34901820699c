"""Draw the poses of two models side by side: pinet-mm compare IMAGE... --model A --model B.

Writes a drawing for every image, overview.jpg and comparison.json. People whom a model missed are
drawn in white dashes: those of --annotations or, without them, those that only the other model
found.
"""

import argparse
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..environment.printing import print_line
from . import command
from .options import POSE_THR_HELP, ConfigOptions, to_pose_thr

if TYPE_CHECKING:
    from .. import comparison

EXAMPLES = (
    'street.jpg --model pinet_lite_photos --model my_config.py weights.pth',
    'images/ --model a.py a.pth --model a.py a.pth model.test_cfg.oks_thr=1 --hardest 8 '
    '--annotations val.json',
)


class _Parser(argparse.ArgumentParser):
    """Parse the words of each `--model`, whose number and order argparse cannot check."""

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        parsed = super().parse_args(args, namespace)
        if len(parsed.models) != 2:
            self.error(f'name two models, --model A --model B; found {len(parsed.models)}')
        if len(parsed.pose_thr) > 2:
            self.error(f'--pose-thr takes one score or two; found {len(parsed.pose_thr)}')
        parsed.models = [self._to_spec(*words) for words in parsed.models]
        return parsed

    def _to_spec(self, config: str, *words: str) -> 'comparison.Spec':
        from .. import comparison

        named = bool(words) and not re.match(r'[\w.]+=', words[0])
        checkpoint, settings = (words[0], words[1:]) if named else (None, words)
        for word in settings:
            if '=' not in word:
                self.error(f'expected KEY=VALUE; found {word} (images come before --model)')
        reader = argparse.ArgumentParser()
        reader.add_argument('settings', nargs='*', action=ConfigOptions)
        return comparison.Spec(config, checkpoint, reader.parse_args(settings).settings or None)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(description='Draw the poses of two models side by side')
    parser.add_argument('inputs', nargs='+', metavar='IMAGE', help='an image or a folder')
    parser.add_argument(
        '--model',
        nargs='+',
        action='append',
        required=True,
        dest='models',
        metavar=('CONFIG', 'CHECKPOINT KEY=VALUE'),
        help="give it twice: a config of this project's or of MMPose's bottom-up "
        'models, its weights (by default those that the package ships), '
        'settings that replace those of the config',
    )
    parser.add_argument(
        '--names',
        nargs=2,
        metavar=('A', 'B'),
        help="what to call the models (their configs' names)",
    )
    _add_annotations(parser)
    parser.add_argument('--out', default='comparison', help='folder to write into (%(default)s)')
    parser.add_argument(
        '--pose-thr',
        type=to_pose_thr,
        nargs='+',
        default=['auto'],
        metavar='SCORE',
        help='people with a lower score do not count; one for both models or '
        f'one for each ({POSE_THR_HELP})',
    )
    parser.add_argument('--device', help='such as cuda:1 (the first GPU, or the CPU)')
    return parser


def _add_annotations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--annotations',
        metavar='FILE',
        help='COCO-format JSON file with the people of the images',
    )
    parser.add_argument(
        '--category',
        metavar='NAME',
        help='name or id of the person category, if several have keypoints',
    )
    parser.add_argument(
        '--hardest',
        type=int,
        metavar='N',
        help='draw the N images of the highest crowd index alone',
    )
    parser.add_argument(
        '--most-different',
        type=int,
        metavar='N',
        help='draw the N images where the numbers of found people differ most '
        '(with --hardest: of those)',
    )


def run(args: argparse.Namespace) -> None:
    """Compare, write, and print what was found."""
    from .. import comparison
    from ..datasets.evaluation import check_truth

    comparison.check_numbers(args.hardest, args.most_different, args.annotations)
    if args.annotations:  # before models are built, whose keypoints are compared with it later
        check_truth(args.annotations, category=args.category)
    sides = comparison.load_sides(args.models, args.names, (args.pose_thr * 2)[:2], args.device)
    report = comparison.compare(
        sides,
        args.inputs,
        args.out,
        args.annotations,
        args.hardest,
        args.most_different,
        args.category,
    )
    print()
    print_line(
        f'{comparison.summary(report.document)}; drawings and {report.json.name} are in '
        f'{report.json.parent}'
    )


main = command(make_parser, run, examples=EXAMPLES)
