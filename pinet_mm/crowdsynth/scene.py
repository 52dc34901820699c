"""Crowds: who stands where, who covers whom, and what is labelled.

Frames: `_img` are picture pixels, integers at pixel centres, as COCO's keypoints. Boxes are
(x, y, w, h) as pycocotools makes them from masks: pixel j covers [j, j + 1].
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from .bodies import sample_body
from .outfits import sample_outfit
from .people import Figure, draw_figure
from .scenery import develop, draw_background, draw_object, draw_shadow, sample_light
from .settings import SPLITS, CrowdSettings, check_stream
from .shapes import Layer, Light
from .skeletons import LAYOUTS

_NOBODY = 255
_SPREADS = 7


@dataclass(frozen=True)
class Person:
    """Hold the labels of one drawn person.

    Args:
        keypoints: (K, 3) x, y, v in picture pixels: v is 2 where the keypoint is seen, 1 where
            another person, an object or the person's own body covers it, 0 (and x = y = 0)
            outside the picture.
        mask: (H, W) bool, the pixels where this person is on top.
        bbox: (4,) x, y, w, h around `mask`.
        area: Number of pixels of `mask`.
        height: Upright height, px.
        pose: Pose family.
        view: Side turned to the camera.
    """

    keypoints: np.ndarray
    mask: np.ndarray
    bbox: np.ndarray
    area: int
    height: float
    pose: str
    view: str


def crowd_index(keypoints: ArrayLike, bboxes: ArrayLike) -> float:
    """Measure how crowded a picture is, as CrowdPose does.

    The mean over persons with labelled keypoints of n_others / n_own, capped at 1: n_others counts
    the labelled keypoints of all other persons inside the person's box (its edges included),
    n_own the person's own labelled keypoints.

    Args:
        keypoints: (N, K, 3) x, y, v; labelled where v > 0.
        bboxes: (N, 4) x, y, w, h in the same frame.

    Returns:
        A float in [0, 1]; 0 if nobody has labelled keypoints.
    """
    keypoints, bboxes = np.asarray(keypoints, float), np.asarray(bboxes, float)
    if len(keypoints) == 0:
        return 0.0
    low, high = bboxes[:, None, None, :2], bboxes[:, None, None, :2] + bboxes[:, None, None, 2:]
    inside = ((keypoints[None, ..., :2] >= low) & (keypoints[None, ..., :2] <= high)).all(-1)
    labelled = keypoints[..., 2] > 0
    counts = (inside & labelled).sum(-1)
    own, others = labelled.sum(1), counts.sum(1) - np.diag(counts)
    if not own.any():
        return 0.0
    return float(np.minimum(others[own > 0] / own[own > 0], 1).mean())


class _Stage:
    """Hold drawn layers, far to near, and work out what is seen for given places."""

    def __init__(self, settings: CrowdSettings, layers: list[Layer], figures: list[Figure]):
        self.size = settings.size
        self.min_visible = settings.min_visible
        self.layers = layers      # persons first, then objects
        self.figures = figures    # persons
        self.full = np.array([np.count_nonzero(layer.solid) for layer in layers])

    def owners(self, places_img: np.ndarray, order: list[int]) -> np.ndarray:
        """Return (H, W) uint8: the number of the layer on top, `_NOBODY` for the background."""
        width, height = self.size
        owners = np.full((height, width), _NOBODY, np.uint8)
        for number in order:
            layer = self.layers[number]
            inside, part = _overlap(layer, places_img[number], self.size)
            np.copyto(owners[inside], number, where=layer.solid[part])
        return owners

    def boxes(self, places_img: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (N, 4) boxes and (N,) areas of the persons' visible pixels."""
        count = len(self.figures)
        boxes, areas = np.zeros((count, 4)), np.zeros(count, int)
        for number in range(count):
            inside, _ = _overlap(self.layers[number], places_img[number], self.size)
            mask = owners[inside] == number
            areas[number] = np.count_nonzero(mask)
            if areas[number]:
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                x, y = columns[0] + inside[1].start, rows[0] + inside[0].start
                boxes[number] = x, y, np.ptp(columns) + 1, np.ptp(rows) + 1
        return boxes, areas

    def keypoints(self, places_img: np.ndarray, owners: np.ndarray) -> np.ndarray:
        """Return (N, K, 3) labels as `Person` describes them."""
        width, height = self.size
        points = np.stack([figure.keypoints + place
                           for figure, place in zip(self.figures, places_img)])
        cells = np.rint(points).astype(int)
        inside = ((cells >= 0) & (cells < (width, height))).all(-1)
        on_top = owners[np.clip(cells[..., 1], 0, height - 1), np.clip(cells[..., 0], 0, width - 1)]
        mine = on_top == np.arange(len(self.figures))[:, None]
        seen = mine & np.stack([figure.seen for figure in self.figures])
        visibility = np.where(inside, 1 + seen, 0)
        return np.concatenate([points * inside[..., None], visibility[..., None]], -1)

    def hidden(self, areas: np.ndarray) -> np.ndarray:
        """Return (N,) bool: persons of whom too little is seen to be labelled."""
        return areas < np.maximum(self.min_visible * self.full[:len(areas)], 4)


def _overlap(layer: Layer, place: np.ndarray, size: tuple[int, int]) -> tuple[tuple, tuple]:
    """Return the slices of the picture and of the layer where the two overlap."""
    height, width = layer.parts.shape
    x, y = layer.origin[0] + int(place[0]), layer.origin[1] + int(place[1])
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, size[0]), min(y + height, size[1])
    x1, y1 = max(x0, x1), max(y0, y1)
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))


def _draw_people(rng: Generator, settings: CrowdSettings, tilt: float,
                 light: Light) -> list[Figure]:
    """Draw the persons by themselves, far (small) to near (large)."""
    names = LAYOUTS[settings.keypoints].names
    count = rng.integers(settings.persons[0], settings.persons[1] + 1)
    heights = np.sort(rng.uniform(*settings.height, count)) * settings.size[1]
    figures = []
    for height in heights:
        body = sample_body(rng, str(rng.choice(settings.poses)), str(rng.choice(settings.views)),
                           tilt)
        figures.append(draw_figure(body, sample_outfit(rng), float(height), names,
                                   rng.uniform(-0.5, 0.5, 2), light))
    return figures


def _ground_rows(rng: Generator, figures: list[Figure],
                 settings: CrowdSettings) -> tuple[np.ndarray, float]:
    """Return the persons' ground rows, px, and the horizon: larger people stand nearer."""
    heights = np.array([figure.height for figure in figures])
    eye = rng.uniform(0.6, 1.3)
    middle = np.mean([figure.layer.origin[1] + figure.layer.parts.shape[0] / 2
                      for figure in figures])
    horizon = settings.size[1] * rng.uniform(0.42, 0.58) - middle - eye * heights.mean()
    return horizon + eye * heights + rng.normal(0, 0.05, len(heights)) * heights, horizon


def _place(rng: Generator, stage: _Stage, settings: CrowdSettings, rows: np.ndarray,
           order: list[int]) -> np.ndarray:
    """Move people together or apart until the crowd index comes near a random target.

    Returns:
        (L, 2) integer places of the layers' ground points, picture pixels; objects keep 0.
    """
    count, width = len(stage.figures), settings.size[0]
    target = rng.uniform(*settings.crowd_index)
    apart = (rng.permutation(count) + rng.uniform(0.2, 0.8, count)) / count * width
    centre = rng.uniform(0.35, 0.65) * width
    people = [number for number in order if number < count]
    low, high, best = 0.0, 1.0, (np.inf, None)
    for _ in range(_SPREADS if count > 1 else 1):
        spread = (low + high) / 2
        places = np.rint(np.stack([centre + spread * (apart - centre), rows], 1)).astype(int)
        owners = stage.owners(places, people)
        boxes, areas = stage.boxes(places, owners)
        kept = ~stage.hidden(areas)
        index = crowd_index(stage.keypoints(places, owners)[kept], boxes[kept])
        miss = abs(index - target) + 0.1 * (~kept).sum()
        best = min(best, (miss, spread))
        if miss < 0.02:
            break
        low, high = (spread, high) if index > target else (low, spread)
    spread = best[1]
    return np.rint(np.stack([centre + spread * (apart - centre), rows], 1)).astype(int)


def _draw_objects(rng: Generator, settings: CrowdSettings, places: np.ndarray,
                  figures: list[Figure],
                  light: Light) -> tuple[list[Layer], list[np.ndarray], list[int]]:
    """Draw objects in front of random persons; return layers, places and who stands behind."""
    layers, spots, behind = [], [], []
    count = rng.integers(0, 3) if settings.occluders else 0
    for _ in range(count):
        number = int(rng.integers(len(figures)))
        height = figures[number].height
        offset = rng.normal(0, [0.25, 0.02]) * height
        layers.append(draw_object(rng, height, light))
        spots.append(np.rint(places[number] + offset + (0, 0.03 * height)).astype(int))
        behind.append(number)
    return layers, spots, behind


def _compose(picture: np.ndarray, stage: _Stage, places: np.ndarray,
             order: list[int]) -> np.ndarray:
    """Lay the layers over the background, far to near; return (H, W, 3) uint8."""
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    for number in order:
        if number < len(stage.figures):
            draw_shadow(planes, places[number], stage.figures[number].height)
        layer = stage.layers[number]
        inside, part = _overlap(layer, places[number], stage.size)
        canvas, paint = planes[(slice(None), *inside)], layer.paint[(slice(None), *part)]
        canvas *= 1 - paint[3]
        canvas += paint[:3]
    return cv2.convertScaleAbs(cv2.merge(list(planes)))


def _label(stage: _Stage, places: np.ndarray, owners: np.ndarray,
           numbers: list[int]) -> list[Person]:
    boxes, areas = stage.boxes(places, owners)
    keypoints = stage.keypoints(places, owners)
    return [Person(keypoints[n].astype(np.float32), owners == n, boxes[n], int(areas[n]),
                   stage.figures[n].height, stage.figures[n].body.pose, stage.figures[n].body.view)
            for n in numbers]


def _leave_out(stage: _Stage, places: np.ndarray, order: list[int]) -> tuple[list[int], np.ndarray]:
    """Return the order without persons of whom too little is seen, and the owners map."""
    while True:
        owners = stage.owners(places, order)
        hidden = np.flatnonzero(stage.hidden(stage.boxes(places, owners)[1]))
        rest = [number for number in order if number not in hidden]
        if len(rest) == len(order):
            return order, owners
        order = rest


def draw_crowd(settings: CrowdSettings, seed: int, index: int,
               split: str = 'train') -> tuple[np.ndarray, list[Person]]:
    """Draw one picture of a crowd; it depends on the arguments alone.

    Args:
        settings: A `CrowdSettings`.
        seed: Non-negative integer.
        index: Number of the picture in its split.
        split: 'train', 'val' or 'test': disjoint random streams of the same seed.

    Returns:
        The picture, (H, W, 3) uint8 BGR, and a list of `Person`, far to near.

    Raises:
        TypeError: If `settings` is no `CrowdSettings`.
        ValueError: If seed, index or split are not what is listed above.
    """
    if not isinstance(settings, CrowdSettings):
        raise TypeError(f'settings must be a CrowdSettings, got {type(settings).__name__}')
    check_stream(seed, index, split)
    rng = np.random.default_rng([seed, SPLITS[split], index])
    light = sample_light(rng)
    figures = _draw_people(rng, settings, rng.uniform(-5, 25), light)
    rows, horizon = _ground_rows(rng, figures, settings)
    order = np.argsort(rows, kind='stable').tolist()
    stage = _Stage(settings, [figure.layer for figure in figures], figures)
    places = _place(rng, stage, settings, rows, order)
    layers, spots, behind = _draw_objects(rng, settings, places, figures, light)
    for number, who in enumerate(behind, start=len(figures)):
        order.insert(order.index(who) + 1, number)
    stage = _Stage(settings, stage.layers + layers, figures)
    places = np.concatenate([places, *(spot[None] for spot in spots)])
    order, owners = _leave_out(stage, places, order)
    background = draw_background(rng, settings.size, horizon)
    picture = _compose(background, stage, places, order)
    if settings.photometric:
        picture = develop(rng, picture)
    return picture, _label(stage, places, owners, [n for n in order if n < len(figures)])
