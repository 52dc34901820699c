"""Drawings as files."""

import errno
from pathlib import Path

import cv2
import numpy as np

from ...errors import InputError


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image in the format that the suffix of a path names.

    Args:
        path: of the file, in a folder that exists.
        image: (H, W, 3), uint8 BGR.

    Raises:
        InputError: no format has this suffix.
        OSError: the file cannot be written, or the format takes no such image.
    """
    # Not cv2.imwrite, which dies of a name that is no UTF-8; so does imencode of such a suffix.
    suffix = Path(path).suffix
    if not (suffix.isascii() and cv2.haveImageWriter(f'x{suffix}')):
        raise InputError(
            f'{path} must end as images do, such as .jpg or .png; found {suffix or "no suffix"}'
        )
    try:
        is_encoded, content = cv2.imencode(suffix, image)
    except cv2.error:  # without pixels, or of two channels
        is_encoded = False
    if not is_encoded:  # a JPEG of more than 65500 pixels a side, for instance
        height, width = image.shape[:2]
        reason = f'{suffix} takes no {width}x{height} pixels of this kind'
        raise OSError(errno.EINVAL, reason, str(path))
    Path(path).write_bytes(content)
