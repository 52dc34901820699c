"""Draw the poses of two models side by side: tools/compare.py PICTURE... --model A --model B.

Writes a drawing for every picture, overview.jpg and comparison.json. Persons that a model missed
stand in dashed boxes: those of --annotations or, without them, those that only the other found.
"""

import argparse
import re
import sys
from pathlib import Path

# In a checkout its own code runs, installed or not; a wheel has no package beside tools/.
ROOT = Path(__file__).resolve().parents[1]
if (ROOT / 'pinet_mm').is_dir():
    sys.path.insert(0, str(ROOT))

from pinet_mm import comparison
from pinet_mm.errors import RunError

from mmengine.config import DictAction


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('inputs', nargs='+', metavar='PICTURE', help='a picture or a folder')
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
    parser.add_argument(
        '--annotations',
        metavar='FILE',
        help='COCO-format JSON file with the persons of the pictures',
    )
    parser.add_argument('--out', default='comparison', help='folder to write into (%(default)s)')
    parser.add_argument(
        '--hardest',
        type=int,
        metavar='N',
        help='draw the N pictures of the highest crowd index alone',
    )
    parser.add_argument(
        '--most-different',
        type=int,
        metavar='N',
        help='draw the N pictures where the numbers of found persons differ most '
        '(with --hardest: of those)',
    )
    parser.add_argument(
        '--pose-thr',
        type=float,
        nargs='+',
        default=[0.1],
        metavar='SCORE',
        help='persons with a lower score do not count; one for both models or '
        'one for each (%(default)s)',
    )
    parser.add_argument('--device', help='such as cuda:1 (the first GPU, or the CPU)')
    return parser


def to_spec(words: list[str]) -> comparison.Spec:
    """Read what stands after `--model`."""
    config, *words = words
    checkpoint = None if not words or re.match(r'[\w.]+=', words[0]) else words.pop(0)
    options = argparse.ArgumentParser(usage='--model CONFIG [CHECKPOINT] [KEY=VALUE ...]')
    options.add_argument('settings', nargs='*', action=DictAction)
    for word in words:
        if '=' not in word:
            options.error(f'expected KEY=VALUE; found {word} (pictures come before --model)')
    return comparison.Spec(config, checkpoint, options.parse_args(words).settings or None)


def main() -> None:
    """Compare, or end with one line that says why not."""
    parser = make_parser()
    args = parser.parse_args()
    if len(args.models) != 2 or len(args.pose_thr) > 2:
        parser.error(
            f'expected two --model and at most two --pose-thr; found {len(args.models)} '
            f'and {len(args.pose_thr)}'
        )
    specs = [to_spec(words) for words in args.models]
    try:
        sides = comparison.load_sides(specs, args.names, (args.pose_thr * 2)[:2], args.device)
        report = comparison.compare(
            sides, args.inputs, args.out, args.annotations, args.hardest, args.most_different
        )
    except (FileNotFoundError, RunError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(
        f'\n{comparison.summary(report.document)}; drawings and {report.json.name} are in '
        f'{report.json.parent}'
    )


if __name__ == '__main__':
    main()
