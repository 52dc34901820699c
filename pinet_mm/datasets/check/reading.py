"""Read JSON files of annotations or results; what is wrong with one is said in a line."""

import contextlib
import gc
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import InputError
from .findings import Findings


class AnnotationError(InputError):
    """An annotation file cannot be used; the message names file, record, field and cure."""


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for cycles, which JSON has none of: a third of a check's time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_json(path: str | Path, findings: Findings | None = None) -> Any:
    """Read a JSON file, with or without a byte order mark, plain or compressed by gzip.

    Args:
        path: the file.
        findings: receives a byte order mark and compression.

    Raises:
        FileNotFoundError: there is no such file.
        AnnotationError: it is empty, no UTF-8 or no JSON.
    """
    path = Path(path)
    if path.is_dir():
        raise AnnotationError(f'{path} is a folder; expected a JSON file')
    if not path.is_file():
        raise FileNotFoundError(f'the annotation file {path} does not exist')
    return _parse(_read_text(path, findings), path)


def _read_text(path: Path, findings: Findings | None) -> str:
    """Return the text alone: memory may not hold the bytes of a large file as well."""
    data = path.read_bytes()
    if data[:2] == b'\x1f\x8b':
        data = _unpack(data, path)
        if findings is not None:
            findings.add('compressed')
    if data.startswith(b'\xef\xbb\xbf') and findings is not None:
        findings.add('byte-order-mark')
    try:
        return data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f'{path} is no UTF-8: byte {data[error.start]:#04x} at offset {error.start}; '
            'export it as UTF-8'
        ) from error


def _unpack(data: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise AnnotationError(f'{path} is a damaged gzip file: {error}') from error


def _parse(text: str, path: Path) -> Any:
    if not text.strip():
        raise AnnotationError(f'{path} is empty; expected JSON')
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text) - 2 or 'Unterminated' in error.msg
        raise AnnotationError(
            f'{path} is no JSON: {error.msg} in line {error.lineno}, column {error.colno}'
            + ('; the file seems to be cut off: copy or export it again' if cut else '')
        ) from error
    except RecursionError as error:
        raise AnnotationError(f'{path} is nested too deeply to be annotations') from error
    except ValueError as error:  # Python reads integers of up to 4300 digits
        raise AnnotationError(f'{path} holds a number of thousands of digits') from error
