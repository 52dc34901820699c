"""The records of images, and the ids by which annotations name them."""

import os
import re
from collections import Counter
from collections.abc import Collection, Hashable
from pathlib import PurePosixPath

from .findings import Findings

INTEGER = re.compile(r'\s*-?[0-9]+\s*')


def is_integer(value: object) -> bool:
    """Return whether a value is an integer; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def as_number(annotation: dict, field: str, known: Collection, findings: Findings) -> object:
    """Return the id that an annotation names; a number that is written as text becomes a number.

    Args:
        annotation: one record.
        field: name of the id.
        known: the ids that there are.
        findings: receives a number that is written as text.
    """
    found = annotation.get(field)
    if isinstance(found, str) and found not in known and INTEGER.fullmatch(found):
        findings.add('number-as-text', annotation.get('id'), found)
        found = annotation[field] = int(found)
    return found


def _check_id(record: dict, kind: str, findings: Findings) -> None:
    """Check an id; a whole number that is written as text or as a float becomes an integer."""
    found = record['id']
    if is_integer(found):
        return
    if isinstance(found, str) and INTEGER.fullmatch(found):
        record['id'] = int(found)
    elif isinstance(found, float) and found.is_integer():
        record['id'] = int(found)
    changed = record['id'] is not found
    findings.add(f'{kind}-id-form' if changed else f'{kind}-id-type', found)


def check_images(
    images: list,
    findings: Findings,
    need_size: bool | None = True,
    allow_outside: bool = False,
) -> None:
    """Check ids, file names and sizes of the records of images; mend names in place.

    Args:
        images: the records.
        findings: receives every fault.
        need_size: whether every record needs width and height; if not, wrong ones are faults all
            the same. None checks none, since they will be read from the files.
        allow_outside: whether file names may leave the image folder.
    """
    for image in images:
        name = image.get('file_name')
        if 'id' not in image:
            findings.add('image-id-missing', name)
        else:
            _check_id(image, 'image', findings)
        _check_name(image, name, findings, allow_outside)
        given = [side for side in (image.get('width'), image.get('height')) if side is not None]
        if need_size or (need_size is not None and not all(map(_is_side, given))):
            _check_size(image, findings)
    _check_twice(images, 'id', 'image-id-twice', findings)
    _check_twice(images, 'file_name', 'file-name-twice', findings)


def _check_name(image: dict, name: object, findings: Findings, allow_outside: bool) -> None:
    if not isinstance(name, str) or not can_be_path(name):
        findings.add('file-name-missing', image.get('id'), name)
        return
    if '\\' in name:
        findings.add('file-name-backslash', image.get('id'), name)
        name = image['file_name'] = name.replace('\\', '/')
    if not allow_outside and is_outside(name):
        findings.add('file-name-outside', image.get('id'), name)


def can_be_path(name: str) -> bool:
    """Return whether a file can have this name."""
    try:
        return bool(name.strip()) and '\0' not in name and bool(os.fsencode(name))
    except UnicodeEncodeError:
        return False


def is_outside(name: str) -> bool:
    """Return whether a path with slashes leads out of its folder, or is a URL."""
    path = PurePosixPath(name)
    return path.is_absolute() or '..' in path.parts or name[1:2] == ':' or '://' in name


def size_of(image: dict) -> tuple[int, int] | None:
    """Return (w, h) of a record; None unless both are positive integers."""
    size = image.get('width'), image.get('height')
    return size if all(map(_is_side, size)) else None


def _is_side(value: object) -> bool:
    return is_integer(value) and value > 0


def _check_size(image: dict, findings: Findings) -> None:
    if size_of(image) is not None:
        return
    size = image.get('width'), image.get('height')
    try:
        numbers = [float(side) for side in size]
    except (TypeError, ValueError):
        numbers = [0.0]
    if all(number > 0 and number.is_integer() for number in numbers):
        findings.add('image-size-text', image.get('id'), size)
        image.update(width=int(numbers[0]), height=int(numbers[1]))
    else:
        findings.add('image-size', image.get('id'), size)


def _check_twice(records: list, key: str, kind: str, findings: Findings) -> None:
    counts = Counter(str(each[key]) for each in records if each.get(key) is not None)
    twice = {value for value, count in counts.items() if count > 1}
    for each in records if twice else ():
        if str(each.get(key)) in twice:
            findings.add(kind, each.get('id'), each[key] if key != 'id' else None)


def ids_of(images: list) -> set:
    """Return the ids of images, of those that have one."""
    ids = (image.get('id') for image in images)
    return {each for each in ids if each is not None and isinstance(each, Hashable)}


def check_links(data: dict, findings: Findings) -> None:
    """Check the annotations' ids and the images that they name; leave out what has no image.

    Args:
        data: the content of a file; annotations of unknown images are left out, in place.
        findings: receives every fault.
    """
    annotations = data['annotations']
    known = ids_of(data['images'])
    unnumbered = [each for each in annotations if each.get('id') is None]
    if unnumbered:
        findings.extend('annotation-id-missing', [None] * len(unnumbered))
        _number(annotations, unnumbered)
    for each in annotations:
        _check_id(each, 'annotation', findings)
    _check_twice(annotations, 'id', 'annotation-id-twice', findings)
    data['annotations'] = [each for each in annotations if _has_image(each, known, findings)]
    if annotations and not data['annotations'] and known:
        findings.add('nobody-left')


def _number(annotations: list, unnumbered: list) -> None:
    first = 1 + max((each['id'] for each in annotations if is_integer(each.get('id'))), default=0)
    for number, each in enumerate(unnumbered, first):
        each['id'] = number


def _has_image(annotation: dict, known: Collection, findings: Findings) -> bool:
    image_id = as_number(annotation, 'image_id', known, findings)
    if isinstance(image_id, (list, dict)) or image_id not in known:
        findings.add('image-unknown', annotation['id'], image_id)
        return False
    return True
