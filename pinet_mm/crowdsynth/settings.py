"""What a synthetic crowd looks like: one frozen dataclass, checked when it is made."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any

from .angles import POSES
from .bodies import VIEWS
from .skeletons import LAYOUTS

SPLITS = {'train': 0, 'val': 1, 'test': 2}


@dataclass(frozen=True)
class CrowdSettings:
    """Settings of what is drawn; images follow from the settings, a seed and an index alone.

    Args:
        size: Width and height of the images, px; at least 32 each.
        persons: Fewest and most people that are placed in an image. People of whom almost nothing
            would be seen (`min_visible`) are left out, so an image may have fewer.
        height: Range of the people's upright height as a share of the image's height.
        poses: Pose families to draw from, out of `POSES`.
        views: Sides that people turn to the camera, out of `VIEWS`.
        crowd_index: Range of the crowd index: a split's targets fill it evenly, and people are
            moved, exchanged, added or removed until the index of the layout is close. Many large
            people cannot reach every index, unless `persons` allows removing some of them; the
            measured value is reported.
        occluders: Draw objects that stand between and in front of people.
        photometric: Blur, noise, lighting and color cast of the finished image.
        keypoints: Layout of the keypoints, a key of `LAYOUTS`: 'coco' or 'crowdpose'.
        min_visible: Smallest visible share of a person's pixels, in [0, 1).

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside what is listed above.
    """

    size: tuple[int, int] = (256, 256)
    persons: tuple[int, int] = (2, 8)
    height: tuple[float, float] = (0.4, 0.9)
    poses: tuple[str, ...] = POSES
    views: tuple[str, ...] = VIEWS
    crowd_index: tuple[float, float] = (0.0, 1.0)
    occluders: bool = True
    photometric: bool = True
    keypoints: str = 'coco'
    min_visible: float = 0.08

    def __post_init__(self):
        self._keep('size', _pair('size', self.size, Integral, 32, 8192, ordered=False))
        self._keep('persons', _pair('persons', self.persons, Integral, 1, 100))
        self._keep('height', _pair('height', self.height, Real, 0.05, 4.0))
        self._keep('crowd_index', _pair('crowd_index', self.crowd_index, Real, 0.0, 1.0))
        self._keep('poses', _choices('poses', self.poses, POSES))
        self._keep('views', _choices('views', self.views, VIEWS))
        for name in ('occluders', 'photometric'):
            _check_flag(name, getattr(self, name))
        if self.keypoints not in LAYOUTS:
            raise ValueError(f'keypoints must be one of {sorted(LAYOUTS)}, got {self.keypoints!r}')
        if not _is_number(self.min_visible, Real) or not 0 <= self.min_visible < 1:
            raise ValueError(f'min_visible must be a number in [0, 1), got {self.min_visible!r}')

    def _keep(self, name: str, value: object) -> None:
        # the dataclass is frozen; this only stores the checked tuple of an argument given as list
        object.__setattr__(self, name, value)

    def as_dict(self) -> dict:
        """Return the settings as a dict that JSON can hold."""
        return asdict(self)


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _pair(
    name: str, value: Any, kind: type, low: float, high: float, ordered: bool = True
) -> tuple:
    """Return `value` as a checked tuple of two plain numbers in [low, high]."""
    what = 'integers' if kind is Integral else 'numbers'
    is_sequence = isinstance(value, (tuple, list)) and len(value) == 2
    if not is_sequence or not all(_is_number(item, kind) for item in value):
        raise TypeError(f'{name} must be two {what}, got {value!r}')
    if not all(low <= item <= high for item in value):
        raise ValueError(f'{name} must be two {what} in [{low}, {high}], got {value!r}')
    if ordered and value[0] > value[1]:
        raise ValueError(f'{name} must be (lowest, highest), got {value!r}')
    return tuple(map(int if kind is Integral else float, value))


def _choices(name: str, value: object, known: Sequence[str]) -> tuple[str, ...]:
    """Return `value` as a tuple of distinct members of `known`."""
    if isinstance(value, str) or not isinstance(value, (tuple, list)):
        raise TypeError(f'{name} must be a tuple of names, got {value!r}')
    unknown = [item for item in value if item not in known]
    if unknown or not value or len(set(value)) != len(value):
        raise ValueError(f'{name} must be one or more of {list(known)}, each once, got {value!r}')
    return tuple(value)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f'{name} must be True or False, got {value!r}')


def check_stream(seed: int, index: int, split: str) -> None:
    """Check what picks one image's random stream.

    Args:
        seed: Non-negative integer.
        index: Non-negative integer, the image's number in its split.
        split: A key of `SPLITS`.

    Raises:
        ValueError: If one of them is something else.
    """
    for name, value in (('seed', seed), ('index', index)):
        if not _is_number(value, Integral) or value < 0:
            raise ValueError(f'{name} must be a non-negative integer, got {value!r}')
    if split not in SPLITS:
        raise ValueError(f'split must be one of {list(SPLITS)}, got {split!r}')


@dataclass(frozen=True)
class VideoSettings:
    """Settings of drawn videos: people who walk past one another before a camera that stands still.

    Args:
        crowd: How the frames look; `persons` is the number of people of a whole video. Poses, views
            and crowd index follow from how people walk: those settings are not used.
        frames: Frames of a video, at least 1.
        fps: Frames per second, above 0: how far people get from one frame to the next.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is outside what is listed above.
    """

    crowd: CrowdSettings = CrowdSettings(size=(512, 384), persons=(6, 10), height=(0.35, 0.65))
    frames: int = 100
    fps: float = 25.0

    def __post_init__(self):
        if not isinstance(self.crowd, CrowdSettings):
            raise TypeError(f'crowd must be a CrowdSettings, got {type(self.crowd).__name__}')
        if not _is_number(self.frames, Integral) or self.frames < 1:
            raise ValueError(f'frames must be an integer of at least 1, got {self.frames!r}')
        if not _is_number(self.fps, Real) or not 0 < self.fps < float('inf'):
            raise ValueError(f'fps must be a number above 0, got {self.fps!r}')

    def as_dict(self) -> dict:
        """Return the settings as a dict that JSON can hold, without those that are not used."""
        values = asdict(self)
        for name in ('poses', 'views', 'crowd_index'):
            del values['crowd'][name]
        return values
