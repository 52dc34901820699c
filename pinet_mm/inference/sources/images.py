"""The inputs of inference: images, and folders of images."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ... import onnx_runner
from ...errors import InputError

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


def find_images(inputs: Iterable[str | Path], out_dir: str | Path | None = None) -> list[Path]:
    """Return the given images and those in the given folders, each folder sorted by name.

    Hidden files and folders are left out, such as the `.ipynb_checkpoints` of notebooks.

    Args:
        inputs: images and folders.
        out_dir: where results are written; what lies there is no input.

    Raises:
        FileNotFoundError: an input does not exist, a folder holds no image, or all images lie in
            `out_dir`.
    """
    found = [file for path in map(Path, inputs) for file in _images_of(path)]
    if out_dir is None:
        return found
    outside = [file for file in found if Path(out_dir).resolve() not in file.resolve().parents]
    if not outside:
        raise FileNotFoundError(f'all images lie in {out_dir}, where overlays are to be written')
    return outside


def _images_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    inside = sorted(
        file
        for file in path.rglob('*')
        if file.suffix.lower() in IMAGE_SUFFIXES
        and file.is_file()
        and not any(part.startswith('.') for part in file.relative_to(path).parts)
    )
    if not inside:
        problem = 'holds no image' if path.is_dir() else 'does not exist'
        raise FileNotFoundError(
            f'{path} {problem}; expected an image or a folder with files '
            f'ending in {", ".join(IMAGE_SUFFIXES)}'
        )
    return inside


def read_image(path: str | Path) -> np.ndarray:
    """Read a file as (H, W, 3) uint8 BGR, rotated by its EXIF orientation.

    Raises:
        InputError: it does not exist, or is a folder, no image, cut off, too large or too thin.
    """
    if Path(path).is_dir():
        raise InputError(
            f'{path} is a folder; pass its images, for instance api.find_images([{str(path)!r}])'
        )
    # Upright, as people see it, whatever the pipeline of the config does with the tag.
    try:
        return onnx_runner.read_image(path)
    except ValueError as error:
        raise InputError(str(error)) from error
