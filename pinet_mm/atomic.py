"""Files that are whole or absent: written beside their place, then moved there."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the block ends; after an error nothing has changed.

    What is no file, such as /dev/null or a pipe, is written into as it is.

    Args:
        path: of the file, in a folder that exists.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        with open(path, 'wb') as file:
            yield file
        return
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with open(part, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def remove_link(path: str | Path) -> None:
    """Remove a link of this name, before a file is written there: what it leads to stays.

    A file that has other names as well is such a link.

    Args:
        path: of the file.
    """
    path = Path(path)
    if path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1):
        path.unlink()


def require_writable(path: str | Path) -> None:
    """Check before the work that a file can be written after it; its folder is made.

    Args:
        path: of the file.

    Raises:
        IsADirectoryError: there is a folder of this name.
        PermissionError: the folder of the file cannot be written into.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, 'The folder cannot be written into', str(path.parent))


def write_whole(path: str | Path, text: str) -> None:
    """Write a text so that `path` is either whole or untouched.

    Args:
        path: of the file; its folder is made if it is missing.
        text: all of it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        # A file name that is no UTF-8 becomes \udcff, which JSON reads back.
        file.write(text.encode(errors='backslashreplace'))
