"""Check a whole file, and hand over its mended content."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...atomic import write_whole
from .categories import choose_category, keep_category, order_keypoints
from .findings import Findings, Level, Said
from .kinds import KINDS
from .listing import check_images, check_links
from .people import check_area, check_boxes, check_keypoints, check_places
from .reading import AnnotationError, read_json
from .regions import check_region, fill_regions


@dataclass(frozen=True)
class Checked:
    """A checked annotation file.

    Attributes:
        path: the file.
        data: its content, mended.
        findings: what was wrong with it.
        category_id: id of the person category in the file; in `data` it is 1.
    """

    path: str
    data: dict
    findings: Findings
    category_id: int | str | None

    @property
    def is_mended(self) -> bool:
        """Whether `data` differs from the file."""
        return any(finding.what.changes for finding in self.findings)

    def require(self, strict: bool = False) -> 'Checked':
        """Return the check itself if the file can be used.

        Args:
            strict: refuse what is suspicious too.

        Raises:
            AnnotationError: it cannot; all reasons, a line each.
        """
        levels = [Level.REFUSED, *([Level.SUSPICIOUS] if strict else [])]
        refused = self.findings.of(*levels)
        if refused:
            raise AnnotationError('\n'.join(f'{self.path}: {finding}' for finding in refused))
        return self

    def notes(self) -> list[str]:
        """Return a line for everything that was handled rather than refused."""
        handled = self.findings.of(Level.SUSPICIOUS, Level.MENDED)
        return [f'{self.path}: {finding}' for finding in handled]

    def write(self, path: str | Path) -> None:
        """Write the mended content to a file, which is there as a whole or not at all."""
        write_whole(path, json.dumps(self.data))


def check_file(
    path: str | Path,
    names: Sequence[str] | None = None,
    category: str | int | None = None,
    image_folder: str | Path | None = None,
    crowd_index: bool = False,
    need_area: bool | None = None,
    need_size: bool = True,
    persons: bool = True,
) -> Checked:
    """Read an annotation file and check all of it.

    Args:
        path: a file in COCO's format.
        names: K names of the metainfo's keypoints; by default those of the file itself.
        category: name or id of the person category, where several have keypoints.
        image_folder: check that the images are there and have the sizes that the file says.
        crowd_index: whether every image needs a `crowdIndex`.
        need_area: whether every annotation needs an `area`; by default only where others have one.
        need_size: whether every image needs its width and height.
        persons: check categories and annotated people; else images and ids alone.

    Raises:
        FileNotFoundError: the file does not exist.
        AnnotationError: it is no JSON, or none with images, annotations and categories.
    """
    findings = Findings(KINDS)
    data = read_json(path, findings)
    options = dict(
        crowd_index=crowd_index,
        need_area=need_area,
        need_size=need_size,
        persons=persons,
        findings=findings,
    )
    return check_data(data, str(path), names, category, image_folder, **options)


def check_data(
    data: dict,
    name: str = 'annotations',
    names: Sequence[str] | None = None,
    category: str | int | None = None,
    image_folder: str | Path | None = None,
    *,
    crowd_index: bool = False,
    need_area: bool | None = None,
    need_size: bool = True,
    persons: bool = True,
    findings: Findings | None = None,
) -> Checked:
    """Check content that was read already; it is mended in place.

    Args:
        data: what the file holds.
        name: what messages call it.
        names: see `check_file`.
        category: see `check_file`.
        image_folder: see `check_file`.
        crowd_index: see `check_file`.
        need_area: see `check_file`.
        need_size: see `check_file`.
        persons: see `check_file`.
        findings: of the reading.

    Raises:
        AnnotationError: there are no lists of images, annotations and categories.
    """
    findings = Findings(KINDS) if findings is None else findings
    checked = Checked(name, data, findings, None)
    _require_lists(checked)
    chosen = choose_category(data, category, findings) if persons else None
    checked.require()
    category_id = chosen.get('id') if chosen else None
    if chosen:
        keep_category(data, chosen, findings)
    check_images(data['images'], findings, need_size if image_folder is None else None)
    if image_folder is not None:
        from .image_files import check_image_files

        check_image_files(data['images'], image_folder, findings)
    if crowd_index:
        _check_crowd_index(data['images'], findings)
    checked.require()
    check_links(data, findings)
    if persons:
        _check_persons(data, chosen or {}, names, findings, need_area)
    return Checked(name, data, findings, category_id)


def _require_lists(checked: Checked) -> None:
    data = checked.data
    keys = ('images', 'annotations', 'categories')
    if not isinstance(data, dict):
        checked.findings.add('fields-missing', None, Said(f'a {type(data).__name__}'))
    else:
        absent = [key for key in keys if not isinstance(data.get(key), list)]
        if absent:
            checked.findings.add('fields-missing', None, Said(f'no {", ".join(absent)}'))
    checked.require()
    for key in ('images', 'annotations'):
        for place, record in enumerate(data[key]):
            if not isinstance(record, dict):
                checked.findings.add('record-type', place, record)
    checked.require()


def _check_crowd_index(images: Sequence[dict], findings: Findings) -> None:
    for image in images:
        index = image.get('crowdIndex')
        if not isinstance(index, (int, float)) or index != index:
            findings.add('crowd-index', image.get('id'), index)


def _check_persons(
    data: dict,
    category: dict,
    names: Sequence[str] | None,
    findings: Findings,
    need_area: bool | None,
) -> None:
    annotations = data['annotations']
    order = order_keypoints(category, names, findings) if names else None
    num_keypoints = len(names or category.get('keypoints') or ()) or _usual_length(annotations)
    if findings.of(Level.REFUSED):
        return
    sizes = _sizes(data['images'], annotations)
    for annotation, size in zip(annotations, sizes.tolist()):
        _check_crowd_flag(annotation, findings)
        check_region(annotation, tuple(size), findings)
    fill_regions(annotations, findings)
    points = check_keypoints(annotations, num_keypoints, order, findings)
    if findings.of(Level.REFUSED):
        return  # what follows from a refused record is no fault of its own
    check_places(annotations, points, sizes, findings)
    kept, beyond = check_boxes(annotations, points, sizes, findings)
    if len(kept) >= 4 and beyond > len(kept) / 2:
        found = Said(f'{beyond} of {len(kept)} boxes beyond their image')
        findings.add('box-corners', None, found)
    if need_area is None:
        need_area = any('area' in each for each in kept)
    for annotation in kept:
        check_area(annotation, findings, need_area)
    data['annotations'] = kept


def _sizes(images: Sequence[dict], annotations: Sequence[dict]) -> np.ndarray:
    """Return (N, 2), w and h of each annotation's image, infinite where they are not known."""
    size_of = {
        image['id']: (image.get('width', np.inf), image.get('height', np.inf)) for image in images
    }
    return np.array([size_of[each['image_id']] for each in annotations]).reshape(-1, 2)


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
