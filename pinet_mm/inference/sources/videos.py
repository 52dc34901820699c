"""Videos read frame by frame, by PyAV.

Times are seconds from the first frame of the source. Images are (H, W, 3) uint8 BGR, upright.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...environment.installing import install_extra
from ...environment.network import unknown_host, without_user
from ...errors import InputError, RunError

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')
DEFAULT_RATE = Fraction(30)  # frames per second where a source does not say
# SWS_BICUBIC, _ACCURATE_RND, _FULL_CHR_H_INT of FFmpeg, whose default shifts colors by 4 of 255.
ACCURATE = 0x4 | 0x40000 | 0x2000


LARGEST = 10**9  # seconds, or frames, of a clip


class Frame(NamedTuple):
    """A frame of a video or stream; `image` is None where it could not be decoded."""

    index: int
    seconds: float
    image: np.ndarray | None


@dataclass(frozen=True)
class Clip:
    """Which frames of a video are wanted.

    Attributes:
        every: every n-th frame.
        start: the first second.
        end: the first second that is not wanted any more; None is the end of the video.

    Raises:
        InputError: no frame can be within.
    """

    every: int = 1
    start: float = 0.0
    end: float | None = None

    def __post_init__(self):
        if self.every < 1:
            raise InputError(f'every must be 1 or more; found {self.every}')
        for name, value in dict(every=self.every, start=self.start, end=self.end or 0).items():
            if not value <= LARGEST:
                raise InputError(f'{name} must be at most {LARGEST}; found {value:g}')
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise InputError(
                f'a clip must start at 0 s or later and end after its start; found {self.start:g} '
                f'to {self.end} s'
            )


WHOLE = Clip()


class VideoFacts(NamedTuple):
    """Frames per second of a video, and its approximate number of frames, 0 if not known."""

    rate: Fraction
    frames: int


def import_av() -> Any:
    """Return PyAV, the library of videos and streams.

    Raises:
        RunError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise RunError(f'videos and streams need PyAV: {install_extra("video")}') from error
    return av


def video_facts(path: str | Path) -> VideoFacts:
    """Return rate and length of a video.

    Args:
        path: of the file.

    Raises:
        InputError: it is no video.
    """
    with open_video(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or DEFAULT_RATE
        seconds = container.duration / 1e6 if container.duration else 0  # microseconds
        return VideoFacts(Fraction(rate), stream.frames or round(seconds * rate))


def open_video(path: str | Path, **options: Any) -> Any:
    """Open a video or stream for reading.

    Args:
        path: of a file, or a URL.
        **options: of `av.open`.

    Raises:
        InputError: it cannot be opened, or has no images.
    """
    with naming(path):
        container = import_av().open(url_of(path), **options)
    if not container.streams.video:
        container.close()
        raise InputError(f'{without_user(str(path))} has no images, only sound or the like')
    container.streams.video[0].thread_type = 'AUTO'
    return container


def url_of(path: str | Path) -> str:
    """Return what FFmpeg opens: a name such as `tcp:a.mp4` would be an address to it.

    Args:
        path: of a file, or a URL.
    """
    return str(path) if '://' in str(path) else f'file:{path}'


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Name a video in what PyAV raises in the block.

    Args:
        path: of a file, or a URL.

    Raises:
        InputError: in place of PyAV's.
    """
    try:
        yield
    except (OSError, ValueError, import_av().error.FFmpegError) as error:
        # Not all that the error says, which repeats the URL with its password.
        reason, name = getattr(error, 'strerror', None) or error, without_user(str(path))
        if getattr(error, 'errno', None) == errno.EIO:  # what FFmpeg says of hosts, too
            reason = unknown_host(str(path)) or reason
        raise InputError(f'{name} is no video that can be read: {reason}') from error


def read_video(path: str | Path, clip: Clip = WHOLE) -> Iterator[Frame]:
    """Yield frames of a video one by one.

    Args:
        path: of the file.
        clip: which frames. A frame's index counts from the first of the video; after a jump to
            `start` it follows from its time and the video's rate.

    Raises:
        InputError: it is no video.
    """
    with open_video(path) as container, naming(path):
        stream = container.streams.video[0]
        rate = stream.average_rate or DEFAULT_RATE
        if clip.start:
            first = (stream.start_time or 0) + int(clip.start / stream.time_base)
            container.seek(first, stream=stream)
        taken = 0
        for index, (seconds, image) in enumerate(decode(container)):
            if clip.start:
                index = round(seconds * rate)
            if clip.end is not None and seconds >= clip.end:
                return
            if seconds < clip.start - 0.5 / rate:
                continue
            if taken % clip.every == 0:
                yield Frame(index, seconds, None if image is None else to_bgr(image))
            taken += 1


def decode(container: Any) -> Iterator[tuple[float, Any]]:
    """Yield time and frame of a container's video; the frame is None where data is broken.

    Args:
        container: what `open_video` returns.
    """
    av, stream = import_av(), container.streams.video[0]
    first = (stream.start_time or 0) * stream.time_base
    step, seconds = 1 / (stream.average_rate or DEFAULT_RATE), 0.0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except (StopIteration, av.error.EOFError):
            return
        except av.error.InvalidDataError:
            seconds = float(seconds + step)
            yield seconds, None
            continue
        for frame in frames:
            seconds = float(seconds + step) if frame.time is None else float(frame.time - first)
            yield seconds, frame


def to_bgr(frame: Any) -> np.ndarray:
    """Return a frame of PyAV as an image, turned as its file says."""
    image = frame.to_ndarray(format='bgr24', interpolation=ACCURATE)
    quarter_turns = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
