"""Everything but the people: backgrounds, occluding objects, lighting and the camera's faults."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np
from numpy.random import Generator

from .outfits import random_color
from .shading import Light
from .shapes import Drawing, Shape, draw_shapes

# standard normal quantile of every byte: with it a table turns random bytes into noise
_NORMAL = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)], np.float32)


def sample_light(rng: Generator) -> Light:
    """Draw the light as `shade` takes it: ambient, then direction times strength."""
    direction = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.8, 0.1), 1.0])
    ambient = rng.uniform(0.3, 0.6)
    return (ambient, *(direction / np.linalg.norm(direction) * (1.08 - ambient)).tolist())


def _clouds(rng: Generator, size: tuple[int, int]) -> np.ndarray:
    """Return (H, W, 3) float32 random texture, coarse and fine, zero on average."""
    texture = np.zeros((5, 5, 3), np.float32)
    for cells, strength in ((5, 16), (24, 10), (90, 5)):
        if cells * 2 > size[0]:
            break
        grain = rng.normal(0, 1, (cells, cells, 1)) + rng.normal(0, 0.25, (cells, cells, 3))
        grain = (grain * (strength * rng.uniform(0.2, 1.2))).astype(np.float32)
        texture = cv2.resize(texture, (cells, cells), interpolation=cv2.INTER_LINEAR) + grain
    return cv2.resize(texture, size, interpolation=cv2.INTER_LINEAR)


def draw_background(rng: Generator, size: tuple[int, int], horizon: float) -> np.ndarray:
    """Draw a wall or sky above a ground, with clutter.

    Args:
        rng: A numpy random generator.
        size: (w, h) px.
        horizon: Row where the ground begins, px; may lie outside.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    width, height = size
    above, below = random_color(rng, 0.55), random_color(rng, 0.45)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    image = np.where(np.arange(height)[:, None, None] < horizon, above, below)
    image = np.clip(image * (1 + rng.uniform(-0.25, 0.25) * rows), 0, 255)
    # bytes, as OpenCV smooths edges in bytes only
    image = cv2.resize(image.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    for _ in range(rng.integers(0, 9)):
        _draw_block(rng, image, horizon)
    return cv2.add(image, _clouds(rng, size), dtype=cv2.CV_8U)


def _draw_block(rng: Generator, image: np.ndarray, horizon: float) -> None:
    """Draw a building, window, post or stain: a rectangle, ellipse or line of clutter."""
    height, width = image.shape[:2]
    color = random_color(rng, 0.7).tolist()
    center = (int(rng.uniform(0, width)), int(np.clip(rng.normal(horizon, height / 4), 0, height)))
    half = (rng.uniform(0.02, 0.2, 2) * (width, height)).astype(int) + 1
    kind = rng.integers(3)
    if kind == 0:
        corners = np.array(center) - half, np.array(center) + half
        cv2.rectangle(image, *(tuple(map(int, corner)) for corner in corners), color, -1)
    elif kind == 1:
        cv2.ellipse(
            image,
            center,
            tuple(map(int, half)),
            rng.uniform(0, 180),
            0,
            360,
            color,
            -1,
            cv2.LINE_AA,
        )
    else:
        end = (int(center[0] + rng.normal(0, width / 3)), int(rng.uniform(0, height)))
        cv2.line(image, center, end, color, int(1 + half[0] // 6), cv2.LINE_AA)


def draw_shadow(image: np.ndarray, foot: np.ndarray, height: float) -> None:
    """Darken the ground under a person, in place.

    Args:
        image: (H, W, 3) uint8.
        foot: x, y where the person touches the ground, px.
        height: The person's upright height, px.
    """
    half = np.array([0.16, 0.035]) * height
    low = np.maximum(np.floor(foot - half).astype(int), 0)
    high = np.minimum(np.ceil(foot + half).astype(int) + 1, image.shape[1::-1])
    if (low >= high).any():
        return
    x = (np.arange(low[0], high[0], dtype=np.float32)[None] - float(foot[0])) / float(half[0])
    y = (np.arange(low[1], high[1], dtype=np.float32)[:, None] - float(foot[1])) / float(half[1])
    inside = image[low[1] : high[1], low[0] : high[0]]
    inside[:] = inside * (1 - 0.55 * np.maximum(1 - x * x - y * y, 0))[..., None]


def _limb_shape(
    start: Sequence[float],
    end: Sequence[float],
    radii: Sequence[float],
    color: np.ndarray,
    key: float = 0.0,
    cap: tuple = (),
) -> Shape:
    ends = (*start, 0.0), (*end, 0.0)
    return Shape(ends, tuple(radii), (color, color * 1.3), key=key, cap=cap)


def _post(rng: Generator, unit: float) -> list[Shape]:
    thin = rng.uniform(0.015, 0.04) * unit
    return [
        _limb_shape((0, 0), (0, -rng.uniform(0.5, 1.6) * unit), (thin, thin), random_color(rng))
    ]


def _bush(rng: Generator, unit: float) -> list[Shape]:
    color = random_color(rng, 0.5) * [0.5, 0.9, 0.6]
    places = rng.normal(0, 0.13, (10, 2)) * unit - (0, 0.2 * unit)
    return [
        _limb_shape(
            place,
            place,
            [rng.uniform(0.06, 0.13) * unit] * 2,
            color * rng.uniform(0.7, 1.2),
            key,
            ((0.2, -0.6, 0.75), 0.9),
        )
        for key, place in enumerate(places.tolist())
    ]


def _fence(rng: Generator, unit: float) -> list[Shape]:
    color, half, top = random_color(rng), rng.uniform(0.2, 0.5) * unit, -0.4 * unit
    thin = [0.018 * unit] * 2
    posts = [_limb_shape((x, 0), (x, top), thin, color * 0.9) for x in (-half, 0, half)]
    return posts + [
        _limb_shape((-half, share * top), (half, share * top), thin, color, 1.0)
        for share in (0.4, 1.0)
    ]


def _crate(rng: Generator, unit: float) -> list[Shape]:
    half, top = rng.uniform(0.1, 0.22) * unit, -rng.uniform(0.2, 0.45) * unit
    corners = np.array([[-half, 0], [half, 0], [half, top], [-half, top]])
    ends = ((0.0, 0.0, 0.0), (0.0, top, 0.0))
    colors = random_color(rng), random_color(rng)
    return [
        Shape(
            ends,
            (half, half),
            colors,
            hulls=(corners,),
            gloss=0.2,
            stripes=int(rng.integers(0, 3)),
        )
    ]


_OBJECTS = (_post, _bush, _fence, _crate)


def draw_object(rng: Generator, unit: float) -> Drawing:
    """Draw an occluding object that stands on the point (0, 0).

    Args:
        rng: A numpy random generator.
        unit: Height that a person would have in its place, px.

    Returns:
        A `Drawing`.
    """
    return draw_shapes(_OBJECTS[rng.integers(len(_OBJECTS))](rng, unit))


@dataclass(frozen=True)
class Camera:
    """Hold the faults of a camera.

    Args:
        table: (1, 256, 3) uint8, exposure, color cast and contrast.
        sigma: Standard deviation of the blur, px.
        grain: (1, 256) int16, noise of each random byte.
    """

    table: np.ndarray
    sigma: float
    grain: np.ndarray


def sample_camera(rng: Generator, rows: int) -> Camera:
    """Draw a camera's faults.

    Args:
        rng: A numpy random generator.
        rows: Height of its images, px.
    """
    gain = np.clip(rng.normal(1, 0.14), 0.65, 1.35) * rng.normal(1, 0.04, 3)
    gamma = np.exp(rng.normal(0, 0.15))
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain
    levels = (levels - 0.5) * np.clip(rng.normal(1, 0.12), 0.7, 1.3) + 0.5
    table = np.clip(levels * 255, 0, 255).astype(np.uint8)[None]
    sigma = max(rng.normal(0.3, 0.4), 0.0) * max(rows / 256, 0.7)
    grain = np.rint(_NORMAL * abs(rng.normal(0, 4.5))).astype(np.int16)[None]
    return Camera(table, sigma, grain)


def develop(rng: Generator, image: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the image as a camera takes it.

    Args:
        rng: A numpy random generator, for the noise.
        image: (H, W, 3) uint8.
        camera: A `Camera`.

    Returns:
        (H, W, 3) uint8.
    """
    image = cv2.LUT(image, camera.table)
    if camera.sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), camera.sigma)
    noise = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    return cv2.add(image, cv2.LUT(noise, camera.grain), dtype=cv2.CV_8U)
