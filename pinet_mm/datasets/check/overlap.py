"""Images that two sets share: the same bytes, or the same image encoded anew.

CrowdPose, for one, is cut from COCO, MPII and AI Challenger: what a model trained on must not be
in what it is evaluated on.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from ...atomic import write_whole
from .cache import Looked, read_all

SIDE = 64  # of the small gray copy whose spectrum is compared
WAVES = 16  # lowest frequencies of each direction
BITS = WAVES * WAVES
# docs/data.md has the measurement: no two unrelated photographs of 27 million pairs differ in
# fewer than 70 bits; encoding anew and resizing change at most 38.
MOST_DIFFERENT = 64
BLOCK = 1024  # images whose distances to all others are in memory at once


class Print(NamedTuple):
    """Print by which an image is recognized.

    Attributes:
        name: its path inside its folder.
        digest: SHA-256 of the file.
        bits: (256,) bool, whether each low frequency of a small gray copy is stronger than their
            median; all False where the image has one color.
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
        image.draft('L', (4 * SIDE, 4 * SIDE))  # large JPEG files are read at a fraction
        gray = ImageOps.exif_transpose(image).convert('L')
        small = gray.resize((SIDE, SIDE), Image.Resampling.BOX)
    return Print(name, digest, _bits(np.asarray(small, dtype=np.float32)))


def _bits(gray: np.ndarray) -> np.ndarray:
    if np.ptp(gray) < 4:  # one color, whose spectrum is rounding
        return np.zeros(BITS, dtype=bool)
    waves = cv2.dct(gray)[:WAVES, :WAVES].ravel()
    waves[0] = -np.inf  # the mean brightness says nothing
    return waves > np.median(waves[1:])


def prints_of(folder: str | Path, names: Sequence[str]) -> tuple[list[Print], Looked]:
    """Compute the prints of images, in their order, or take those of an earlier run.

    Args:
        folder: of the image set.
        names: paths inside the folder.

    Returns:
        The prints of all images that can be read, and how many were.
    """
    values, looked = read_all(_value_of, folder, names, 'prints')
    prints = [
        Print(name, value[0], np.unpackbits(np.frombuffer(bytes.fromhex(value[1]), np.uint8)) > 0)
        for name, value in zip(names, values)
        if value is not None
    ]
    return prints, looked


def _value_of(path: Path) -> list[str] | None:
    """Return what a cache keeps: digest and bits as text."""
    try:
        found = print_of(path.parent, path.name)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return [found.digest, np.packbits(found.bits).tobytes().hex()]


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
    signs = _signs(others)
    found = []
    for start in range(0, len(prints), BLOCK):
        block = prints[start : start + BLOCK]
        agreement = _signs(block) @ signs.T  # of ±1: 256 minus twice the bits that differ
        nearest = agreement.argmax(axis=1)
        differences = (BITS - agreement[np.arange(len(block)), nearest]).round() / 2
        for each, place, difference in zip(block, nearest, differences.tolist()):
            if each.digest in same:
                found.append(Shared(each.name, same[each.digest], 0))
            elif difference <= most_different and each.bits.any() and others[place].bits.any():
                found.append(Shared(each.name, others[place].name, int(difference)))
    return found


def write_names(path: str | Path, shared: Sequence[Shared]) -> None:
    """Write the names of shared images in the first set, as the datasets' `exclude` reads them.

    Args:
        path: of the JSON file.
        shared: see `find_shared`.
    """
    write_whole(path, json.dumps([each.name for each in shared], indent=1))


def _signs(prints: Sequence[Print]) -> np.ndarray:
    """Return (N, 256), 1 where a bit is set and -1 where not."""
    return np.array([each.bits for each in prints], dtype=np.float32) * 2 - 1
