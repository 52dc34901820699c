"""What was read from image files, kept between runs: an unchanged file is read once."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from ...atomic import write_whole


class Looked(NamedTuple):
    """How much was read of a folder of images.

    Attributes:
        read: images that were opened.
        cached: images whose values an earlier run had read.
        seconds: that it took.
    """

    read: int
    cached: int
    seconds: float

    def __str__(self) -> str:
        rate = f' ({self.read / self.seconds:.0f} images/s)' if self.read and self.seconds else ''
        return (
            f'{self.read} images read in {self.seconds:.1f} s{rate}, '
            f'{self.cached} known from an earlier run'
        )


def cache_folder() -> Path:
    """Return `PINET_MM_CACHE`, by default `pinet_mm` in the folder of the user's caches."""
    own = os.environ.get('PINET_MM_CACHE')
    return Path(own) if own else Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache') / 'pinet_mm'


def read_all(
    read: Callable[[Path], Any], folder: str | Path, names: Sequence[str], kind: str
) -> tuple[list[Any], Looked]:
    """Return what `read` returns for each file, or returned in an earlier run.

    Args:
        read: takes a path; returns what JSON can hold, or None, which is not kept.
        folder: of the images.
        names: paths inside the folder.
        kind: what is read; each kind has a cache of its own.

    Returns:
        The values, and how many were read.
    """
    start = time.perf_counter()
    key = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:16]
    path = cache_folder().expanduser() / f'{kind}-{key}.json'
    known = _load(path)

    def entry(name: str) -> tuple[list | None, Any]:
        file = Path(folder) / name
        state = _state(file)
        if name in known and known[name][:2] == state:
            return None, known[name][2]
        value = read(file)
        return [*state, value], value

    with ThreadPoolExecutor(4) as readers:
        found = list(readers.map(entry, names))
    fresh = {name: new for name, (new, _) in zip(names, found) if new is not None}
    kept = {name: new for name, new in fresh.items() if new[2] is not None}
    if kept:
        _save(path, {**known, **kept})
    looked = Looked(len(fresh), len(names) - len(fresh), time.perf_counter() - start)
    return [value for _, value in found], looked


def _state(path: Path) -> list[int]:
    """Return time of change and size of a file, by which it is recognized; -1 without a file."""
    try:
        stat = path.stat()
    except OSError:
        return [-1, -1]
    return [stat.st_mtime_ns, stat.st_size]


def _load(path: Path) -> dict[str, list]:
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _save(path: Path, known: dict[str, list]) -> None:
    try:
        write_whole(path, json.dumps(known))
    except OSError:
        return  # the next run reads the images again
