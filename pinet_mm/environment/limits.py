"""Limits on what libraries do, set before they are imported, when they read them."""

import os

MAX_PIXELS = 2**28  # per image, as in `onnx_runner`, which cannot be imported before OpenCV


def apply() -> None:
    """Set limits, unless the user has set them: OpenCV refuses larger images by their header.

    ONNX Runtime reports its use to its makers from 1.31 on, and keeps an identifier of this
    computer in the user's cache: both are switched off.
    """
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_PIXELS))
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
