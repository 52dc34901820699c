"""Bounds on the size of images, set before OpenCV is imported, which reads them then."""

import os

MAX_PIXELS = 2**28  # per image, as in `onnx_runner`, which cannot be imported before OpenCV


def apply() -> None:
    """Let OpenCV refuse images of more pixels by their header, unless the user has set a bound."""
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_PIXELS))
