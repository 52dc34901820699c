"""Contact sheets of synthetic crowds with the labels drawn in."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .labels import Person
from .scene import draw_crowd
from .settings import CrowdSettings, VideoSettings
from .skeletons import LAYOUTS, Layout
from .video import CrowdVideo

_LEFT, _RIGHT, _MIDDLE = (80, 220, 80), (70, 120, 255), (250, 210, 90)  # BGR


def _color(names: Sequence[str]) -> tuple[int, int, int]:
    sides = {name.split('_')[0] for name in names}
    if sides == {'left'}:
        return _LEFT
    return _RIGHT if sides == {'right'} else _MIDDLE


def draw_labels(image: np.ndarray, persons: list[Person], layout: Layout) -> np.ndarray:
    """Draw limbs, keypoints and boxes: left green, right orange, covered keypoints hollow.

    Args:
        image: (H, W, 3) uint8 BGR; kept as it is.
        persons: List of `Person`.
        layout: The `Layout` of their keypoints.

    Returns:
        (H, W, 3) uint8.
    """
    image = image.copy()
    dot = max(1, image.shape[0] // 160)
    limbs = np.array(layout.skeleton()) - 1
    for person in persons:
        x, y, w, h = (int(value) for value in person.bbox)
        cv2.rectangle(image, (x, y), (x + w - 1, y + h - 1), (230, 230, 230), 1)
        cells = np.rint(person.keypoints[:, :2]).astype(int).tolist()
        for a, b in limbs:
            if person.keypoints[[a, b], 2].min() > 0:
                color = _color((layout.names[a], layout.names[b]))
                cv2.line(image, cells[a], cells[b], color, max(1, dot // 2), cv2.LINE_AA)
        for cell, flag, name in zip(cells, person.keypoints[:, 2], layout.names):
            if flag > 0:
                cv2.circle(image, cell, dot, _color((name,)), -1 if flag == 2 else 1)
    return image


def draw_preview(
    settings: CrowdSettings, seed: int = 0, split: str = 'train', rows: int = 4, columns: int = 6
) -> np.ndarray:
    """Draw a contact sheet: odd columns carry their labels.

    Args:
        settings: A `CrowdSettings`.
        seed: Non-negative integer.
        split: 'train', 'val' or 'test'.
        rows: Number of rows of images.
        columns: Number of columns.

    Returns:
        (rows * H, columns * W, 3) uint8 BGR.
    """
    layout = LAYOUTS[settings.keypoints]
    cells = []
    for number in range(rows * columns):
        image, persons = draw_crowd(settings, seed, number, split)
        labeled = number % columns % 2 == 1
        cells.append(draw_labels(image, persons, layout) if labeled else image)
    return _sheet(cells, columns)


def _sheet(cells: list[np.ndarray], columns: int) -> np.ndarray:
    rows = range(0, len(cells), columns)
    return np.vstack([np.hstack(cells[first : first + columns]) for first in rows])


def draw_video_preview(
    settings: VideoSettings, seed: int = 0, split: str = 'train', rows: int = 3, columns: int = 3
) -> np.ndarray:
    """Draw frames of the first video, evenly spread over its time, with labels and identities.

    Args:
        settings: A `VideoSettings`.
        seed: Non-negative integer.
        split: 'train', 'val' or 'test'.
        rows: Number of rows of frames.
        columns: Number of columns.

    Returns:
        (rows * H, columns * W, 3) uint8 BGR.
    """
    video = CrowdVideo(settings, seed, 0, split)
    cells = []
    for frame in np.linspace(0, len(video) - 1, rows * columns).astype(int).tolist():
        image, people = video.draw(frame)
        image = draw_labels(
            image, [person for _, person in people], LAYOUTS[settings.crowd.keypoints]
        )
        for track, person in people:
            x, y = (int(value) for value in person.bbox[:2])
            place = (x + 3, max(y + 15, 15))
            for color, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
                cv2.putText(image, str(track), place, 0, 0.5, color, width, cv2.LINE_AA)
        cells.append(image)
    return _sheet(cells, columns)


def write_preview(
    path: str | Path, settings: CrowdSettings, seed: int = 0, split: str = 'train'
) -> None:
    """Write `draw_preview` to an image file.

    Args:
        path: File to write; its suffix picks the format.
        settings: A `CrowdSettings`.
        seed: Non-negative integer.
        split: 'train', 'val' or 'test'.

    Raises:
        ValueError: See `check_preview`.
        OSError: If the file cannot be written.
    """
    # fewer cells of large images: the sheet stays some 1500 px wide
    columns = int(np.clip(1536 // settings.size[0], 2, 8)) // 2 * 2
    sheet = draw_preview(settings, seed, split, rows=max(2, columns // 2), columns=columns)
    _write(path, sheet)


def write_video_preview(
    path: str | Path, settings: VideoSettings, seed: int = 0, split: str = 'train'
) -> None:
    """Write `draw_video_preview` to an image file.

    Args:
        path: File to write; its suffix picks the format.
        settings: A `VideoSettings`.
        seed: Non-negative integer.
        split: 'train', 'val' or 'test'.

    Raises:
        ValueError: See `check_preview`.
        OSError: If the file cannot be written.
    """
    _write(path, draw_video_preview(settings, seed, split))


def _write(path: str | Path, sheet: np.ndarray) -> None:
    check_preview(path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), sheet):
        raise OSError(f'could not write the preview to {path}')


def check_preview(path: str | Path) -> None:
    """Check that a preview can have this name, before anything is drawn.

    Args:
        path: File to write.

    Raises:
        ValueError: If OpenCV writes no images with its suffix.
    """
    if not cv2.haveImageWriter(str(path)):
        raise ValueError(f'the preview must be an image file such as preview.jpg, got {path}')
