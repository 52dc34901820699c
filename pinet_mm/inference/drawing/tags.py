"""Tags above people: identity and score, placed so that none covers another.

N people or tags; coordinates are pixels of the image, corners the top left ones.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from .sheets import FONT

DARK = (0, 0, 0)
# Where a tag may go, in halves of its width and in its heights: near places first, upper ones
# before lower ones as near.
_STEPS = np.array(
    sorted(
        ((x, y) for x in range(-4, 5) for y in range(-4, 5)),
        key=lambda step: (step[0] ** 2 + step[1] ** 2, step[1]),
    )
)


class Tag(NamedTuple):
    """A tag: what it says, the point above whose middle it stands, and its color, BGR."""

    text: str
    above: tuple[float, float]
    color: tuple[int, ...]


def tag_of(people: Any, i: int, score: float | None) -> str:
    """Return what stands above a person: the identity, if there is one, and the score.

    Args:
        people: see `skeletons.draw_people`.
        i: which of them.
        score: of the person; annotated people have none.
    """
    words = []
    if 'track_ids' in people and people['track_ids'][i] >= 0:
        words.append(f'#{int(people["track_ids"][i])}')
    if score is not None:
        words.append(f'{score:.2f}')
    return ' '.join(words)


def draw_tags(image: np.ndarray, tags: Sequence[Tag], width: int) -> None:
    """Draw tags into an image, the first nearest to where they belong.

    Args:
        image: (H, W, 3) uint8 BGR; changed in place.
        tags: the empty ones are left out.
        width: of the people's limbs, px.
    """
    tags, size, thick = [tag for tag in tags if tag.text], 0.2 * width, max(width // 2, 1)
    found = [cv2.getTextSize(tag.text, FONT, size, thick) for tag in tags]
    sizes = np.array([(w + 4, h + below + 2) for (w, h), below in found]).reshape(-1, 2)
    middles = np.array([tag.above for tag in tags]).reshape(-1, 2)
    wanted = middles - sizes * (0.5, 1) - (0, 2 * width)
    corners = place_boxes(wanted, sizes, image.shape[1::-1])
    for tag, (_, below), (x, y), (w, h) in zip(tags, found, corners.tolist(), sizes.tolist()):
        cv2.rectangle(image, (x, y), (x + w, y + h), tag.color, -1)
        start = x + 2, y + h - below
        cv2.putText(image, tag.text, start, FONT, size, DARK, thick, cv2.LINE_AA)


def place_boxes(wanted: np.ndarray, sizes: np.ndarray, room: Sequence[int]) -> np.ndarray:
    """Return corners (N, 2) of boxes near those wanted, such that no two boxes overlap.

    One after the other takes the nearest of some places that is free; where all are taken, the one
    wanted.

    Args:
        wanted: (N, 2) corners.
        sizes: (N, 2) widths and heights.
        room: width and height of the image, in which the boxes stay.
    """
    corners = np.zeros((len(wanted), 2), int)
    for i, (corner, size) in enumerate(zip(wanted, sizes)):
        # A pixel between two boxes that stand beside each other.
        places = np.rint(corner) + _STEPS * np.ceil((size + 2) / (2, 1))
        places = places.clip(0, np.maximum(np.subtract(room, size) - 1, 0)).astype(int)
        others, their_sizes = corners[:i], sizes[:i]
        apart = (places[:, None] > others + their_sizes) | (others > places[:, None] + size)
        free = np.flatnonzero(apart.any(axis=-1).all(axis=-1))
        corners[i] = places[free[0] if len(free) else 0]
    return corners
