"""The image files that annotations name: are they there, and of the size that is written?"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .findings import Findings, Said

ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # EXIF's tag; its values that exchange width and height


def shown_size(path: str | Path) -> tuple[int, int]:
    """Return (w, h) of an image file as it is shown, turned by its EXIF tag; reads the header.

    Raises:
        OSError: the file is missing or no image.
    """
    with Image.open(path) as image:
        w, h = image.size
        return (h, w) if image.getexif().get(ORIENTATION) in TURNED else (w, h)


def check_image_files(images: list[dict], folder: str | Path, findings: Findings) -> None:
    """Compare the records of images with their files; mend sizes in place.

    Args:
        images: the records.
        folder: where their `file_name` begins.
        findings: receives every fault.
    """
    named = [each for each in images if isinstance(each.get('file_name'), str)]
    for image, size in zip(named, _sizes(named, Path(folder))):
        if isinstance(size, str):
            findings.add(size, image.get('id'), image['file_name'])
        else:
            _compare(image, size, findings)


def _sizes(images: list[dict], folder: Path) -> Iterator:
    def read(image: dict):
        try:
            return shown_size(folder / image['file_name'])
        except FileNotFoundError:
            return 'image-file-missing'
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
            return 'image-file-unreadable'

    with ThreadPoolExecutor(4) as readers:
        yield from readers.map(read, images)


def _compare(image: dict, size: tuple[int, int], findings: Findings) -> None:
    found = image.get('width'), image.get('height')
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
