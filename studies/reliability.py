"""Is a score what it says: the OKS that poses have, by their score, as a table and a plot.

python -m studies.reliability ANNOTATIONS NAME=PREDICTIONS ... [--out FILE]; predictions are what
`tools/test.py --json` writes.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pinet_mm.cli import command
from pinet_mm.configs import read_config
from pinet_mm.datasets.evaluation import check_truth, require_images, to_coco
from pinet_mm.datasets.matching import person_oks
from pinet_mm.datasets.pose_files import read_entries
from pinet_mm.models.codec import build_layout
from pinet_mm.models.score_loss import ON_A_PERSON

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment
from xtcocotools.coco import COCO

from .tables import to_markdown

EDGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


class Scored(NamedTuple):
    """Poses that count.

    Attributes:
        scores: (N,) what a model says of them.
        oks: (N,) what they have with the person that each is matched to; 0 without one.
    """

    scores: np.ndarray
    oks: np.ndarray


def read_scored(annotations: COCO, entries: Sequence[Mapping], sigmas: Sequence[float]) -> Scored:
    """Match poses and people one to one, for the most OKS in all of an image.

    Poses whose middle lies in the box of somebody without labels are left out, unless they have an
    OKS of `ON_A_PERSON` with somebody else.

    Args:
        annotations: the people.
        entries: poses of these images, in COCO's result format.
        sigmas: K OKS sigmas.
    """
    poses_of: dict[int, list[Mapping]] = {}
    for entry in entries:
        poses_of.setdefault(entry['image_id'], []).append(entry)
    scores, oks = [], []
    for image, found in poses_of.items():
        people = annotations.imgToAnns[image]
        poses_img = np.array([entry['keypoints'] for entry in found]).reshape(len(found), -1, 3)
        matched = _match(poses_img[..., :2], [each for each in people if _labeled(each)], sigmas)
        middles = (poses_img[..., :2].max(axis=1) + poses_img[..., :2].min(axis=1)) / 2
        others = np.array([each['bbox'] for each in people if not _labeled(each)]).reshape(-1, 4)
        counted = (matched > ON_A_PERSON) | ~_in_a_box(middles, others)
        scores.append(np.array([entry['score'] for entry in found])[counted])
        oks.append(matched[counted])
    return Scored(np.concatenate(scores or [[]]), np.concatenate(oks or [[]]))


def _labeled(person: Mapping) -> bool:
    return not person.get('iscrowd') and any(v > 0 for v in person['keypoints'][2::3])


def _match(poses_img: np.ndarray, people: Sequence[Mapping], sigmas: Sequence[float]) -> np.ndarray:
    # (N,) OKS of poses (N, K, 2) with the person of each.
    matched = np.zeros(len(poses_img))
    if people:
        rows = np.array([each['keypoints'] for each in people], float).reshape(len(people), -1, 3)
        areas = np.array([each['area'] for each in people], float)
        oks = person_oks(poses_img, rows[..., :2], rows[..., 2] > 0, areas, sigmas)
        pose, person = linear_sum_assignment(oks, maximize=True)
        matched[pose] = oks[pose, person]
    return matched


def _in_a_box(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    # (N,) of points (N, 2) and boxes (M, 4; x, y, w, h).
    low, sides = boxes[:, :2], boxes[:, 2:]
    return ((points[:, None] >= low) & (points[:, None] <= low + sides)).all(axis=-1).any(axis=-1)


class Range(NamedTuple):
    """Poses whose scores lie in a range.

    Attributes:
        low: its lower end, which belongs to it.
        high: its upper end, which does so in the last range alone.
        count: of the poses.
        score: their mean score; NaN without a pose.
        oks: their mean OKS; NaN without a pose.
    """

    low: float
    high: float
    count: int
    score: float
    oks: float


def by_range(scored: Scored, edges: Sequence[float] = EDGES) -> list[Range]:
    """Average scores and OKS within ranges.

    Args:
        scored: poses.
        edges: of the ranges, rising; what lies outside counts to the first or last one.
    """
    inside = np.digitize(scored.scores, edges[1:-1])
    rows = []
    for i, (low, high) in enumerate(zip(edges, edges[1:])):
        members = inside == i
        means = [
            float(values[members].mean()) if members.any() else float('nan') for values in scored
        ]
        rows.append(Range(low, high, int(members.sum()), *means))
    return rows


def to_table(kinds: Mapping[str, Scored]) -> str:
    """Return the ranges of each kind of score, a column for each mean, in Markdown.

    Args:
        kinds: name of a score to poses.
    """
    header = [
        'range',
        *(f'{name}: {what}' for name in kinds for what in ('poses', 'mean score', 'mean OKS')),
    ]
    cells = [
        [f'{rows[0].low:g} to {rows[0].high:g}', *(text for row in rows for text in _texts(row))]
        for rows in zip(*map(by_range, kinds.values()))
    ]
    return to_markdown(header, cells)


def _texts(row: Range) -> list[str]:
    return [str(row.count), *(f'{x:.2f}' if row.count else '' for x in (row.score, row.oks))]


def draw(kinds: Mapping[str, Scored], path: Path) -> None:
    """Draw mean OKS over mean score, a curve for each kind of score.

    Args:
        kinds: name of a score to poses.
        path: of the image.
    """
    figure = Figure(figsize=(5.5, 5), layout='constrained')
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color='gray', linestyle=':', label='perfect calibration')
    for name, scored in kinds.items():
        rows = [row for row in by_range(scored) if row.count]
        axis.plot([row.score for row in rows], [row.oks for row in rows], marker='o', label=name)
    axis.set(xlabel='mean score', ylabel='mean OKS', xlim=(0, 1), ylim=(0, 1), aspect='equal')
    axis.spines[['top', 'right']].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(path, dpi=110)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('annotations', type=_to_path, metavar='ANNOTATIONS')
    parser.add_argument('predictions', type=_to_named, nargs='+', metavar='NAME=PREDICTIONS')
    parser.add_argument('--config', default='pinet_lite_photos', help='whose sigmas (%(default)s)')
    parser.add_argument('--out', type=Path, default=Path('reliability.png'))
    return parser


def _to_named(text: str) -> tuple[str, Path]:
    name, sign, path = text.partition('=')
    if not sign:
        raise argparse.ArgumentTypeError(f'expected NAME=FILE; found {text!r}')
    return name, _to_path(path)


def _to_path(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f'the file {text!r} does not exist')
    return path


def run(args: argparse.Namespace) -> None:
    """Print the table, and draw the plot."""
    layout = build_layout(read_config(args.config).codec.layout)
    people = to_coco(check_truth(args.annotations, names=layout.keypoint_names))
    kinds = {}
    for name, path in args.predictions:
        entries, _ = read_entries(path, len(layout.sigmas))
        require_images((each['image_id'] for each in entries), people, path, args.annotations)
        kinds[name] = read_scored(people, entries, layout.sigmas)
    print(to_table(kinds))
    draw(kinds, args.out)


main = command(make_parser, run)

if __name__ == '__main__':
    main()
