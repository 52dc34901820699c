"""Crowds: who is in an image, where they stand, and what is visible of each."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .bodies import sample_body
from .labels import Person
from .layout import Actor, Layout, Layouts, make_actor, search
from .outfits import sample_outfit
from .people import draw_figure
from .scenery import develop, draw_background, draw_object, draw_shadow, sample_light
from .settings import SPLITS, CrowdSettings, check_stream
from .shading import Light, join_tables, shade, surface
from .shapes import stamp
from .skeletons import LAYOUTS

# layouts of different people that are tried before the nearest is taken
_CASTS = 6
_NEAR_ENOUGH = 0.025


class _Casting:
    """Draw people and objects and keep the ground they stand on."""

    def __init__(self, rng: Generator, settings: CrowdSettings):
        self.rng, self.settings = rng, settings
        self.names = LAYOUTS[settings.keypoints].names
        self.tilt = rng.uniform(-5, 25)
        self.eye = rng.uniform(0.6, 1.3)
        self.horizon = None

    def cast(self, count: int) -> tuple[list[Actor], list[tuple[Actor, Actor, int]]]:
        """Return people, and objects as (object, person behind it, columns between them)."""
        rng = self.rng
        figures = [self._figure() for _ in range(count)]
        heights = np.mean([figure.height for figure in figures])
        middle = np.mean([np.mean(figure.drawing.bounds(), axis=0)[1] for figure in figures])
        self.horizon = self.settings.size[1] * rng.uniform(0.42, 0.58) - middle - self.eye * heights
        people = [self._actor(figure) for figure in figures]
        return people, [
            self._object(people[rng.integers(count)])
            for _ in range(rng.integers(0, 3) if self.settings.occluders else 0)
        ]

    def person(self) -> Actor:
        """Return one more person."""
        return self._actor(self._figure())

    def _figure(self):
        rng, settings = self.rng, self.settings
        height = float(rng.uniform(*settings.height)) * settings.size[1]
        body = sample_body(
            rng,
            settings.poses[rng.integers(len(settings.poses))],
            settings.views[rng.integers(len(settings.views))],
            self.tilt,
        )
        return draw_figure(body, sample_outfit(rng), height, self.names, rng.uniform(-0.5, 0.5, 2))

    def _actor(self, figure) -> Actor:
        """Return a person in their place: larger people stand nearer."""
        row = self.horizon + (self.eye + self.rng.normal(0, 0.05)) * figure.height
        return make_actor(figure.drawing, row, self.settings.size, figure)

    def _object(self, person: Actor) -> tuple[Actor, Actor, int]:
        unit = person.figure.height
        x, y = self.rng.normal(0, [0.25, 0.02]) * unit
        row = max(person.row + round(y + 0.03 * unit), person.row)
        thing = make_actor(draw_object(self.rng, unit), row, self.settings.size)
        return thing, person, round(x)


def _arrange(
    rng: Generator, settings: CrowdSettings, people: list[Actor], objects: list, target: float
) -> tuple[list[Actor], Layout]:
    """Return the actors, far to near, and the best layout that was found for them."""
    people = sorted(people, key=lambda person: person.row)
    actors, owners, offsets = [], [], []
    for number, person in enumerate(people):
        # identity, as arrays cannot be compared as a whole
        before = [(thing, offset) for thing, behind, offset in objects if behind is person]
        for actor, offset in [(person, 0), *before]:
            actors.append(actor)
            owners.append(number)
            offsets.append(offset)
    layouts = Layouts(actors, settings.size, settings.min_visible)
    return actors, search(rng, layouts, owners, np.array(offsets), target)


def _target(settings: CrowdSettings, seed: int, index: int, split: str) -> float:
    """Return the crowd index that an image aims at.

    Multiples of the golden ratio, modulo 1, fill an interval evenly from the first image on;
    random numbers would leave a split of some hundred images uneven.
    """
    golden = (5**0.5 - 1) / 2
    share = (golden * index + 0.7548776662 * seed + 0.5698402910 * SPLITS[split]) % 1
    low, high = settings.crowd_index
    return low + (high - low) * share


def _compose_crowd(
    rng: Generator, settings: CrowdSettings, casting: _Casting, target: float
) -> tuple[list[Actor], np.ndarray]:
    """Choose people and places such that the crowd index comes near a target.

    Where the people at hand cannot be as crowded, or as scattered, one is added or leaves.

    Returns:
        Actors far to near, and their (actors, 2) integer places.
    """
    low, high = settings.persons
    people, objects = casting.cast(int(rng.integers(low, high + 1)))
    best = None
    for _ in range(_CASTS):
        actors, layout = _arrange(rng, settings, people, objects, target)
        if best is None or layout.cost < best[1].cost:
            best = actors, layout
        if layout.cost < _NEAR_ENOUGH:
            break
        if layout.index > target and len(people) > low:
            del people[rng.integers(len(people))]
        elif layout.index < target and len(people) < high:
            people.append(casting.person())
        else:
            people[rng.integers(len(people))] = casting.person()
    return _without_hidden(*best)


def _without_hidden(actors: list[Actor], layout: Layout) -> tuple[list[Actor], np.ndarray]:
    """Return actors and places, without people of whom almost nothing would be seen."""
    hidden = iter(layout.hidden)
    kept = [
        number for number, actor in enumerate(actors) if actor.figure is None or not next(hidden)
    ]
    places = np.array([(layout.x[number], actors[number].row) for number in kept])
    return [actors[number] for number in kept], places.reshape(-1, 2)


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
) -> list[Person]:
    """Return the labels of all people of whom anything is seen, far to near."""
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
        persons.append(
            Person(
                _keypoints(actor, place, number, view, owners),
                mask,
                bbox,
                area,
                actor.figure.height,
                actor.figure.body.pose,
                actor.figure.body.view,
            )
        )
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


def draw_crowd(
    settings: CrowdSettings, seed: int, index: int, split: str = 'train'
) -> tuple[np.ndarray, list[Person]]:
    """Draw one image of a crowd; it depends on the arguments alone.

    Args:
        settings: A `CrowdSettings`.
        seed: Non-negative integer.
        index: Number of the image in its split.
        split: 'train', 'val' or 'test': disjoint random streams of the same seed.

    Returns:
        The image, (H, W, 3) uint8 BGR, and a list of `Person`, far to near.

    Raises:
        TypeError: If `settings` is no `CrowdSettings`.
        ValueError: If seed, index or split are not what is listed above.
    """
    if not isinstance(settings, CrowdSettings):
        raise TypeError(f'settings must be a CrowdSettings, got {type(settings).__name__}')
    check_stream(seed, index, split)
    rng = np.random.default_rng([seed, SPLITS[split], index])
    light = sample_light(rng)
    casting = _Casting(rng, settings)
    target = _target(settings, seed, index, split)
    actors, places = _compose_crowd(rng, settings, casting, target)
    image = draw_background(rng, settings.size, casting.horizon)
    for actor, place in zip(actors, places):
        if actor.figure is not None:
            draw_shadow(image, place, actor.figure.height)
    view = _look(actors, places, settings.size)
    mixed = np.flatnonzero((view.samples[1:] != view.samples[0]).any(0))
    image = _paint(image, view, mixed, light)
    persons = _label(actors, places, view, _owners(view, mixed))
    if settings.photometric:
        image = develop(rng, image)
    return image, persons
