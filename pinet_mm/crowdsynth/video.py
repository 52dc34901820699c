"""Videos of people who cross, cover one another, enter and leave, with known identities."""

import numpy as np
from numpy.random import Generator

from .labels import Person
from .layout import Actor, make_actor
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
from .settings import SPLITS, VideoSettings, check_stream
from .skeletons import LAYOUTS
from .walkers import Walker, sample_walker

# last entries of a random stream: a whole video, then its frames; an image's stream has none
_VIDEO, _FIRST_FRAME = 1, 2


class CrowdVideo:
    """Draw the frames of one video; they depend on the arguments alone, in any order.

    Args:
        settings: A `VideoSettings`.
        seed: Non-negative integer.
        index: Number of the video in its split.
        split: 'train', 'val' or 'test': disjoint random streams of the same seed.

    Raises:
        TypeError: If `settings` is no `VideoSettings`.
        ValueError: If seed, index or split are not what is listed above.
    """

    def __init__(self, settings: VideoSettings, seed: int, index: int, split: str = 'train'):
        if not isinstance(settings, VideoSettings):
            raise TypeError(f'settings must be a VideoSettings, got {type(settings).__name__}')
        check_stream(seed, index, split)
        self.settings, self.stream = settings, [seed, SPLITS[split], index]
        rng = np.random.default_rng([*self.stream, _VIDEO])
        size, (low, high) = settings.crowd.size, settings.crowd.persons
        self.light, self.camera = sample_light(rng), sample_camera(rng, size[1])
        self.tilt, self.eye = rng.uniform(-5, 25), rng.uniform(0.6, 1.3)
        middle = np.mean(settings.crowd.height) * size[1]
        self.horizon = rng.uniform(0.45, 0.58) * size[1] + (0.5 - self.eye) * middle
        self.background = draw_background(rng, size, self.horizon)
        count = int(rng.integers(low, high + 1))
        self.walkers = [sample_walker(rng, settings) for _ in range(count)]
        self.objects = self._sample_objects(rng) if settings.crowd.occluders else []

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.settings.frames

    def draw(self, frame: int) -> tuple[np.ndarray, list[tuple[int, Person]]]:
        """Draw one frame.

        Args:
            frame: Its number, from 0.

        Returns:
            The image, (H, W, 3) uint8 BGR, and the people of whom enough is seen (`min_visible`),
            far to near: each a number, from 1, that is theirs for the whole video, and a `Person`.

        Raises:
            IndexError: If the video has no such frame.
        """
        if not 0 <= frame < len(self):
            raise IndexError(f'frame must be in [0, {len(self)}), got {frame}')
        actors = [(0, *spot) for spot in self.objects]
        for number, walker in enumerate(self.walkers, 1):
            actors += [(number, *spot) for spot in self._place(walker, frame)]
        actors.sort(key=lambda actor: actor[1].row)
        image = self.background.copy()
        for _, actor, place in actors:
            if actor.figure is not None:
                draw_shadow(image, place, actor.figure.height)
        places = np.array([place for *_, place in actors]).reshape(-1, 2)
        image, seen = render(image, [actor for _, actor, _ in actors], places, self.light)
        if self.settings.crowd.photometric:
            rng = np.random.default_rng([*self.stream, _FIRST_FRAME + frame])
            image = develop(rng, image, self.camera)
        return image, [
            (actors[number][0], person)
            for number, person in seen
            if person.area >= self._least_area(actors[number][1])
        ]

    def _least_area(self, actor: Actor) -> float:
        """Return how many pixels of a person must be seen for them to be labeled."""
        crowd = self.settings.crowd
        cell = crowd.size[0] * crowd.size[1] / actor.words.shape[1] ** 2
        return crowd.min_visible * actor.cells * cell

    def _place(self, walker: Walker, frame: int) -> list[tuple[Actor, np.ndarray]]:
        """Return a person and their place; nothing while they are outside the image."""
        crowd = self.settings.crowd
        x, height = walker.path.x[frame], walker.path.height[frame]
        if not -0.6 * height < x < crowd.size[0] + 0.6 * height:
            return []
        exact = np.array([x, self.horizon + (self.eye + walker.stands) * height])
        place = np.rint(exact).astype(int)
        body, names = walker.body(frame, self.tilt), LAYOUTS[crowd.keypoints].names
        figure = draw_figure(body, walker.outfit, float(height), names, exact - place)
        return [(make_actor(figure.drawing, place[1], crowd.size, figure), place)]

    def _sample_objects(self, rng: Generator) -> list[tuple[Actor, np.ndarray]]:
        """Draw objects that stand between the people's ways."""
        size, (low, high) = self.settings.crowd.size, self.settings.crowd.height
        spots = []
        for _ in range(rng.integers(0, 3)):
            unit = rng.uniform(low, high) * size[1]
            place = np.rint([rng.uniform(0, size[0]), self.horizon + self.eye * unit]).astype(int)
            spots.append((make_actor(draw_object(rng, unit), place[1], size), place))
        return spots
