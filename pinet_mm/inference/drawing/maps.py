"""Maps, arrows and legends drawn onto an image.

Images are (H, W, 3) uint8 BGR; maps are (C, h, w) and cover the whole image.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from .sheets import FONT, person_color


def color_of(index: int) -> np.ndarray:
    """Return the color of a part or keypoint, BGR."""
    return np.array(person_color(index)[::-1], float)


def dimmed(image: np.ndarray, share: float = 0.45) -> np.ndarray:
    """Return an image in gray and darker, so that what is drawn onto it stands out."""
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) * share
    return np.repeat(gray[..., None], 3, axis=-1).astype(np.uint8)


def draw_maps(image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Draw maps over a dimmed image, each in its own color, the strongest on top.

    Args:
        image: (H, W, 3).
        maps: (C, h, w) in [0, 1].
    """
    canvas = dimmed(image).astype(float)
    size = image.shape[1::-1]
    large = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_LINEAR) for each in maps])
    strongest, share = large.argmax(0), np.clip(large.max(0), 0, 1)[..., None]
    colors = np.stack([color_of(number) for number in range(len(maps))])[strongest]
    return (canvas * (1 - share) + colors * share).astype(np.uint8)


def draw_arrows(
    image: np.ndarray, starts: np.ndarray, ends: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    """Draw arrows over a dimmed image.

    Args:
        image: (H, W, 3).
        starts: (A, 2) px of the image.
        ends: (A, 2).
        colors: (A, 3) BGR.
    """
    canvas = dimmed(image)
    for start, end, color in zip(np.rint(starts), np.rint(ends), colors):
        corners = tuple(map(int, start)), tuple(map(int, end))
        cv2.line(canvas, *corners, color.tolist(), 1, cv2.LINE_AA)
        cv2.circle(canvas, corners[1], 2, color.tolist(), -1, cv2.LINE_AA)
    return canvas


def draw_mask(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Draw what is not valid in red.

    Args:
        image: (H, W, 3).
        valid: (h, w) boolean, covers the image.
    """
    large = cv2.resize(valid.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    canvas = image.copy()
    canvas[large == 0] = 0.4 * canvas[large == 0] + 0.6 * np.array([60, 60, 255])
    return canvas


def write_legend(image: np.ndarray, names: Sequence[str], colors: Sequence[np.ndarray]) -> None:
    """Write names at the lower left of an image, in place, each in its color, the first on top.

    Args:
        image: (H, W, 3).
        names: what is written; those that find no room are left out.
        colors: BGR.
    """
    size = max(0.4, image.shape[0] / 1000)
    row = round(28 * size)
    fits = min(len(names), image.shape[0] // row)
    for number, (name, color) in enumerate(zip(names[:fits], colors)):
        corner = (6, image.shape[0] - 6 - row * (fits - 1 - number))
        for shade, width in (((0, 0, 0), 3), (np.asarray(color).tolist(), 1)):
            cv2.putText(image, name, corner, FONT, size, shade, width, cv2.LINE_AA)
