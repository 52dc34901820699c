"""Bounds on what files may cost, for libraries that read them as they are imported."""

import os

MAX_PIXELS = 2**28  # of an image, as `onnx_runner` says, which is imported after OpenCV


def apply() -> None:
    """Let OpenCV refuse images whose header names more pixels; a variable that is set stays."""
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_PIXELS))
