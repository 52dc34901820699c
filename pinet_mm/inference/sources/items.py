"""The sources that the words of a user name, and their images one by one."""

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from ...environment.network import without_user
from ...errors import InputError
from .images import IMAGE_SUFFIXES, find_images, lies_in, read_image
from .streams import decode_image, download, is_camera, open_stream
from .videos import VIDEO_SUFFIXES, WHOLE, Clip, Frame, read_video, video_facts

STDIN = '-'
FILE_SCHEMES = ('file', 'ftp', 'http', 'https')  # behind which a suffix tells what a URL is


@dataclass(frozen=True)
class Source:
    """An image, a video, or a stream that has no end of its own.

    Attributes:
        name: path, URL, or index of a camera, as it was given or found; schemes in lower case.
        kind: 'image', 'video' or 'stream'.
        problem: why it cannot be read, where that is known beforehand.
    """

    name: str
    kind: str
    problem: str = ''

    @property
    def shown(self) -> str:
        """The name in results and messages: a URL has no user and password there."""
        return without_user(self.name)

    @property
    def is_file(self) -> bool:
        """Whether the name is the path of a file, which is there."""
        return not self.problem and self.kind != 'stream' and '://' not in self.name

    @property
    def stem(self) -> str:
        """A name for files that are made from it."""
        if is_camera(self.name):
            return f'camera-{self.name}'
        if '://' in self.name:
            parts = urlsplit(self.name)
            return PurePosixPath(parts.path).stem or parts.hostname or 'stream'
        return Path(self.name).stem


class Item(NamedTuple):
    """An image of a source, or why there is none.

    Attributes:
        source: where it comes from.
        frame: its number in a video or stream, None for an image.
        seconds: its time there.
        image: (H, W, 3) uint8 BGR.
        error: what is wrong, where there is no image.
    """

    source: Source
    frame: int | None = None
    seconds: float | None = None
    image: np.ndarray | None = None
    error: str = ''

    @property
    def name(self) -> str:
        """The source, with the frame's number if it has one."""
        return self.source.shown + ('' if self.frame is None else f' frame {self.frame}')


def find_sources(inputs: Iterable[str | Path], out_dir: str | Path | None = None) -> list[Source]:
    """Return what the words of a user name, each once.

    A word that names nothing becomes a source with a `problem`, unless all do.

    Args:
        inputs: images, videos, folders of images, globs, URLs, indices of cameras; `-` stands for
            the lines of the standard input, each one of these.
        out_dir: where results are written; what lies there is no input.

    Raises:
        FileNotFoundError: no input exists or holds an image, or all images lie in `out_dir`.
    """
    words = [word for each in inputs for word in _lines(each)]
    found, errors = [], []
    for word in words:
        try:
            found += _sources_of(word)
        except OSError as error:
            errors.append(error)
            found.append(Source(word, 'image', str(error)))
    if errors and len(errors) == len(found):
        raise errors[0]
    if not found:
        raise FileNotFoundError('expected images, folders or videos; found no input')
    found = list(dict.fromkeys(found))
    if out_dir is None:
        return found
    outside = [each for each in found if not each.is_file or not lies_in(each.name, out_dir)]
    problems = [each.problem for each in outside]
    if all(problems):
        others = 'all other images lie' if problems else 'all images lie'
        lie = f'{others} in {out_dir}, where overlays are to be written'
        raise FileNotFoundError('; '.join((*problems, lie)))
    return outside


def _lines(word: str | Path) -> list[str]:
    if str(word) != STDIN:
        return [str(word)]
    # Names of files are bytes, and need not be UTF-8.
    return [os.fsdecode(line) for line in map(bytes.strip, sys.stdin.buffer) if line]


def _sources_of(word: str) -> list[Source]:
    if '\0' in word:
        raise FileNotFoundError(f'{word!r} does not exist')
    if '://' in word:
        return [_source_of_url(word)]
    is_video = Path(word).suffix.lower() in VIDEO_SUFFIXES
    if Path(word).exists():
        if is_video and not Path(word).is_dir():
            return [Source(word, 'video')]
    elif is_camera(word):
        return [Source(word, 'stream')]
    elif glob.has_magic(word):
        return _matches(word)
    elif is_video:
        raise FileNotFoundError(
            f'{word} does not exist; expected a video, a URL, or the index of a camera such as 0'
        )
    return [Source(str(path), 'image') for path in find_images([word])]


def _matches(pattern: str) -> list[Source]:
    files = [
        file
        for file in sorted(glob.glob(pattern, recursive=True))
        if Path(file).suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES or Path(file).is_dir()
    ]
    if not files:
        raise FileNotFoundError(f'{pattern} matches no image and no video')
    return [source for file in files for source in _sources_of(file)]


def _source_of_url(url: str) -> Source:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        # The error of a host may quote all that stands before it, the password too.
        reason = 'its host has characters that no host may have' if '@' in str(error) else error
        raise FileNotFoundError(f'{without_user(url)} is no URL: {reason}') from error
    kind = _kind_of_url(parts.scheme, PurePosixPath(parts.path).suffix.lower())
    scheme, _, rest = url.partition('://')
    return Source(f'{scheme.lower()}://{rest}', kind)  # FFmpeg knows no HTTP://


def _kind_of_url(scheme: str, suffix: str) -> str:
    if scheme not in FILE_SCHEMES:
        return 'stream'  # whatever the name of what it shows
    if suffix in IMAGE_SUFFIXES:
        return 'image'
    return 'video' if suffix in VIDEO_SUFFIXES else 'stream'


def count_images(sources: Iterable[Source], clip: Clip = WHOLE) -> int | None:
    """Return about how many images the sources have, None if one has no end.

    Args:
        sources: see `find_sources`.
        clip: which frames of videos.
    """
    counts = [_count(source, clip) for source in sources]
    return None if None in counts else sum(counts)


def _count(source: Source, clip: Clip) -> int | None:
    if source.kind != 'video':
        return 1 if source.kind == 'image' else None
    try:
        rate, frames = video_facts(source.name)
    except InputError:
        return 1  # what is wrong with it is said when it is read
    end = frames if clip.end is None else min(frames, round(clip.end * rate))
    return -(-max(end - round(clip.start * rate), 1) // clip.every)


def read_items(source: Source, clip: Clip = WHOLE) -> Iterator[Item]:
    """Yield the images of a source, in their order; one that cannot be read has an error.

    Args:
        source: see `find_sources`.
        clip: which frames of videos and streams.
    """
    if source.problem:
        yield Item(source, error=source.problem)
        return
    try:
        image = _single_image(source)
        if image is not None:
            yield Item(source, image=image)
            return
        frames = _live(source, clip) if source.kind == 'stream' else read_video(source.name, clip)
        index = None
        for index, seconds, image in frames:
            error = 'cannot be decoded' if image is None else ''
            yield Item(source, index, seconds, image, error)
        if index is None:
            yield Item(source, error=f'{source.shown} has no frame{_span(clip)}')
    except (InputError, OSError) as error:
        yield Item(source, error=str(error))


def _span(clip: Clip) -> str:
    if clip.end is not None:
        return f' between {clip.start:g} s and {clip.end:g} s'
    return f' from {clip.start:g} s on: it ends before' if clip.start else ''


def _single_image(source: Source) -> np.ndarray | None:
    is_asked = source.kind == 'image' or source.name.startswith(('http://', 'https://'))
    if source.kind == 'video' or not is_asked:
        return None
    if '://' not in source.name:
        return read_image(source.name)
    kind, data = download(source.name)  # a URL without a suffix may be an image or a stream
    is_image = source.kind == 'image' or data
    return decode_image(data, f'{source.shown} ({kind})') if is_image else None


def _live(source: Source, clip: Clip) -> Iterator[Frame]:
    newest, frame = open_stream(source.name), None
    try:
        for frame in newest:
            if clip.end is not None and frame.seconds >= clip.end:
                return
            if frame.seconds >= clip.start and frame.index % clip.every == 0:
                yield frame
    finally:
        newest.close()
    if frame is None:
        raise InputError(f'{source.shown} ended before it showed an image')
