"""Check a whole file, and hand over its mended content."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...atomic import write_whole
from ...environment.printing import Lines
from .cache import Looked
from .categories import choose_category, keep_category, order_keypoints
from .exporters import recognize
from .findings import Findings, Level, Said, to_lines
from .image_files import check_image_files
from .kinds import KINDS
from .listing import check_images, check_links, is_integer
from .people import (
    check_area,
    check_boxes,
    check_boxes_of_refused,
    check_counts,
    check_keypoints,
    check_places,
)
from .reading import AnnotationError, read_json, without_garbage_collection
from .regions import check_region, fill_regions


@dataclass(frozen=True)
class Expected:
    """What an annotation file is needed for.

    Attributes:
        names: K names of the metainfo's keypoints; None takes those of the file itself.
        category: name or id of the person category, where several have keypoints.
        image_folder: check that the images are there and have the sizes that the file says.
        sample: look at so many images before all; see `check_image_files`.
        upright: sizes are those of images turned by their EXIF tag, as they are shown; else stored.
        allow_outside: file names may leave the image folder.
        crowd_index: every image needs a `crowdIndex`.
        need_area: every annotation needs an `area`; None: only where others have one.
        need_size: every image needs its width and height.
        persons: check categories and annotated people; else images and ids alone.
    """

    names: Sequence[str] | None = None
    category: str | int | None = None
    image_folder: str | Path | None = None
    sample: int | None = None
    upright: bool = True
    allow_outside: bool = False
    crowd_index: bool = False
    need_area: bool | None = None
    need_size: bool = True
    persons: bool = True


@dataclass(frozen=True)
class Checked:
    """A checked annotation file.

    Attributes:
        path: the file.
        data: its content, mended.
        findings: what was wrong with it.
        category_id: id of the person category in the file; in `data` it is 1.
        looked: how many image files were looked at; None without their folder.
    """

    path: str
    data: dict
    findings: Findings
    category_id: int | str | None
    looked: Looked | None = None

    @property
    def is_mended(self) -> bool:
        """Whether `data` differs from the file."""
        return any(finding.what.changes for finding in self.findings)

    def is_refused(self, strict: bool = False) -> bool:
        """Return whether the file cannot be used; if strict, also if anything is suspicious."""
        levels = [Level.REFUSED, *([Level.SUSPICIOUS] if strict else [])]
        return bool(self.findings.of(*levels))

    def require(self, strict: bool = False) -> 'Checked':
        """Return the check itself if the file can be used.

        Args:
            strict: refuse what is suspicious too.

        Raises:
            AnnotationError: it cannot; all that is wrong with it, what is refused first.
        """
        if self.is_refused(strict):
            raise AnnotationError(Lines.of(to_lines(self.path, list(self.findings))))
        return self

    def require_count(self, num_keypoints: int, owner: str) -> None:
        """Check that everybody has as many keypoints as whatever the file is used with.

        Args:
            num_keypoints: K.
            owner: what has them, with its verb.

        Raises:
            AnnotationError: somebody has others.
        """
        for each in self.data['annotations']:
            found = len(each['keypoints']) // 3
            if found != num_keypoints:
                raise AnnotationError(
                    f'{self.path}: annotation {each["id"]} has {found} keypoints; expected '
                    f'{num_keypoints}, as {owner}: is it of another dataset?'
                )

    def notes(self) -> list[str]:
        """Return what was handled rather than refused: nothing, a line, or a table."""
        handled = self.findings.of(Level.SUSPICIOUS, Level.MENDED)
        return to_lines(self.path, handled) if handled else []

    def write(self, path: str | Path) -> None:
        """Write the mended content to a file, which is there as a whole or not at all."""
        write_whole(path, json.dumps(self.data))


def check_file(path: str | Path, expected: Expected = Expected()) -> Checked:
    """Read an annotation file and check all of it.

    Args:
        path: a file in COCO's format.
        expected: what it is needed for.

    Raises:
        FileNotFoundError: the file does not exist.
        AnnotationError: it is no JSON, or none with images and annotations.
    """
    findings = Findings(KINDS)
    with without_garbage_collection():
        data = read_json(path, findings)
        return check_data(data, expected, str(path), findings)


def check_data(
    data: dict,
    expected: Expected = Expected(),
    name: str = 'annotations',
    findings: Findings | None = None,
) -> Checked:
    """Check content that was read already; it is mended in place.

    A refused record is left out of the checks that follow, which report the others.

    Args:
        data: what the file holds.
        expected: what it is needed for.
        name: what messages call it.
        findings: of the reading.

    Raises:
        AnnotationError: there are no lists of images and annotations.
    """
    findings = Findings(KINDS) if findings is None else findings
    _require_lists(Checked(name, data, findings, None), expected.persons)
    findings.exporter = recognize(data)
    if not data['annotations']:
        findings.add('no-annotations')
    _leave_out_other_records(data, findings)
    chosen = choose_category(data, expected.category, findings) if expected.persons else []
    category_id = chosen[0].get('id') if len(chosen) == 1 else None
    if len(chosen) == 1:
        keep_category(data, chosen[0], findings)
    looked = _check_images(data['images'], expected, findings)
    check_links(data, findings)
    if expected.persons:
        _check_persons(data, chosen, expected, findings)
    return Checked(name, data, findings, category_id, looked)


def _require_lists(checked: Checked, persons: bool) -> None:
    data = checked.data
    keys = ('images', 'annotations', 'categories')
    if not isinstance(data, dict):
        checked.findings.add('fields-missing', None, Said(f'a {type(data).__name__}'))
        checked.require()
    lists = [key for key in keys if isinstance(data.get(key), list)]
    needed = ('images', 'categories') if persons else ()
    absent = [key for key in keys if key not in lists or (key in needed and not data[key])]
    if absent:
        checked.findings.exporter = recognize({**data, 'annotations': []})
        checked.findings.add('fields-missing', None, Said(f'no {", ".join(absent)}'))
        checked.require()


def _leave_out_other_records(data: dict, findings: Findings) -> None:
    """Remove, in place, records that are no JSON objects."""
    for key in ('images', 'annotations'):
        for place, record in enumerate(data[key]):
            if not isinstance(record, dict):
                findings.add('record-type', place, record)
        data[key] = [record for record in data[key] if isinstance(record, dict)]


def _check_images(images: list[dict], expected: Expected, findings: Findings) -> Looked | None:
    folder, looked = expected.image_folder, None
    need_size = expected.need_size if folder is None else None  # else read from the files
    check_images(images, findings, need_size, expected.allow_outside)
    if folder is not None:
        looked = check_image_files(
            images,
            folder,
            findings,
            expected.sample,
            expected.upright,
            expected.allow_outside,
        )
    for image in images if expected.crowd_index else ():
        index = image.get('crowdIndex')
        if not isinstance(index, (int, float)) or index != index:
            findings.add('crowd-index', image.get('id'), index)
    return looked


def _check_persons(
    data: dict, chosen: Sequence[dict], expected: Expected, findings: Findings
) -> None:
    sizes = _sizes(data)
    for annotation in data['annotations']:
        _check_crowd_flag(annotation, findings)
        check_region(annotation, sizes[annotation['image_id']], findings)
    fill_regions(data['annotations'], findings)
    if len(chosen) == 1:
        data['annotations'] = _check_people(
            data['annotations'], chosen[0], sizes, expected, findings
        )
        return
    for category in chosen:  # of several, each has its own keypoints
        found = category.get('id')
        people = [each for each in data['annotations'] if each.get('category_id') == found]
        _check_people(people, category, sizes, replace(expected, names=None), findings)


def _check_people(
    people: Sequence[dict], category: dict, sizes: Mapping, expected: Expected, findings: Findings
) -> list[dict]:
    """Check the people of a category, and mend them in place; return those who stay."""
    names = expected.names
    order = order_keypoints(category, names, findings) if names else None
    listed = category.get('keypoints') or names or ()
    num_keypoints = len(listed) or _usual_length(people)
    kept, refused, points = check_keypoints(people, num_keypoints, order, findings)
    check_boxes_of_refused(refused, findings)
    sides = np.array([sizes[each['image_id']] for each in kept], dtype=float).reshape(-1, 2)
    check_places(kept, points, sides, findings)
    check_counts(kept, points, findings)
    kept = check_boxes(kept, points, sides, findings)
    need_area = expected.need_area
    if need_area is None:
        need_area = any('area' in each for each in kept)
    for annotation in kept:
        check_area(annotation, findings, need_area)
    return kept


def _sizes(data: dict) -> dict[int, tuple[float, float]]:
    """Return (w, h) of each image that has people, infinite where it is not known."""
    sizes = {each['image_id']: (np.inf, np.inf) for each in data['annotations']}
    for image in data['images']:
        size = image.get('width'), image.get('height')
        if all(map(is_integer, size)) and is_integer(image.get('id')):
            sizes[image['id']] = size
    return sizes


def _usual_length(annotations: Sequence[dict]) -> int:
    lengths = Counter(
        len(each['keypoints']) for each in annotations if isinstance(each.get('keypoints'), list)
    )
    return max(lengths, key=lengths.get) // 3 if lengths else 0


def _check_crowd_flag(annotation: dict, findings: Findings) -> None:
    flag = annotation.get('iscrowd', 0)
    if isinstance(flag, bool) or flag is None:
        findings.add('iscrowd-form', annotation['id'], flag)
        annotation['iscrowd'] = int(bool(flag))
    elif flag not in (0, 1):
        findings.add('iscrowd', annotation['id'], flag)
