"""Where people stand: a search for places that make an image as crowded as it should be.

It draws only one small silhouette per person: on a grid of 64 × 64 cells, a row of the image is a
64-bit word, and a silhouette moves sideways by a shift. Coordinates with suffix `_c` are cells, a
cell's center at an integer. T stands for the number of layouts that are tried at once, N for that
of people, K for that of keypoints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .people import Figure
from .shapes import Drawing, stamp

_CELLS = 64
# how far, in index, a layout may miss its target
_NEAR_ENOUGH = 0.02
_HIDDEN_COST = 0.05


@dataclass(frozen=True)
class Actor:
    """Hold one person or object on its ground row; it moves sideways only.

    Args:
        drawing: The `Drawing`.
        row: Row of the ground point, px.
        words: (4, 64) uint64, its silhouette in cells: bit j of word i of a row is column
            64 * i + j, the ground point is in column 128, first and last word are empty.
        cells: Number of cells that it covers, those outside the image included.
        figure: The `Figure` of a person, None for an object.
    """

    drawing: Drawing
    row: int
    words: np.ndarray
    cells: int
    figure: Figure | None = None


def make_actor(
    drawing: Drawing, row: float, size: tuple[int, int], figure: Figure | None = None
) -> Actor:
    """Return the `Actor` of a drawing.

    Args:
        drawing: A `Drawing`.
        row: Row of the ground point, px.
        size: Width and height of the image, px.
        figure: The person's `Figure`, None for an object.
    """
    scale = np.array([_CELLS / size[0], _CELLS / size[1]])
    # half an image more above and below, and on either side
    canvas = np.zeros((2 * _CELLS, 2 * _CELLS), np.uint8)
    top = (round(row) + 0.5) * scale[1] - 0.5 + _CELLS // 2
    stamp(canvas, drawing, (_CELLS, top), scale)
    seen = canvas[_CELLS // 2 : _CELLS // 2 + _CELLS]
    words = np.zeros((4, _CELLS), np.uint64)
    words[1:3] = np.packbits(seen, axis=1, bitorder='little').view('<u8').T
    return Actor(drawing, round(row), words, int(np.count_nonzero(canvas)), figure)


def _shifted(words: np.ndarray, x_c: np.ndarray) -> np.ndarray:
    """Return (T, 64) uint64: a silhouette whose ground point lies in column x_c of the image."""
    word, bit = np.divmod(np.clip(2 * _CELLS - x_c, 0, 3 * _CELLS - 1), _CELLS)
    bit = bit.astype(np.uint64)[:, None]
    # in two steps, as a shift by all 64 bits is undefined
    return (words[word] >> bit) | (words[word + 1] << (np.uint64(_CELLS - 1) - bit) << np.uint64(1))


def _boxes(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (T, 4) lowest and highest x, y in cells, edges included, and (T,) cells seen."""
    rows = seen != 0
    columns = np.bitwise_or.reduce(seen, axis=1).astype('<u8')[:, None].view(np.uint8)
    columns = np.unpackbits(columns, axis=1, bitorder='little')
    last = _CELLS - 1
    box = (
        columns.argmax(1) - 0.5,
        rows.argmax(1) - 0.5,
        last - columns[:, ::-1].argmax(1) + 0.5,
        last - rows[:, ::-1].argmax(1) + 0.5,
    )
    return np.stack(box, 1), np.bitwise_count(seen).sum(1, dtype=int)


class Layouts:
    """Measure layouts of some actors.

    Args:
        actors: List of `Actor`, far to near.
        size: Width and height of the image, px.
        min_visible: Smallest visible share of a person.
    """

    def __init__(self, actors: list[Actor], size: tuple[int, int], min_visible: float):
        self.actors = actors
        self.is_person = np.array([actor.figure is not None for actor in actors])
        people = [actor for actor in actors if actor.figure is not None]
        scale = np.array([_CELLS / size[0], _CELLS / size[1]])
        self.width, self.scale_x = size[0], scale[0]
        points = np.stack([actor.figure.keypoints[:, :2] for actor in people])
        rows = np.array([actor.row for actor in people])
        self.points_x = points[..., 0] * scale[0]
        self.points_y = (points[..., 1] + rows[:, None] + 0.5) * scale[1] - 0.5
        self.least = np.maximum([min_visible * actor.cells for actor in people], 0.5)

    def measure(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the crowd index of layouts, and which people would be too hidden to count.

        Args:
            x: (T, actors) columns of the ground points, px.

        Returns:
            (T,) crowd index and (T, N) bool.
        """
        x_c = (x + 0.5) * self.scale_x - 0.5
        boxes, areas = self._seen(np.rint(x_c).astype(int))
        hidden = areas < self.least
        px = x_c[:, self.is_person, None] + self.points_x  # (T, N, K)
        py = self.points_y[None]
        limit = _CELLS - 0.5
        labeled = (px > -0.5) & (px < limit) & (py > -0.5) & (py < limit) & ~hidden[..., None]
        x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)[:, :, :, None, None]
        px, py = px[:, None], py[:, None]
        inside = (px >= x0) & (px <= x1) & (py >= y0) & (py <= y1) & labeled[:, None]
        counts = inside.sum(-1)
        own = labeled.sum(-1)
        others = counts.sum(-1) - np.diagonal(counts, axis1=1, axis2=2)
        ratios = np.minimum(others / np.maximum(own, 1), 1) * (own > 0)
        return ratios.sum(1) / np.maximum((own > 0).sum(1), 1), hidden

    def _seen(self, x_c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (T, N, 4) boxes of what is seen of the people, and (T, N) areas, in cells."""
        covered = np.zeros((len(x_c), _CELLS), np.uint64)
        boxes, areas = [], []
        for number in range(len(self.actors) - 1, -1, -1):
            mask = _shifted(self.actors[number].words, x_c[:, number])
            if self.is_person[number]:
                box, area = _boxes(mask & ~covered)
                boxes.append(box)
                areas.append(area)
            covered |= mask
        return np.stack(boxes[::-1], 1), np.stack(areas[::-1], 1)


@dataclass(frozen=True)
class Layout:
    """Hold one layout and how it was judged.

    Args:
        x: (actors,) columns of the ground points, px.
        index: Its crowd index.
        hidden: (N,) bool, people who are too hidden to count.
        cost: How far the index misses its target, plus a cost for every hidden person.
    """

    x: np.ndarray
    index: float
    hidden: np.ndarray
    cost: float


def search(
    rng: Generator,
    layouts: Layouts,
    owners: list[int],
    offsets: np.ndarray,
    target: float,
    rounds: int = 3,
) -> Layout:
    """Find places at which the crowd index is near a target.

    People stand in a random order and are drawn together or apart first, then moved one by one.

    Args:
        rng: A numpy random generator.
        layouts: The `Layouts` of the actors.
        owners: Number of the person whom each actor is or stands before, counted far to near.
        offsets: (actors,) columns between actor and person, px.
        target: Crowd index aimed at.
        rounds: Rounds of small moves at most.
    """
    count, width = layouts.is_person.sum(), layouts.width
    apart = rng.permuted(np.tile(np.arange(count), (2, 1)), axis=1)
    apart = (apart + rng.uniform(0.2, 0.8, (2, count))) / count
    centers = rng.uniform(0.35, 0.65, (2, 1))
    # beyond 1, the outermost stand half outside the image
    spreads = np.concatenate([np.linspace(0, 1, 9), [1.15]])[:, None, None]
    people = (centers + spreads * (apart - centers)).reshape(-1, count) * width
    best = _best(layouts, people, owners, offsets, target)
    for step in 0.12 * 0.5 ** np.arange(rounds):
        if best.cost < _NEAR_ENOUGH or count == 1:
            break
        moves = rng.normal(0, step * width, (16, count)) * (rng.random((16, count)) < 0.6)
        spots = np.zeros(count)
        spots[[owner for owner, own in zip(owners, layouts.is_person) if own]] = best.x[
            layouts.is_person
        ]
        best = min(
            best,
            _best(layouts, spots + moves, owners, offsets, target),
            key=lambda layout: layout.cost,
        )
    return best


def _best(
    layouts: Layouts, people: np.ndarray, owners: list[int], offsets: np.ndarray, target: float
) -> Layout:
    """Return the layout of (T, N) places of people that comes nearest to the target."""
    x = np.rint(people[:, owners] + offsets)
    index, hidden = layouts.measure(x)
    cost = np.abs(index - target) + _HIDDEN_COST * hidden.sum(1)
    first = int(cost.argmin())
    return Layout(x[first].astype(int), float(index[first]), hidden[first], float(cost[first]))
