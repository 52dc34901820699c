"""Colors of people; images beside and below one another, with titles. Needs OpenCV only."""

from collections.abc import Sequence

import cv2
import numpy as np

from ...environment.printing import one_line

# Far apart in hue and light enough to stand out from a photograph; RGB.
PERSON_COLORS = (
    (255, 92, 74),
    (64, 200, 255),
    (255, 214, 64),
    (122, 255, 106),
    (226, 120, 255),
    (255, 160, 60),
    (70, 255, 214),
    (255, 128, 190),
    (150, 160, 255),
    (214, 255, 90),
)

FONT = cv2.FONT_HERSHEY_SIMPLEX
TITLE_HEIGHT = 28  # px per line


def person_color(index: int) -> tuple:
    """Return a person's color, RGB; after the last, the colors repeat."""
    return PERSON_COLORS[index % len(PERSON_COLORS)]


def before_and_after(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Put two drawings (H, W, 3) of an image, before and after fusion, beside each other."""
    return side_by_side((before, after), ('proposed poses', 'after fusion'))


def side_by_side(images: Sequence[np.ndarray], titles: Sequence[str], gap: int = 0) -> np.ndarray:
    """Put images (H, W, 3) of one height beside each other, each under its title.

    Args:
        images: uint8 BGR.
        titles: all of the same number of lines; a line too long for its image is drawn smaller.
        gap: black px between two images.
    """
    lines = [list(map(one_line, title.split('\n'))) for title in titles]
    zoom = max(1.0, min(image.shape[1] for image in images) / 480)
    row = round(TITLE_HEIGHT * zoom)
    sides = []
    for image, texts in zip(images, lines):
        side = np.pad(image, ((row * len(texts), 0), (gap if sides else 0, 0), (0, 0)))
        for i, text in enumerate(texts):
            length = cv2.getTextSize(text, FONT, 0.6 * zoom, round(zoom))[0][0]
            fit = min(1.0, (image.shape[1] - 16) / max(length, 1))
            corner = (side.shape[1] - image.shape[1] + 8, round((i + 0.72) * row))
            cv2.putText(
                side,
                text,
                corner,
                FONT,
                0.6 * zoom * fit,
                (255, 255, 255),
                round(zoom),
                cv2.LINE_AA,
            )
        sides.append(side)
    return np.hstack(sides)


def contact_sheet(
    images: Sequence[np.ndarray],
    columns: int,
    cell: int = 480,
    titles: Sequence[str] = (),
    gap: int = 0,
) -> np.ndarray:
    """Arrange images (H, W, 3) in rows that fill the width of the sheet; the last may be shorter.

    Images of a row have one height, at most `cell`, mostly about 3/4 of it.

    Args:
        images: uint8 BGR.
        columns: the width of the sheet, in cells; fewer if there are fewer images.
        cell: px.
        titles: written below the images, such as the names of their files; by default none.
        gap: white px between images.
    """
    width = min(columns, len(images)) * cell
    rows = _fill_rows([image.shape[1] / image.shape[0] for image in images], width, cell, gap)
    strips = []
    for members, height in rows:
        cells = [_resize_to(images[i], height) for i in members]
        if titles:
            cells = [_with_title(each, titles[i]) for each, i in zip(cells, members)]
        strips.append(in_row(cells, cells[0].shape[0], gap))
    width = max(strip.shape[1] for strip in strips)
    last = len(strips) - 1
    return np.vstack(
        [
            np.pad(
                strip,
                ((0, 0 if i == last else gap), (0, width - strip.shape[1]), (0, 0)),
                constant_values=255,
            )
            for i, strip in enumerate(strips)
        ]
    )


def _fill_rows(
    aspects: Sequence[float], width: int, cell: int, gap: int
) -> list[tuple[list[int], int]]:
    # Members of each row, and its height: a row is full when it need not be higher than 3/4 cell.
    rows, members = [], []
    for i in range(len(aspects)):
        members = [*members, i]
        height = (width - gap * (len(members) - 1)) / sum(aspects[j] for j in members)
        if height <= 0.75 * cell or i == len(aspects) - 1:
            usual = rows[0][1] if rows else cell
            rows.append((members, max(round(min(height, usual if height > usual else cell)), 1)))
            members = []
    return rows


def _with_title(image: np.ndarray, title: str) -> np.ndarray:
    h, w = image.shape[:2]
    strip = np.full((TITLE_HEIGHT, w, 3), 255, np.uint8)
    title = one_line(title)  # OpenCV dies of a name that is no UTF-8
    title = title if len(title) <= 60 else '...' + title[-57:]
    length = cv2.getTextSize(title, FONT, 0.5, 1)[0][0]
    fit = min(1.0, (w - 8) / max(length, 1))
    cv2.putText(strip, title, (4, 19), FONT, 0.5 * fit, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack((image, strip))


def _resize_to(image: np.ndarray, height: int) -> np.ndarray:
    return _resize(image, height / image.shape[0])


def in_row(images: Sequence[np.ndarray], height: int, gap: int = 0) -> np.ndarray:
    """Return images (H, W, 3) beside each other, all resized to one height, white px between."""
    cells = [_resize(image, height / image.shape[0]) for image in images]
    return np.hstack(
        [
            np.pad(cell, ((0, 0), (gap if i else 0, 0), (0, 0)), constant_values=255)
            for i, cell in enumerate(cells)
        ]
    )


def in_column(images: Sequence[np.ndarray], width: int, gap: int = 0) -> np.ndarray:
    """Return images (H, W, 3) below each other, all resized to one width, white px between."""
    return in_row([image.swapaxes(0, 1) for image in images], width, gap).swapaxes(0, 1)


def _resize(image: np.ndarray, zoom: float) -> np.ndarray:
    size = tuple(max(round(side * zoom), 1) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
