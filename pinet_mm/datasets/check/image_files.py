"""The image files that annotations name: whether they exist, and have the sizes written there."""

import os
from functools import partial
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .cache import Looked, read_all
from .findings import Findings, Said
from .listing import can_be_path, is_outside, size_of

ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # EXIF's tag; its values that exchange width and height


def shown_size(path: str | Path, upright: bool = True) -> tuple[int, int]:
    """Return (w, h) of an image file; reads the header.

    Args:
        path: of the file.
        upright: turned by its EXIF tag, as it is shown; else as it is stored.

    Raises:
        OSError: the file is missing or no image.
    """
    with Image.open(path) as image:
        w, h = image.size
        turned = upright and image.getexif().get(ORIENTATION) in TURNED
        return (h, w) if turned else (w, h)


def check_image_files(
    images: list[dict],
    folder: str | Path,
    findings: Findings,
    sample: int | None = None,
    upright: bool = True,
    allow_outside: bool = False,
) -> Looked:
    """Compare the records of images with their files; mend sizes in place.

    Args:
        images: the records.
        folder: where their `file_name` begins.
        findings: receives every fault.
        sample: look at so many images, spread evenly over the file, and at all only if one of them
            has another size; None looks at all. Images without a size are looked at in any case.
        upright: whether images count as they are shown, see `shown_size`.
        allow_outside: look at files outside the folder too.

    Returns:
        How many were looked at.
    """
    names = ((each, each.get('file_name')) for each in images)
    named = [each for each, name in names if isinstance(name, str) and can_be_path(name)]
    if not allow_outside:
        named = [each for each in named if not is_outside(each['file_name'])]
    if sample and len(named) > sample:
        sized = [each for each in named if size_of(each)]
        count = min(sample, len(sized))
        some = [sized[i * len(sized) // count] for i in range(count)]
        sizes, looked = _sizes(some, folder, upright)
        if all(_written(image) == size for image, size in zip(some, sizes)):
            rest = [each for each in named if not size_of(each)]
            return _look(rest, folder, findings, upright) if rest else looked
    return _look(named, folder, findings, upright)


def _look(images: list[dict], folder: str | Path, findings: Findings, upright: bool) -> Looked:
    """Compare these records with their files; mend sizes in place."""
    sizes, looked = _sizes(images, folder, upright)
    for image, size in zip(images, sizes):
        if isinstance(size, str):
            findings.add(size, image.get('id'), image['file_name'])
        else:
            _compare(image, size, findings)
    return looked


def _written(image: dict) -> tuple:
    return image.get('width'), image.get('height')


def _sizes(images: list[dict], folder: str | Path, upright: bool) -> tuple[list, Looked]:
    """Return (w, h) of each image, or the kind of fault; and how many were looked at."""
    names = [each['file_name'] for each in images]
    kind = 'sizes' if upright else 'stored-sizes'
    values, looked = read_all(partial(_size_or_none, upright=upright), folder, names, kind)
    sizes = []
    for image, value in zip(images, values):
        # Not `Path.is_file`, which raises where a name is too long.
        there = value is not None or os.path.isfile(Path(folder) / image['file_name'])
        fault = 'image-file-unreadable' if there else 'image-file-missing'
        sizes.append(fault if value is None else tuple(value))
    return sizes, looked


def _size_or_none(path: Path, upright: bool) -> list[int] | None:
    try:
        return list(shown_size(path, upright))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _compare(image: dict, size: tuple[int, int], findings: Findings) -> None:
    found = _written(image)
    if found == size:
        return
    written = Said(f'{found[0]}×{found[1]}, the file has {size[0]}×{size[1]}')
    if size_of(image) is None:
        findings.add('image-size-read', image.get('id'), found)
    elif found == size[::-1]:
        findings.add('image-size-swapped', image.get('id'), written)
    else:
        findings.add('image-size-other', image.get('id'), written)
        return
    image.update(width=size[0], height=size[1])
