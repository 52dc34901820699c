"""The inputs of inference: images, and folders of images."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ... import onnx_runner
from ...environment.png import without_notes
from ...errors import InputError

OF_JSON = (
    'pinet-mm data convert takes predictions, fuse the poses of test --json, data check annotations'
)
OTHERS = {
    '.json': OF_JSON,
    '.jsonl': OF_JSON,
    '.onnx': '--model of pinet-mm predict takes exported models, as --onnx of infer does',
    '.pth': '--checkpoint of pinet-mm infer takes weights',
    '.safetensors': '--checkpoint of pinet-mm infer takes weights',
    '.py': '--config of pinet-mm infer takes configs',
    '.txt': 'for a list of images write - and give it on the standard input',
}
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
        PermissionError: a folder may not be entered.
    """
    found = [file for path in map(Path, inputs) for file in _images_of(path)]
    if out_dir is None:
        return found
    outside = [file for file in found if not lies_in(file, out_dir)]
    if not outside:
        raise FileNotFoundError(f'all images lie in {out_dir}, where overlays are to be written')
    return outside


def lies_in(path: str | Path, folder: str | Path) -> bool:
    """Return whether a path leads into a folder, links followed."""
    # Unlike `Path.resolve` this takes links that lead to themselves.
    return Path(os.path.realpath(folder)) in Path(os.path.realpath(path)).parents


def _images_of(path: Path) -> list[Path]:
    if path.exists() and not path.is_dir():
        return [path]
    inside = sorted(file for file in _files_of(path) if file.suffix.lower() in IMAGE_SUFFIXES)
    if not inside:
        problem = 'holds no image' if path.is_dir() else 'does not exist'
        raise FileNotFoundError(
            f'{path} {problem}; expected an image or a folder with files '
            f'ending in {", ".join(IMAGE_SUFFIXES)}'
        )
    return inside


def _files_of(folder: Path) -> Iterator[Path]:
    # Also links that lead nowhere and pipes, which are named when they are read; a folder that may
    # not be entered is an error, which `Path.rglob` would pass over.
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith('.')]
        yield from (Path(parent, name) for name in names if not name.startswith('.'))


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


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
        return onnx_runner.read_image(path, clean=without_notes)
    except ValueError as error:
        raise InputError(f'{error}{_hint(path)}') from error


def _hint(path: str | Path) -> str:
    # What a file that is no image may be meant for.
    what = OTHERS.get(Path(path).suffix.lower())
    return f'; {what}' if what else ''
