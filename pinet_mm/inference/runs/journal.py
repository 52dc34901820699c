"""Poses kept line by line while they are found, and the document made from them.

The first line describes the run. Every other line is the record of an image, `file` and `error` of
what could not be read, or `video` of a finished video.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ...atomic import remove_link, whole_file
from ...errors import InputError
from ...onnx_runner import MEAN
from ..results.records import compact, document_lines

# Of journals that do not tell it.
BEFORE = dict(score_kind=MEAN)


class Journal:
    """Append records to a file of lines, each flushed, and make the document of them.

    What was appended outlives a process that is killed. At most the last line is incomplete; it is
    cut off when the journal is opened again. Lines and document of an earlier run stay until the
    first image of this one is found.

    Args:
        path: of the file of lines; the document beside it ends in .json.
        head: what the document begins with, see `records.header`.
        run: what else the records depend on: model and settings.
        resume: go on with the file if there is one; otherwise it is emptied.

    Raises:
        InputError: the file that is to be resumed is of another run, or there is something else
            at its place.
    """

    def __init__(self, path: Path, head: Mapping, run: Mapping[str, Any], resume: bool = False):
        self.path, self._head = path, head
        self._first: dict[str, int] = {}  # name of a source -> where its first record is
        self._finished: set[str] = set()
        self._file: BinaryIO | None = None
        begin = json.loads(compact(dict(head, run=run)))
        if path.exists() and not path.is_file():
            raise InputError(f'{path} must be a file, for what is found is kept there')
        if resume and path.is_file() and path.stat().st_size:
            self._reopen(begin)
        else:
            self._waiting = [begin]
            if not (path.exists() or path.with_suffix('.json').exists()):
                self._begin()

    def _begin(self) -> BinaryIO:
        remove_link(self.path)
        self._file = open(self.path, 'wb', buffering=0)  # no half of a line is left for later
        for entry in self._waiting:
            self.append(entry)
        return self._file

    def _reopen(self, begin: Mapping) -> None:
        end = 0
        for start, line in self._numbered_lines():
            entry = _entry_of(line)
            if start == 0:
                self._check(entry, begin)
            elif not isinstance(entry.get('file', entry.get('video')), str):
                break  # a power loss left this: what follows is predicted again
            elif 'video' in entry:
                self._finished.add(entry['video'])
            elif 'persons' in entry:
                self._first.setdefault(entry['file'], start)
            end = start + len(line)
        self._file = open(self.path, 'r+b', buffering=0)
        self._file.truncate(end)
        self._file.seek(end)
        if not end:
            self.append(begin)

    def _check(self, found: Mapping, expected: Mapping) -> None:
        if not isinstance(found.get('run'), dict):
            raise InputError(f'{self.path} is no record of a run: begin anew')
        for key, value in {**expected, **expected['run']}.items():
            other = {**BEFORE, **found, **found['run']}.get(key)
            if key != 'run' and other != value:
                raise InputError(
                    f'{self.path} is of a run with {key} {other}, and this one has {value}: resume '
                    'with the same options, or begin anew without --resume'
                )

    def _numbered_lines(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        # Whole lines and where they begin.
        with open(self.path, 'rb') as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b'\n'):
                    return
                yield start, line
                start += len(line)

    def append(self, entry: Mapping) -> None:
        """Add a line and hand it to the system.

        Args:
            entry: of the line.

        Raises:
            OSError: it cannot be written, such as on a full disk; the message says how to go on.
        """
        if self._file is None and 'persons' not in entry:
            self._waiting.append(entry)
            return
        with saying_how_to_go_on():
            file = self._file or self._begin()
            rest = memoryview(compact(entry).encode() + b'\n')
            while rest:
                rest = rest[file.write(rest) :]

    @property
    def is_begun(self) -> bool:
        """Whether the lines are those of this run, not of an earlier one."""
        return self._file is not None

    def has(self, name: str, is_video: bool) -> bool:
        """Return whether nothing of a source is left to do.

        Args:
            name: of the source.
            is_video: it has many frames.
        """
        return name in (self._finished if is_video else self._first)

    def replay(self, name: str) -> Iterator[dict]:
        """Yield what was noted of the frames of a source before the journal was opened again.

        Args:
            name: of the source.
        """
        if name not in self._first:
            return
        end = os.path.getsize(self.path)
        for start, line in self._numbered_lines(self._first[name]):
            entry = json.loads(line)
            if start < end and entry.get('file') == name and 'frame' in entry:
                yield entry

    def write_document(self, path: Path) -> list[str]:
        """Write the document that docs/predictions.md describes, whole or not at all.

        Where nothing was found in this run, that of an earlier one stays.

        Args:
            path: of the document.

        Returns:
            Names of what could not be read.

        Raises:
            OSError: see `append`.
        """
        if not self.is_begun:
            return list(dict.fromkeys(map(_name, self._waiting[1:])))
        failed: dict[str, None] = {}
        videos: list[dict] = []

        def records() -> Iterator[Mapping]:
            for start, line in self._numbered_lines():
                entry = json.loads(line)
                if 'persons' in entry:
                    failed.pop(entry['file'], None)  # an earlier try failed
                    yield entry
                elif 'video' in entry:
                    videos.append({'file': entry.pop('video'), **entry})
                elif start:
                    failed[_name(entry)] = None

        with saying_how_to_go_on(), whole_file(path) as file:
            for piece in document_lines(self._head, records(), failed, videos):
                file.write(piece.encode())
        return list(failed)

    def close(self) -> None:
        """Close the file of lines."""
        if self._file:
            self._file.close()


def _entry_of(line: bytes) -> dict:
    # Of what is none, an empty one.
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def begun_with(path: Path) -> float | None:
    """Return the lowest score of people in a run, as its journal tells; None if it does not.

    Args:
        path: of the journal; there may be none.
    """
    if not path.is_file():
        return None
    with open(path, 'rb') as file:
        found = _entry_of(file.readline()).get('pose_thr')
    return found if isinstance(found, float | int) else None


@contextmanager
def saying_how_to_go_on() -> Iterator[None]:
    """Say what to do where the block meets a full disk.

    Raises:
        OSError: in place of the system's or PyAV's, with what to do; other errors stay as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise OSError(
            error.errno, f'{error.strerror}: make room and go on with --resume'
        ) from error


def _name(entry: Mapping) -> str:
    return entry['file'] + (f' frame {entry["frame"]}' if 'frame' in entry else '')
