"""Cameras and network streams, of which the newest image counts; images behind URLs."""

import threading
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from http.client import HTTPException
from typing import Any

import cv2
import numpy as np

from ... import onnx_runner
from ...environment.network import reason_of_download, request_of, without_user
from ...environment.png import without_notes
from ...errors import InputError
from .videos import Frame, decode, naming, open_video, to_bgr

TIMEOUT = 10.0  # seconds without data
LARGEST = 200 * 2**20  # bytes of an image behind a URL
MOST_DIGITS = 9  # OpenCV takes 32 bits


class Newest:
    """Yield the newest frame of a live source, and drop those that came before it meanwhile.

    A thread reads as fast as the source gives, so that a slow consumer sees the present, not a
    growing delay. Frames count from 0 as they arrive; their times count from the first.

    Args:
        frames: yields functions that make an image each; ends when the source does. Its `close`
            is called at the end.

    Attributes:
        dropped: how many frames nobody saw.
    """

    def __init__(self, frames: Generator[Callable[[], np.ndarray], None, None]):
        self._frames, self._slot = frames, None
        self._changed, self._over = threading.Condition(), False
        self._stop, self._error = False, None
        self.dropped = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        start = None
        try:
            for index, make in enumerate(self._frames):
                start = time.monotonic() if start is None else start
                with self._changed:
                    self.dropped += self._slot is not None
                    self._slot = (index, time.monotonic() - start, make)
                    self._changed.notify()
                    if self._stop:
                        return
        except Exception as error:  # the consumer raises it
            self._error = error
        finally:
            self._frames.close()
            with self._changed:
                self._over = True
                self._changed.notify()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._slot or self._over)
                found, self._slot = self._slot, None
            if found is None:
                if self._error is not None:
                    raise self._error
                return
            index, seconds, make = found
            yield Frame(index, seconds, make())

    def close(self) -> None:
        """Stop reading, and wait until the source is let go."""
        self._stop = True
        self._thread.join(1)  # it may wait for data


def network_frames(url: str) -> Generator[Callable[[], np.ndarray], None, None]:
    """Yield what turns each frame of an RTSP or HTTP stream into an image, as they arrive.

    Args:
        url: of the stream.

    Raises:
        InputError: it cannot be opened.
    """
    # By TCP where the server has it, since packets that UDP loses show as gray blocks.
    options = {'rtsp_flags': 'prefer_tcp'} if url.startswith('rtsp') else {}
    with open_video(url, options=options, timeout=TIMEOUT) as container, naming(url):
        # Threads that decode whole frames would each hold one back.
        container.streams.video[0].thread_type = 'SLICE'
        for _, frame in decode(container):
            if frame is not None:
                yield lambda frame=frame: to_bgr(frame)


def camera_frames(index: int) -> Generator[Callable[[], np.ndarray], None, None]:
    """Yield what gives each image of a camera of this machine, as they arrive.

    Args:
        index: of the camera, the first is 0.

    Raises:
        InputError: there is no such camera.
    """
    camera = cv2.VideoCapture(index)
    try:
        if not camera.isOpened():
            raise InputError(f'no camera {index} can be opened')
        while True:
            is_there, image = camera.read()
            if not is_there:
                return
            yield lambda image=image: image
    finally:
        camera.release()


def download(url: str) -> tuple[str, bytes]:
    """Return the content type of a URL, and the data if that is an image.

    Args:
        url: http or https; or file or ftp of an image, which tell no content type.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    try:
        with closing(urllib.request.urlopen(request_of(url), timeout=TIMEOUT)) as answer:
            kind = answer.headers.get_content_type()
            is_image = kind.startswith('image/') or not url.startswith('http')
            data = answer.read(LARGEST + 1) if is_image else b''
    except (OSError, ValueError, HTTPException) as error:  # the last for what is no HTTP
        reason = reason_of_download(url, error)
        raise InputError(f'{without_user(url)} cannot be read: {reason}') from error
    if len(data) > LARGEST:
        raise InputError(f'{without_user(url)} is larger than {LARGEST >> 20} MiB')
    return kind, data


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Return an image (H, W, 3), uint8 BGR, of a file's bytes.

    Args:
        data: of the file.
        name: for the error.

    Raises:
        InputError: it is no image, or too large.
    """
    try:
        return onnx_runner.decode_image(without_notes(data), name)
    except ValueError as error:
        raise InputError(str(error)) from error


def open_stream(name: str) -> Any:
    """Return the newest frames of a camera's index or a stream's URL, see `Newest`."""
    return Newest(camera_frames(int(name)) if is_camera(name) else network_frames(name))


def is_camera(word: str) -> bool:
    """Return whether a word is the index of a camera."""
    return word.isdecimal() and len(word) <= MOST_DIGITS
