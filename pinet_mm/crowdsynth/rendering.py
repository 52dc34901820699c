"""From actors in their places to an image, and to the labels of what is seen of each person."""

from dataclasses import dataclass

import numpy as np

from .labels import Person
from .layout import Actor
from .shading import Light, join_tables, shade, surface
from .shapes import stamp


@dataclass(frozen=True)
class _View:
    """Hold which shape is seen where.

    Args:
        samples: (4, H, W) intp, the shape at each quarter of every pixel.
        owner_of: (S + 1,) number of the actor whom a shape belongs to; the last is the background.
        table: (27, S), as `join_tables` makes it.
    """

    samples: np.ndarray
    owner_of: np.ndarray
    table: np.ndarray

    @property
    def nothing(self) -> int:
        """Return the number that stands for the background."""
        return len(self.owner_of) - 1


# where the four samples of a pixel lie, px from its center
_QUARTERS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], np.float32)


def _look(actors: list[Actor], places: np.ndarray, size: tuple[int, int]) -> _View:
    """Draw the actors' shapes over one another, as numbers."""
    counts = [actor.drawing.table.shape[1] for actor in actors]
    width, height = size
    twofold = np.full((2 * height, 2 * width), sum(counts), np.uint16)
    first = 0
    for actor, place, count in zip(actors, places, counts):
        stamp(twofold, actor.drawing, 2 * place + 0.5, (2, 2), first)
        first += count
    samples = np.stack([twofold[y::2, x::2] for y in (0, 1) for x in (0, 1)])
    owner_of = np.repeat(np.arange(len(actors) + 1), [*counts, 1])
    table = join_tables([actor.drawing for actor in actors], places)
    return _View(samples, owner_of, table)


def _owners(view: _View, mixed: np.ndarray) -> np.ndarray:
    """Return (H, W) who holds most of each pixel; the background only if it holds more than half.

    Args:
        view: A `_View`.
        mixed: (M,) flat numbers of the pixels whose samples differ.
    """
    owners = view.owner_of[view.samples[0]]
    four = view.owner_of[view.samples.reshape(4, -1)[:, mixed]]
    owners.ravel()[mixed] = np.sort(four, axis=0)[1]
    return owners


def _paint(image: np.ndarray, view: _View, mixed: np.ndarray, light: Light) -> np.ndarray:
    """Paint what is seen over the background; return (H, W, 3) uint8."""
    width = image.shape[1]
    flat, samples = image.reshape(-1, 3), view.samples.reshape(4, -1)
    pure = samples[0] != view.nothing
    pure[mixed] = False
    pure = np.flatnonzero(pure)
    pixels = np.concatenate([pure, np.tile(mixed, 4)])
    shift = np.zeros((2, len(pixels)), np.float32)
    shift[:, len(pure) :] = np.repeat(_QUARTERS, len(mixed), axis=0).T
    labels = np.concatenate([samples[0, pure], samples[:, mixed].ravel()])
    rows, columns = np.divmod(pixels, width)
    ground = np.flatnonzero(labels == view.nothing)
    labels[ground] = 0
    colors = shade(view.table, labels, columns + shift[0], rows + shift[1], light)
    colors[:, ground] = flat[pixels[ground]].T
    blend = colors[:, len(pure) :].reshape(3, 4, -1).mean(1)
    for where, values in ((pure, colors[:, : len(pure)]), (mixed, blend)):
        flat[where] = np.minimum(values + 0.5, 255).T
    return image


def _label(
    actors: list[Actor], places: np.ndarray, view: _View, owners: np.ndarray
) -> list[tuple[int, Person]]:
    """Return numbers and labels of all people of whom anything is seen, far to near."""
    persons = []
    for number, (actor, place) in enumerate(zip(actors, places)):
        if actor.figure is None:
            continue
        mask = owners == number
        area = int(np.count_nonzero(mask))
        if area < 4:
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        bbox = np.array([columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1], float)
        person = Person(
            _keypoints(actor, place, number, view, owners),
            mask,
            bbox,
            area,
            actor.figure.height,
            actor.figure.body.pose,
            actor.figure.body.view,
        )
        persons.append((number, person))
    return persons


def _keypoints(
    actor: Actor, place: np.ndarray, number: int, view: _View, owners: np.ndarray
) -> np.ndarray:
    """Return (K, 3) labels as `Person` describes them."""
    height, width = owners.shape
    figure = actor.figure
    x, y = (figure.keypoints[:, :2] + place).T.astype(np.float32)
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    label = view.samples[2 * (y > row) + (x > column), row, column]
    mine = (owners[row, column] == number) & (view.owner_of[label] == number)
    near = surface(view.table, np.where(mine, label, 0), x, y)
    seen = mine & (near - figure.keypoints[:, 2] <= figure.depths)
    labels = np.stack([x * inside, y * inside, np.where(inside, 1 + seen, 0)], 1)
    return labels.astype(np.float32)


def render(
    image: np.ndarray, actors: list[Actor], places: np.ndarray, light: Light
) -> tuple[np.ndarray, list[tuple[int, Person]]]:
    """Draw actors over a background.

    Args:
        image: (H, W, 3) uint8 BGR, the background; painted over.
        actors: Far to near.
        places: (actors, 2) integer x, y of their ground points, px.
        light: As `sample_light` draws it.

    Returns:
        The image, and the people of whom anything is seen, far to near: each with the number of
        its actor.
    """
    if not actors:
        return image, []
    height, width = image.shape[:2]
    view = _look(actors, places, (width, height))
    mixed = np.flatnonzero((view.samples[1:] != view.samples[0]).any(0))
    owners = _owners(view, mixed)
    return _paint(image, view, mixed, light), _label(actors, places, view, owners)
