"""Images that two sets share: the same bytes, or the same image encoded anew.

CrowdPose, for one, is cut from COCO, MPII and AI Challenger: what a model trained on must not be
in what it is evaluated on.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

GRID = 16  # side of the small gray image whose neighbors are compared
BITS = GRID * GRID
# Of 256 bits, encoding anew and resizing change a few; other images differ in about half of them.
MOST_DIFFERENT = 24


class Print(NamedTuple):
    """Print by which an image is recognized.

    Attributes:
        name: its path inside its folder.
        digest: SHA-256 of the file.
        bits: (256,) bool, whether each place of a small gray copy is brighter than the next one.
    """

    name: str
    digest: str
    bits: np.ndarray


class Shared(NamedTuple):
    """An image of one set that another set has too.

    Attributes:
        name: its path in the first set.
        other: its path in the second set.
        difference: bits in which the prints differ, of 256; 0 also for the same bytes.
    """

    name: str
    other: str
    difference: int


def print_of(folder: str | Path, name: str) -> Print:
    """Compute the print of an image file.

    Args:
        folder: of the image set.
        name: path inside the folder.

    Raises:
        OSError: the file is missing or no image.
    """
    path = Path(folder) / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with Image.open(path) as image:
        gray = ImageOps.exif_transpose(image).convert('L')
        small = gray.resize((GRID + 1, GRID), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.int16)
    return Print(name, digest, (values[:, 1:] > values[:, :-1]).ravel())


def prints_of(folder: str | Path, names: Sequence[str]) -> Iterator[Print]:
    """Compute the prints of images, in their order.

    Args:
        folder: of the image set.
        names: paths inside the folder.

    Raises:
        OSError: a file is missing or no image.
    """
    with ThreadPoolExecutor(4) as readers:
        yield from readers.map(lambda name: print_of(folder, name), names)


def find_shared(
    prints: Sequence[Print], others: Sequence[Print], most_different: int = MOST_DIFFERENT
) -> list[Shared]:
    """Find the images of one set that another one has too.

    Args:
        prints: of the first set.
        others: of the second set.
        most_different: bits, of 256, in which prints of one image may differ.

    Returns:
        Every image of the first set that the second has, with its nearest there.
    """
    if not prints or not others:
        return []
    same = {other.digest: other.name for other in others}
    # Hamming distances by a product of ±1: one row per image, and no array of all pairs at once.
    signs = np.array([other.bits for other in others], dtype=np.float32) * 2 - 1
    found = []
    for each in prints:
        if each.digest in same:
            found.append(Shared(each.name, same[each.digest], 0))
            continue
        agreement = signs @ (each.bits.astype(np.float32) * 2 - 1)
        nearest = int(agreement.argmax())
        difference = round((BITS - float(agreement[nearest])) / 2)
        if difference <= most_different and _has_contrast(each):
            found.append(Shared(each.name, others[nearest].name, difference))
    return found


def _has_contrast(each: Print) -> bool:
    # All bits of an image of one color are 0: it would equal any other such image.
    return 0.05 < each.bits.mean() < 0.95
