"""What `predict` may be given: paths, arrays, PIL images and tensors, one or many; videos."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...environment.network import without_user
from ...errors import InputError
from .images import read_image
from .videos import VIDEO_SUFFIXES, read_video

EXPECTED = (
    'a path, an (H, W, 3) uint8 array in BGR order, a PIL image, a (3, H, W) tensor in RGB order, '
    'or several of them'
)


def as_many(images: Any) -> Iterable[Any]:
    """Return an iterable of images: one image becomes a list of one.

    Args:
        images: an image of any kind, a stack of arrays or tensors, or an iterable of images.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(images, (str, Path)) or _is_pil(images) or getattr(images, 'ndim', 4) < 4:
        return [images]
    if not isinstance(images, Iterable) or isinstance(images, (bytes, dict)):
        raise InputError(f'images must be {EXPECTED}; found {type(images).__name__}')
    return images


def read_sources(images: Any) -> Iterator[dict]:
    """Yield images one by one as MMPose's pipelines take them: `img`, `img_path`.

    Args:
        images: see `as_many`. The path of a video stands for its frames, which are read when they
            are asked for and have `frame_index` and `seconds` as well; those that cannot be
            decoded are left out with a warning.

    Raises:
        InputError: an image is not as `EXPECTED` says, or a video cannot be read.
        RunError: there is a video, and PyAV is not installed.
    """
    for image in as_many(images):
        if is_video(image):
            yield from _frames_of(str(image))
        else:
            yield read_source(image)


def is_video(image: Any) -> bool:
    """Return whether an image is the path of a video, by its suffix."""
    return isinstance(image, (str, Path)) and Path(image).suffix.lower() in VIDEO_SUFFIXES


def _frames_of(path: str) -> Iterator[dict]:
    name = without_user(path)
    for index, seconds, image in read_video(path):
        if image is None:
            logging.getLogger(__name__).warning('%s frame %d cannot be decoded', name, index)
        else:
            yield dict(img=image, img_path=name, frame_index=index, seconds=seconds)


def read_source(image: Any) -> dict:
    """Return an image as MMPose's pipelines take it: `img` (H, W, 3; uint8, BGR), `img_path`.

    Args:
        image: a path, an array, a PIL image or a tensor.

    Raises:
        InputError: it is none of these, or not as `EXPECTED` says.
    """
    if isinstance(image, (str, Path)):
        return dict(img=read_image(image), img_path=str(image))
    return dict(img=_to_bgr(image), img_path='')


def _to_bgr(image: Any) -> np.ndarray:
    if isinstance(image, np.ndarray):
        return _check_array(image)
    if _is_pil(image):
        return _of_pil(image)
    if hasattr(image, 'detach'):  # a tensor, known without importing torch
        return _of_tensor(image)
    raise InputError(f'an image must be {EXPECTED}; found {type(image).__name__}')


def _check_array(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(
            'an image must be an (H, W, 3) uint8 array in BGR order; found '
            f'{image.shape} {image.dtype}'
        )
    return image


def _is_pil(image: Any) -> bool:
    return any(base.__module__ == 'PIL.Image' for base in type(image).__mro__)


def _of_pil(image: Any) -> np.ndarray:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image).convert('RGB')
    return np.ascontiguousarray(np.asarray(upright)[..., ::-1])


def _of_tensor(image: Any) -> np.ndarray:
    values = (image.detach().float() if image.is_floating_point() else image).cpu().numpy()
    if values.ndim != 3 or values.shape[0] != 3:
        raise InputError(
            f'a tensor must be one image (3, H, W) in RGB order; found {tuple(values.shape)}'
        )
    if values.dtype != np.uint8:
        values = _of_floats(values)
    return np.ascontiguousarray(values[::-1].transpose(1, 2, 0))


def _of_floats(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != 'f' or not (values.min() >= 0 and values.max() <= 1):
        raise InputError(
            f'a tensor must be uint8, or floats in [0, 1] (not normalized); found {values.dtype} '
            f'from {values.min():g} to {values.max():g}'
        )
    return (values * 255).round().astype(np.uint8)
