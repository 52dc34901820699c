"""People who walk: who they are, and where they are at each frame of a video.

F stands for the number of frames. Speeds are upright heights per second. A yaw of 90 degrees goes
to the right of the image, 0 toward the camera.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .angles import add_stride, sample_angles, sample_stride
from .bodies import Body, sample_bones, sample_girth, upright_body
from .outfits import Outfit, sample_outfit
from .settings import VideoSettings

# how far away the camera is, heights: people who walk toward it grow by so much per height walked
_DISTANCE = 9.0
# two steps cover four times the legs' reach on the ground; a leg is half as long as its person
_STRIDE = 2.0
_KINDS = ('pass', 'pass', 'pause', 'turn', 'approach')


@dataclass(frozen=True)
class Walker:
    """Hold one person of a video.

    Args:
        bones: As `sample_bones` draws them.
        angles: How they hold themselves, as `sample_angles` draws it.
        girth: Factor on all widths.
        outfit: An `Outfit`.
        reach: How far their legs swing, degrees.
        stands: How far below their height's row they stand, heights.
        path: Their `Path`.
    """

    bones: dict[str, float]
    angles: dict[str, float]
    girth: float
    outfit: Outfit
    reach: float
    stands: float
    path: 'Path'

    def body(self, frame: int, tilt: float) -> Body:
        """Return their body in a frame, from a camera that looks down by `tilt` degrees."""
        path = self.path
        angles = add_stride(self.angles, path.phase[frame], self.reach, path.pace[frame])
        return upright_body(angles, self.bones, self.girth, path.yaw[frame], tilt)


@dataclass(frozen=True)
class Path:
    """Hold where somebody is and how they move.

    Args:
        x: (F,) column of the ground point, px.
        height: (F,) upright height, px.
        yaw: (F,) where they face, degrees.
        phase: (F,) where in a step they are, radians.
        pace: (F,) share of their walking movement, 0 while they stand.
    """

    x: np.ndarray
    height: np.ndarray
    yaw: np.ndarray
    phase: np.ndarray
    pace: np.ndarray


def sample_walker(rng: Generator, settings: VideoSettings) -> Walker:
    """Draw a person and their way.

    Args:
        rng: A numpy random generator.
        settings: A `VideoSettings`.
    """
    angles, bones = sample_angles(rng, 'standing'), sample_bones(rng)
    phase, reach = sample_stride(rng)
    path = _sample_path(rng, settings, phase, reach)
    stands = float(rng.normal(0, 0.03))
    return Walker(bones, angles, sample_girth(rng), sample_outfit(rng), reach, stands, path)


def _sample_path(rng: Generator, settings: VideoSettings, phase: float, reach: float) -> Path:
    """Draw a way that passes through the middle half of the image at some time."""
    (columns, rows), fps = settings.crowd.size, settings.fps
    low, high = np.array(settings.crowd.height) * rows
    times = np.arange(settings.frames) / fps
    speed, yaw = _sample_walk(rng, times)
    there = int(rng.uniform(0.1, 0.9) * settings.frames)
    grown = _from(speed * np.cos(np.radians(yaw)) / (_DISTANCE * fps), there)
    height = np.clip(rng.uniform(low, high) * np.exp(grown), low, high)
    sideways = speed * np.sin(np.radians(yaw)) * height / fps
    x = rng.uniform(0.25, 0.75) * columns + _from(sideways, there)
    strides = _from(speed, 0) / (fps * _STRIDE * np.sin(np.radians(reach)))
    pace = np.clip(speed / 0.4, 0, 1)
    return Path(x, height, yaw, phase + 2 * np.pi * strides, pace)


def _from(steps: np.ndarray, there: int) -> np.ndarray:
    """Return (F,) what the steps add up to, 0 at frame `there`."""
    way = np.concatenate([[0.0], np.cumsum(steps[:-1])])
    return way - way[there]


def _sample_walk(rng: Generator, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw (F,) speeds and yaws: pass, pause on the way, turn round, or come closer or go away."""
    kind = _KINDS[rng.integers(len(_KINDS))]
    speed, side = rng.uniform(0.5, 1.0), (-1, 1)[rng.integers(2)]
    yaw = side * rng.uniform(65, 115)
    start, pause = rng.uniform(0, times[-1]), rng.uniform(0.6, 2.0)
    speeds, yaws = np.full(len(times), speed), np.full(len(times), yaw)
    if kind == 'pause':
        knots = np.cumsum([start, 0.3, pause, 0.3])
        speeds = np.interp(times, knots, [speed, 0, 0, speed])
    elif kind == 'turn':
        knots = np.cumsum([start, 0.4, 0.4])
        speeds = np.interp(times, knots, [speed, 0.3 * speed, speed])
        yaws = np.interp(times, knots[[0, 2]], [yaw, -yaw])
    elif kind == 'approach':
        yaws[:] = side * (rng.uniform(15, 50) + 100 * rng.integers(2))
    return speeds, yaws
