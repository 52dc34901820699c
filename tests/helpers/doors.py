"""What each tool makes of a mutated annotation file: training, testing, fusing and so on.

`python -m tests.helpers.doors` prints the section of the page of the faults; `--write` puts it
there, and all outcomes into the JSON file beside it.
"""

import contextlib
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pinet_mm  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from pinet_mm.cli.check_dataset import main as check_dataset
from pinet_mm.comparison.annotations import Annotations
from pinet_mm.datasets.check import KINDS, Level
from pinet_mm.datasets.check.page import to_markdown
from pinet_mm.datasets.evaluation import average_precision, check_truth
from pinet_mm.datasets.matching import match_poses
from pinet_mm.errors import InputError
from pinet_mm.runner import annotations as of_runs
from pinet_mm.runner import first_process

from mmengine.config import Config
from mmpose.datasets.datasets import CocoDataset
from xtcocotools.coco import COCO

from tests.helpers.changes import NAMES, Mutation, valid, write_images
from tests.helpers.mutations import BYTES, CONTENT, UNREADABLE, write

PAGE = Path(__file__).parents[2] / 'docs' / 'annotation_faults.md'
STORE = PAGE.with_suffix('.json')
WHAT_WAS_TRIED = """\
## What was tried

{number} changes of a valid file, each through five tools: *refused* with file, record, field and
what was expected; *handled* with a line that says so, and with the people and the AP of the file
that was meant; *as it is*: no fault for this tool. `tests/datasets/check/test_doors.py` tries all.
"""
SIGMAS = [0.05] * 5
METAINFO = dict(
    dataset_name='toy',
    paper_info={},
    joint_weights=[1.0] * 5,
    sigmas=SIGMAS,
    keypoint_info={
        i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='') for i, name in enumerate(NAMES)
    },
    skeleton_info={},
)
# Faults that take an annotation out of the file; the others keep all five people.
LEFT_OUT = {'category-undescribed', 'image-unknown', 'nothing-there', 'other-category'}
# They say that the keypoints are wrong, which no tool can put right.
OTHER_PLACES = {'keypoints-outside', 'keypoint-names'}
UNLABELED = 'run lengths without labels and box'
NOBODY = {'no-annotations', 'no-labels'}
# Files that are refused only by tools that open images, or need their sizes.
OF_IMAGES = {'file-name-outside', 'image-size'}
# Of these, what training and testing read from the images, whose folder they know.
READ = 'image-size'


class Result(NamedTuple):
    """What a tool made of a file.

    Attributes:
        people: how many it knows; None if it only reports AP.
        precision: AP of the valid file's keypoints as poses; None if it reports none.
        said: all that it printed or logged.
    """

    people: int | None
    precision: float | None
    said: str


def is_left_out(mutation: Mutation) -> bool:
    """Return whether one of the five people is no person any more."""
    return mutation.kind in LEFT_OUT or mutation.name == 'keypoints are []'  # and no box


def is_moved(mutation: Mutation) -> bool:
    """Return whether a keypoint is not where the valid file has it."""
    return mutation.kind in OTHER_PLACES or mutation.name == 'a keypoint a pixel outside'


def wanted_people(mutation: Mutation, labeled: bool = False) -> int:
    """Return how many people there are; those with labeled keypoints that are no crowd."""
    if mutation.kind == 'no-annotations' or (labeled and mutation.kind in NOBODY):
        return 0
    unlabeled = mutation.name == UNLABELED or mutation.kind == 'keypoints-missing'
    unlabeled = unlabeled and not is_left_out(mutation)
    crowd = mutation.name == 'iscrowd is true'
    return 5 - is_left_out(mutation) - (labeled and (unlabeled or crowd))


def is_right(mutation: Mutation, precision: float) -> bool:
    """Return whether AP is that of perfect poses, as far as the mutation leaves them perfect."""
    if mutation.kind in NOBODY:
        return precision == -1
    # The pose of somebody who is not there is a wrong one among four right ones.
    return precision > (0.6 if is_left_out(mutation) else 0.999) or is_moved(mutation)


def config(folder: Path) -> Config:
    """Return a config that trains and evaluates on the file a.json of a folder."""
    dataset = dict(type='CocoDataset', data_root=str(folder), ann_file='a.json', metainfo=METAINFO)
    return Config(
        dict(
            work_dir=str(folder / 'work'),
            train_dataloader=dict(dataset=dataset),
            test_dataloader=dict(dataset=dict(dataset)),
            test_evaluator=dict(type='CocoMetric', ann_file=str(folder / 'a.json')),
        )
    )


def perfect_poses() -> list[dict]:
    """Return the annotated keypoints of the valid file as results."""
    return [
        dict(
            image_id=each['image_id'],
            category_id=1,
            score=0.9,
            keypoints=[value if i % 3 < 2 else 0.9 for i, value in enumerate(each['keypoints'])],
        )
        for each in valid()['annotations']
    ]


def train(folder: Path) -> Result:
    """Check as a training does, and count the people of its dataset."""
    cfg, said = config(folder), []
    with mock.patch.object(first_process, 'print_log', lambda text, *_: said.append(text)):
        of_runs.check_annotations(cfg, 'train_dataloader')
    settings = cfg.train_dataloader.dataset
    dataset = CocoDataset(
        ann_file=settings.ann_file,
        data_root=settings.data_root,
        metainfo=METAINFO,
        data_mode='bottomup',
        pipeline=[],
        test_mode=True,  # without filters
    )
    images = [dataset[i] for i in range(len(dataset))]
    people = sum(len(each.get('keypoints', ())) for each in images)
    return Result(people, None, '\n'.join(said))


def test(folder: Path) -> Result:
    """Check as an evaluation does, and evaluate perfect poses on the file that its metric reads."""
    cfg, said = config(folder), []
    with mock.patch.object(first_process, 'print_log', lambda text, *_: said.append(text)):
        of_runs.check_annotations(cfg, 'test_dataloader')
    first = cfg.test_evaluator if isinstance(cfg.test_evaluator, dict) else cfg.test_evaluator[0]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = match_poses(COCO(first.ann_file), perfect_poses(), SIGMAS)
        evaluation.accumulate()
        evaluation.summarize()
    return Result(None, float(evaluation.stats[0]), '\n'.join(said))


test.__test__ = False  # pytest collects functions of this name


def fuse(folder: Path) -> Result:
    """Evaluate perfect poses as `tools/fuse.py` does."""
    (folder / 'poses.json').write_text(json.dumps(perfect_poses()))
    said = check_truth(folder / 'a.json', names=NAMES).notes()
    found = average_precision(folder / 'poses.json', folder / 'a.json', SIGMAS, names=NAMES)
    return Result(None, found['AP'], '\n'.join(said))


def compare(folder: Path) -> Result:
    """Count the people whom `tools/compare.py` knows."""
    truth = Annotations(folder / 'a.json', 5, NAMES)
    people = sum(len(truth.persons(image).keypoints) for image in truth.images)
    return Result(people, None, '\n'.join(truth.notes))


def check(folder: Path) -> Result:
    """Run `tools/check_dataset.py`; what it refuses it refuses by its status."""
    (folder / 'metainfo.py').write_text(f'dataset_info = {METAINFO!r}')
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = check_dataset([str(folder / 'a.json'), '--metainfo', str(folder / 'metainfo.py')])
    if status:
        raise InputError(said.getvalue())
    lines = said.getvalue().splitlines()
    (people,) = [int(line.split(' people')[0].split()[-1]) for line in lines if ' people, ' in line]
    return Result(people, None, '\n'.join(line for line in lines if ' people, ' not in line))


DOORS: dict[str, Callable[[Path], Result]] = {
    'training': train,
    'testing': test,
    'fusing': fuse,
    'comparing': compare,
    'checking': check,
}
OUTCOMES = ('refused', 'handled', 'as it is', 'silent loss', 'traceback')


def outcome(mutation: Mutation, door: Callable[[Path], Result], folder: Path) -> str:
    """Return what a tool makes of a mutation: one of `OUTCOMES`.

    Args:
        mutation: of the valid file.
        door: one of `DOORS`.
        folder: an empty folder.
    """
    write_images(folder)
    write(folder / 'a.json', mutation)
    try:
        result = door(folder)
    except InputError as error:
        named = mutation.kind not in KINDS or KINDS[mutation.kind].expected in str(error)
        return 'refused' if named and str(folder / 'a.json') in str(error) else 'traceback'
    except Exception:
        return 'traceback'
    crowds_left_out = mutation.name == 'iscrowd is true' and door is check
    right = result.precision is None or is_right(mutation, result.precision)
    if result.people is not None:
        wanted = wanted_people(mutation, labeled=door is compare) - crowds_left_out
        right = right and result.people == wanted
    said = mutation.kind is None or KINDS[mutation.kind].expected in result.said
    is_read = mutation.kind == READ and door in (train, test)
    refused = mutation.kind in KINDS and KINDS[mutation.kind].level is Level.REFUSED and not is_read
    if refused and not (mutation.kind in OF_IMAGES and door in (fuse, compare)):
        return 'silent loss'
    if mutation.kind in OF_IMAGES and not is_read:
        return 'as it is'
    if not (right and said):
        return 'silent loss'
    return 'as it is' if mutation.kind is None else 'handled'


def outcomes() -> dict[str, dict[str, str]]:
    """Try every mutation with every tool: its name -> name of the tool -> outcome."""
    found = {}
    with tempfile.TemporaryDirectory() as root:
        for mutation in (*CONTENT, *BYTES, *UNREADABLE):
            found[mutation.name] = {}
            for name, door in DOORS.items():
                folder = Path(tempfile.mkdtemp(dir=root))
                found[mutation.name][name] = outcome(mutation, door, folder)
    return found


def to_section(found: Mapping[str, Mapping[str, str]]) -> str:
    """Return a section of the page: sums, and the changes with which the tools differ.

    Args:
        found: what `outcomes` returns.
    """
    differing = ((name, of.values()) for name, of in found.items() if len(set(of.values())) > 1)
    lines = [
        WHAT_WAS_TRIED.format(number=len(found)),
        *_table('tool', OUTCOMES, ((name, _sums(found, name)) for name in DOORS)),
        '',
        'With these the tools differ; [all of them](annotation_faults.json).',
        '',
        *_table('change', DOORS, differing),
        '',
    ]
    return '\n'.join(lines)


def _sums(found: Mapping[str, Mapping[str, str]], door: str) -> list[str]:
    sums = Counter(of[door] for of in found.values())
    return [str(sums[each]) for each in OUTCOMES]


def _table(
    first: str, heads: Iterable[str], rows: Iterable[tuple[str, Iterable[str]]]
) -> Iterator[str]:
    heads = list(heads)
    yield f'| {first} | {" | ".join(heads)} |'
    yield f'|{"---|" * (1 + len(heads))}'
    for name, row in rows:
        yield f'| {name} | {" | ".join(row)} |'


def to_json(found: Mapping[str, Mapping[str, str]]) -> str:
    """Return outcomes as JSON, a line per mutation."""
    rows = (f'  {json.dumps(name)}: {json.dumps(of)}' for name, of in found.items())
    return '{\n' + ',\n'.join(rows) + '\n}\n'


if __name__ == '__main__':
    found = outcomes()
    section = to_section(found)
    print(section)
    if '--write' in sys.argv:
        STORE.write_text(to_json(found))
        PAGE.write_text(f'{to_markdown()}\n{section}')
