"""The image files that annotations name: whether they exist, and have the sizes written there."""

from functools import partial
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .cache import Looked, read_all
from .findings import Findings, Said

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
) -> Looked:
    """Compare the records of images with their files; mend sizes in place.

    Args:
        images: the records.
        folder: where their `file_name` begins.
        findings: receives every fault.
        sample: look at so many images, spread evenly over the file, and at all only if one of them
            has another size; None looks at all.
        upright: whether images count as they are shown, see `shown_size`.

    Returns:
        How many were looked at.
    """
    named = [each for each in images if isinstance(each.get('file_name'), str)]
    if sample and len(named) > sample:
        some = [named[i * len(named) // sample] for i in range(sample)]
        sizes, looked = _sizes(some, folder, upright)
        if all(_written(image) == size for image, size in zip(some, sizes)):
            return looked
    sizes, looked = _sizes(named, folder, upright)
    for image, size in zip(named, sizes):
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
        there = value is not None or (Path(folder) / image['file_name']).is_file()
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
    if None in found or not all(isinstance(side, int) and side > 0 for side in found):
        findings.add('image-size-read', image.get('id'), found)
    elif found == size[::-1]:
        findings.add('image-size-swapped', image.get('id'), written)
    else:
        findings.add('image-size-other', image.get('id'), written)
        return
    image.update(width=size[0], height=size[1])
