"""The records of images, and the ids by which annotations name them."""

from collections import Counter
from collections.abc import Collection
from pathlib import PurePosixPath

from .findings import Findings


def is_integer(value: object) -> bool:
    """Return whether a value is an integer; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def as_number(annotation: dict, field: str, known: Collection, findings: Findings) -> object:
    """Return the id that an annotation names, as the number that it is if it is written as text.

    Args:
        annotation: one record.
        field: name of the id.
        known: the ids that there are.
        findings: receives a number that is written as text.
    """
    found = annotation.get(field)
    if isinstance(found, str) and found not in known and found.strip().lstrip('-').isdigit():
        findings.add('number-as-text', annotation.get('id'), found)
        found = annotation[field] = int(found)
    return found


def check_images(images: list, findings: Findings, need_size: bool | None = True) -> None:
    """Check ids, file names and sizes of the records of images; mend names in place.

    Args:
        images: the records.
        findings: receives every fault.
        need_size: whether every record needs width and height; wrong ones are a fault in any case,
            unless it is None: they will be read from the files.
    """
    for image in images:
        name = image.get('file_name')
        if 'id' not in image:
            findings.add('image-id-missing', name)
        elif not is_integer(image['id']):
            findings.add('image-id-type', image['id'])
        _check_name(image, name, findings)
        given = 'width' in image or 'height' in image
        if need_size or (given and need_size is not None):
            _check_size(image, findings)
    _check_twice(images, 'id', 'image-id-twice', findings)
    _check_twice(images, 'file_name', 'file-name-twice', findings)


def _check_name(image: dict, name: object, findings: Findings) -> None:
    if not isinstance(name, str) or not name.strip():
        findings.add('file-name-missing', image.get('id'), name)
        return
    if '\\' in name:
        findings.add('file-name-backslash', image.get('id'), name)
        name = image['file_name'] = name.replace('\\', '/')
    path = PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts or name[1:2] == ':':
        findings.add('file-name-outside', image.get('id'), name)


def _size_of(image: dict) -> tuple[int, int] | None:
    size = image.get('width'), image.get('height')
    return size if all(is_integer(side) and side > 0 for side in size) else None


def _check_size(image: dict, findings: Findings) -> None:
    if _size_of(image) is not None:
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


def check_links(data: dict, findings: Findings) -> None:
    """Check the annotations' ids and the images that they name; leave out what has no image.

    Args:
        data: the content of a file; annotations of unknown images are left out, in place.
        findings: receives every fault.
    """
    annotations = data['annotations']
    known = {image['id'] for image in data['images'] if 'id' in image}
    unnumbered = [each for each in annotations if each.get('id') is None]
    if unnumbered:
        findings.extend('annotation-id-missing', [None] * len(unnumbered))
        _number(annotations, unnumbered)
    for each in annotations:
        if not is_integer(each['id']):
            findings.add('annotation-id-type', each['id'])
    _check_twice(annotations, 'id', 'annotation-id-twice', findings)
    data['annotations'] = [each for each in annotations if _has_image(each, known, findings)]
    if annotations and not data['annotations']:
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
