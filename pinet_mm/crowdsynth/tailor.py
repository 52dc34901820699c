"""Limbs and hulls of one body, from its camera frame to shapes in pixels."""

from collections.abc import Sequence
from math import hypot

import cv2
import numpy as np

from .bodies import Body
from .outfits import Outfit
from .shapes import Shape

_RING = np.linspace(0, 2 * np.pi, 12, endpoint=False)[:, None]
_COSINES, _SINES = np.cos(_RING), np.sin(_RING)


class Tailor:
    """Collect the shapes of one body in pixels relative to its ground contact.

    Args:
        body: A `Body`.
        outfit: An `Outfit`.
        height: Upright height, px.
        shift: Part of a pixel, (x, y), by which the person is moved.
    """

    def __init__(self, body: Body, outfit: Outfit, height: float, shift: np.ndarray):
        self.body, self.outfit, self.height = body, outfit, height
        lowest = max(joint[1] for joint in body.joints_cam.values())
        self.offset = np.array([shift[0], shift[1] - lowest * height, 0.0])
        points = np.array(list(body.joints_cam.values())) * height + self.offset
        self.points = dict(zip(body.joints_cam, points.tolist()))
        self.shapes = []

    def point(self, joint_cam: str | np.ndarray) -> list[float]:
        """Return x, y, near in px of a joint (or of its name), unit camera frame."""
        if isinstance(joint_cam, str):
            return self.points[joint_cam]
        return (joint_cam * self.height + self.offset).tolist()

    def limb(
        self,
        ends: Sequence,
        radii: Sequence[float],
        colors: tuple,
        bias: float = 0.0,
        key: float | None = None,
        **look: object,
    ) -> None:
        """Add a limb; `bias` moves it to the front in the painting order, unit lengths.

        `key`, px, replaces the mean depth in that order.
        """
        ends = self.point(ends[0]), self.point(ends[1])
        radii = tuple(radius * self.height for radius in radii)
        key = (ends[0][2] + ends[1][2]) / 2 if key is None else key
        self._add(ends, radii, colors, key + bias * self.height, look)

    def hull(
        self,
        rings: np.ndarray,
        ends: Sequence,
        colors: tuple,
        bias: float = 0.0,
        key: float | None = None,
        **look: object,
    ) -> None:
        """Add the union of the convex hulls of consecutive rings of camera-frame points.

        `rings` are (R, V, 3): V points on each of R rings.
        """
        rings = rings * self.height + self.offset
        flat = rings[..., :2].astype(np.float32)
        hulls = tuple(
            cv2.convexHull(flat[place : place + 2].reshape(-1, 2))[:, 0]
            for place in range(len(rings) - 1)
        )
        ends = self.point(ends[0]), self.point(ends[1])
        (x, y, near), (x2, y2, near2) = ends
        length = max(hypot(x2 - x, y2 - y), 1e-3)
        across = (rings[..., 0] - x) * ((y - y2) / length) + (rings[..., 1] - y) * (
            (x2 - x) / length
        )
        radius = float(np.abs(across).max())
        depths = rings[len(rings) // 2, :, 2]
        key = (near + near2) / 2 if key is None else key
        self._add(
            ends,
            (radius, radius),
            colors,
            key + bias * self.height,
            dict(look, hulls=hulls, depth=float(depths.max() - depths.min()) / 2),
        )

    def _add(
        self, ends: Sequence, radii: Sequence[float], colors: tuple, key: float, look: dict
    ) -> None:
        self.shapes.append(Shape(ends, radii, colors, key=key, **look))


def rings_of(
    sections: Sequence[tuple], frame_cam: np.ndarray, start: np.ndarray, unit: float
) -> np.ndarray:
    """Return (R, 12, 3) camera-frame points around the trunk's or the pelvis' cross-sections."""
    place, width, depth = np.array(sections, float).T[:, :, None, None]
    left, up, forward = frame_cam.T
    return start + up * (place * unit) + width * _COSINES * left + depth * _SINES * forward
