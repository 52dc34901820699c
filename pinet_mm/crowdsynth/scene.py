"""Crowds: who is in an image, where they stand, and what is visible of each."""

import numpy as np
from numpy.random import Generator

from .bodies import sample_body
from .labels import Person
from .layout import Actor, Layout, Layouts, make_actor, search
from .outfits import sample_outfit
from .people import draw_figure
from .rendering import render
from .scenery import (
    develop,
    draw_background,
    draw_object,
    draw_shadow,
    sample_camera,
    sample_light,
)
from .settings import SPLITS, CrowdSettings, check_stream
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
    image, seen = render(image, actors, places, light)
    if settings.photometric:
        image = develop(rng, image, sample_camera(rng, len(image)))
    return image, [person for _, person in seen]
