"""A folder of drawings: their names, their files, and an overview of the first of them."""

import errno
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...atomic import remove_link
from ..drawing.files import write_image
from ..drawing.sheets import contact_sheet
from ..sources.items import Source

OVERVIEW = 'overview.jpg'
ON_OVERVIEW = 12  # drawings
# Kind of source -> how names of its drawing may end. What is behind a URL is known once it is read.
SUFFIXES = dict(image=('.jpg',), video=('.mp4',), stream=('.jpg', '.mp4'))


def overlay_names(files: Iterable[Path]) -> list[str]:
    """Return a .jpg name for each image; images of one name in two folders get different ones."""
    used = {OVERVIEW}
    return [_new_stem(file.stem, SUFFIXES['image'], used) + '.jpg' for file in files]


def _new_stem(stem: str, suffixes: tuple[str, ...], used: set[str]) -> str:
    # One that is new with each of the suffixes.
    new, i = stem, 1
    while not used.isdisjoint(names := {f'{new}{suffix}' for suffix in suffixes}):
        new, i = f'{stem}-{i}', i + 1
    used |= names
    return new


class OverlayFolder:
    """Write drawings into a folder, and remember those that could not be written.

    Args:
        path: the folder; it is made if it is missing.
        columns: of the overview.
        cell: the longest side of a drawing on the overview, px.
        gap: px to the right of and below each drawing on the overview.

    Attributes:
        missing: names of the files that could not be written, each with the reason.
    """

    def __init__(self, path: Path, columns: int, cell: int, gap: int = 0):
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.columns, self.cell, self.gap = path, columns, cell, gap
        self.missing: list[str] = []
        self._first: list[np.ndarray] = []
        self._titles: list[str] = []
        self._used, self._stems = {OVERVIEW}, {}

    def name_sources(self, sources: Iterable[Source]) -> None:
        """Give each source a name for its drawing, see `name_of`, in this order."""
        for source in sources:
            self._stems[source] = _new_stem(source.stem, SUFFIXES[source.kind], self._used)

    def name_of(self, source: Source, suffix: str) -> str:
        """Return the name of a source's drawing.

        Args:
            source: one of those that `name_sources` was given.
            suffix: of the file that is written, one of its kind's `SUFFIXES`.
        """
        return self._stems[source] + suffix

    @property
    def has_room(self) -> bool:
        """Whether the overview takes one more drawing."""
        return len(self._first) < ON_OVERVIEW

    def write(
        self, name: str, drawing: np.ndarray, small: np.ndarray | None = None, title: str = ''
    ) -> str | None:
        """Write a drawing; return `name`, or None if it cannot be written.

        Args:
            name: of the file.
            drawing: (H, W, 3), uint8 BGR.
            small: what is on the overview in its place.
            title: below it there; by default `name`.
        """
        self.show(drawing if small is None else small, title or name)
        return self._write(name, drawing)

    def show(self, drawing: np.ndarray, title: str) -> None:
        """Put a drawing on the overview, unless there are enough.

        Args:
            drawing: (H, W, 3), uint8 BGR.
            title: below it, such as the name of the file of which it is.
        """
        if self.has_room:
            self._first.append(drawing.copy())
            self._titles.append(title)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drawn."""
        return not self._first

    def write_overview(self) -> None:
        """Write the first drawings side by side; without drawings, write nothing."""
        if self._first:
            self._write(
                OVERVIEW,
                contact_sheet(self._first, self.columns, self.cell, self._titles, self.gap),
            )

    def require_all(self, document: Path) -> None:
        """Check that no drawing is missing.

        Args:
            document: the JSON file that was written beside them, which names only those written.

        Raises:
            OSError: some could not be written.
        """
        if self.missing:
            count = len(self.missing)
            raise OSError(
                f'{count} image{"s" * (count > 1)} could not be written into {self.path}: '
                f'{", ".join(self.missing)}; {document.name} there holds all that was computed'
            )

    def _write(self, name: str, image: np.ndarray) -> str | None:
        target = self.path / name
        try:
            remove_link(target)
            if target.exists() and not target.is_file():  # a pipe might never be read
                raise OSError(errno.EEXIST, 'Not a file')
            write_image(target, image)
        except OSError as error:
            self.missing.append(f'{name} ({error.strerror})')
            return None
        return name
