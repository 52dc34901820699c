"""Videos written so that browsers play them, by PyAV: H.264, with the sound of their source.

Times are seconds from the first frame of the source. Images are (H, W, 3) uint8 BGR.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..sources.videos import ACCURATE, DEFAULT_RATE, import_av, open_video, url_of

SOUNDS = ('aac', 'ac3', 'alac', 'eac3', 'flac', 'mp3', 'opus')  # what MP4 takes as it is
SLOWEST = Fraction(1, 1001)  # images per second
FINEST = 10_000  # ticks per second at least, for sources of changing rate


class VideoWriter:
    """Write an H.264 video under a temporary name; `close` gives it its own.

    Args:
        path: of the .mp4 file.
        rate: frames per second.
        sound: a video whose sound is copied, if MP4 takes it as it is.
        start: the second of that video at which this one starts.
    """

    def __init__(
        self,
        path: str | Path,
        rate: Fraction = DEFAULT_RATE,
        sound: str | Path | None = None,
        start: float = 0.0,
    ):
        self.path = Path(path)
        self.part = self.path.with_name(f'.{self.path.stem}.part.mp4')
        self._rate, self._start = max(Fraction(rate).limit_denominator(1001), SLOWEST), start
        self._container = import_av().open(
            url_of(self.part), 'w', container_options={'movflags': 'faststart'}
        )
        self._video = self._container.add_stream('libx264', rate=self._rate)
        self._video.options = {'preset': 'veryfast', 'crf': '20'}
        self._tick = Fraction(1, self._rate.numerator * -(-FINEST // self._rate.numerator))
        self._sound = Sound(sound, self._container, start) if sound else None
        self._last = -1

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Append an image, of the size of the first, to be shown at this time of the source."""
        av, image = import_av(), _even(image)
        if self._last < 0:
            self._video.height, self._video.width = image.shape[:2]
            self._video.pix_fmt = 'yuv420p'  # what browsers play
            self._video.codec_context.time_base = self._tick
        frame = av.VideoFrame.from_ndarray(image, format='bgr24')
        frame = frame.reformat(format=self._video.pix_fmt, interpolation=ACCURATE)
        self._last = max(round((seconds - self._start) / self._tick), self._last + 1)
        frame.pts, frame.time_base = self._last, self._tick
        frame.duration = round(1 / self._rate / self._tick)
        self._container.mux(self._video.encode(frame))
        if self._sound:
            self._sound.copy_until(seconds)

    def close(self) -> None:
        """Finish the file; without images none is written.

        Raises:
            OSError: it cannot be finished, and is removed.
        """
        if self._last < 0:
            return self.discard()
        try:
            self._finish()
        except (OSError, ValueError):  # PyAV's errors are one or the other
            self.discard()  # nobody looks for it, and it takes room
            raise

    def _finish(self) -> None:
        self._container.mux(self._video.encode())
        if self._sound:
            self._sound.copy_until(self._start + float(self._last * self._tick + 1 / self._rate))
            self._sound.close()
        self._container.close()
        self.part.replace(self.path)

    def discard(self) -> None:
        """Remove what was written."""
        if self._sound:
            self._sound.close()
        try:
            self._container.close()
        except (OSError, ValueError):
            pass  # a container without images cannot be finished, and need not be
        self.part.unlink(missing_ok=True)


class Sound:
    """The sound of a video, copied into another one as its images are written.

    Args:
        path: of the video.
        target: PyAV's container to write into.
        start: the second of the video at which the other one starts.
    """

    def __init__(self, path: str | Path, target: Any, start: float):
        self._target, self._source = target, open_video(path)
        self._next, self._start, self._packets = None, start, iter(())
        video = self._source.streams.video[0]
        self._first = float((video.start_time or 0) * video.time_base)
        if not self._source.streams.audio:
            return
        audio = self._source.streams.audio[0]
        if audio.codec_context.codec.canonical_name not in SOUNDS:
            return
        self._copy = target.add_stream_from_template(audio)
        if start:
            self._source.seek(int((self._first + start) * 1e6))
        self._packets = (each for each in self._source.demux(audio) if each.pts is not None)

    def copy_until(self, seconds: float) -> None:
        """Copy the sound up to this time of the video."""
        while True:
            packet = self._next or next(self._packets, None)
            self._next = packet
            if packet is None:
                return
            time = float(packet.pts * packet.time_base) - self._first
            if time >= seconds:
                return
            self._next = None
            if time >= self._start:
                self._mux(packet)

    def _mux(self, packet: Any) -> None:
        shift = int((self._first + self._start) / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        packet.stream = self._copy
        self._target.mux(packet)

    def close(self) -> None:
        """Close the video that the sound came from."""
        self._source.close()


def _even(image: np.ndarray) -> np.ndarray:
    # H.264 halves the resolution of color: both sides are even, by a repeated row or column.
    h, w = image.shape[:2]
    return np.pad(image, ((0, h % 2), (0, w % 2), (0, 0)), mode='edge') if h % 2 or w % 2 else image
