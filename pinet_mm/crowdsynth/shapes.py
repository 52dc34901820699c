"""Shaded shapes: tapered limbs and hulls, painted over one another into a layer.

Coordinates are layer pixels, integers at pixel centres, x to the right and y down; `near` grows
towards the camera, in pixels too. Colours are BGR in 0..255.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# ambient share, then the light's direction (right, down, near) times its strength
Light = tuple[float, float, float, float]
# coverage, place along the axis, signed distance from it; the distance's direction
Field = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]
# coverage and light, (h, w) each, and the unlit colour, (3, h, w) or (3, 1, 1)
Paint = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Shape:
    """Hold one body part or object part.

    Args:
        ends: (2, 3) x, y, near of the axis' two ends.
        radii: Half widths at the two ends, px.
        colours: Two BGR colours, one on each side of `cut`.
        cut: Share of the axis where the second colour begins.
        key: Depth by which shapes are painted, far to near.
        name: Number that the layer's part map holds where this shape is seen.
        hulls: (V, 2) convex outlines; without any, the shape is the limb around the axis.
        stripes: Number of stripes of the second colour along the axis, 0 for none.
        cap: Direction (right, down, near) and cosine of the cap of the second colour, or none.
        gloss: 1 shades the shape as round, 0 leaves it flat.
        depth: Half thickness towards the camera, px; 0 takes the radii.
    """

    ends: np.ndarray
    radii: tuple[float, float]
    colours: tuple[np.ndarray, np.ndarray]
    cut: float = 2.0
    key: float = 0.0
    name: int = 0
    hulls: tuple[np.ndarray, ...] = ()
    stripes: int = 0
    cap: tuple = ()
    gloss: float = 1.0
    depth: float = 0.0

    def bounds(self) -> tuple:
        """Return the lowest and highest x, y that the shape reaches, (2,) each."""
        if self.hulls:
            corners = np.concatenate(self.hulls)
            return corners.min(0), corners.max(0)
        (ax, ay, _), (bx, by, _) = self.ends.tolist()
        a, b = self.radii
        return ((min(ax - a, bx - b), min(ay - a, by - b)),
                (max(ax + a, bx + b), max(ay + a, by + b)))


@dataclass(frozen=True)
class Layer:
    """Hold painted shapes: what is seen of one person or object before others cover it.

    Args:
        paint: (4, H, W) float32, BGR already multiplied with the coverage, then the coverage.
        parts: (H, W) uint8, the name of the shape on top; 255 outside.
        solid: (H, W) bool, where `parts` names a shape.
        origin: x, y of the layer's first pixel.
    """

    paint: np.ndarray
    parts: np.ndarray
    solid: np.ndarray
    origin: tuple[int, int]


def _unit_range(values: np.ndarray) -> np.ndarray:
    """Return the array clipped to [0, 1], in place; np.clip costs thrice as much on small ones."""
    return np.minimum(np.maximum(values, 0, out=values), 1, out=values)


def _axis(shape: Shape) -> tuple[list[float], float, float, float]:
    """Return the axis' start, unit direction x, y, and length, px; a point's axis runs right."""
    start, (bx, by) = shape.ends[:, :2].tolist()
    dx, dy = bx - start[0], by - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    if length < 1e-3:
        return start, 1.0, 0.0, 1e-3
    return start, dx / length, dy / length, length


def _limb_field(shape: Shape, x: np.ndarray, y: np.ndarray) -> Field:
    """Describe the set of points that are closer to the axis than the radius there.

    Returns:
        Coverage; place t along the axis, in [0, 1]; signed distance from the axis as a share of
        the radius, in [-1, 1] where covered: (h, w) each; and the distance's direction x, y.
    """
    (ax, ay), right, down, length = _axis(shape)
    x, y = x - ax, y - ay
    beyond = x * (right / length) + y * (down / length)
    across = x * -down + y * right
    t = np.maximum(beyond, 0)
    np.minimum(t, 1, out=t)
    radius = t * (shape.radii[1] - shape.radii[0])
    radius += shape.radii[0]
    # beyond the ends of the axis, distance has a part along it too
    beyond -= t
    beyond *= length
    cover = radius - cv2.magnitude(across, beyond)
    cover += 0.5
    across /= np.maximum(radius, 0.1, out=radius)
    return _unit_range(cover), t, across, (-down, right)


def _hull_field(shape: Shape, x: np.ndarray, y: np.ndarray) -> Field:
    """Return the same as `_limb_field` for the union of the shape's convex outlines."""
    mask = np.zeros((y.size, x.size), np.uint8)
    offset = np.array([x[0, 0], y[0, 0]])
    for hull in shape.hulls:
        corners = np.rint((hull - offset) * 16).astype(np.int32)
        cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_AA, 4)
    (ax, ay), right, down, length = _axis(shape)
    x, y = x - ax, y - ay
    t = _unit_range((x * right + y * down) * (1 / length))
    side = (x * -down + y * right) * (1 / max(*shape.radii, 1e-3))
    side = np.minimum(np.maximum(side, -0.96), 0.96)
    return mask * np.float32(1 / 255), t, side, (-down, right)


def _tint(shape: Shape, t: np.ndarray) -> np.ndarray:
    """Return the (3, h, w) or (3, 1, 1) colour of the shape before lighting."""
    if shape.stripes:
        share = _unit_range(np.sin(t * (2 * np.pi * shape.stripes)) * 4 + 0.5)
    elif 0 < shape.cut < 1:
        share = _unit_range((t - shape.cut) * 30 + 0.5)
    else:
        return shape.colours[shape.cut <= 0].astype(np.float32)[:, None, None]
    first, second = (colour.astype(np.float32)[:, None, None] for colour in shape.colours)
    return first + share * (second - first)


def _cylinder(shape: Shape, x: np.ndarray, y: np.ndarray, light: Light) -> Paint:
    """Return coverage, light and colour of a shape lit as a cylinder: limbs join seamlessly."""
    field = _hull_field if shape.hulls else _limb_field
    cover, t, side, (across_x, across_y) = field(shape, x, y)
    ambient, right, down, forward = light
    # in place, as the time goes into fresh memory rather than into arithmetic
    lit = side * side
    np.subtract(1, lit, out=lit)
    np.sqrt(np.maximum(lit, 0, out=lit), out=lit)
    lit *= forward * shape.gloss
    side *= (across_x * right + across_y * down) * shape.gloss
    lit += side
    lit += forward * (1 - shape.gloss)
    np.maximum(lit, 0, out=lit)
    lit += ambient
    return cover, lit, _tint(shape, t)


def _ball(shape: Shape, x: np.ndarray, y: np.ndarray, light: Light) -> Paint:
    """Return coverage, light and colour of a limb lit as a ball, with its cap."""
    (ax, ay), (dx, dy) = shape.ends[0, :2].tolist(), (shape.ends[1] - shape.ends[0])[:2].tolist()
    _, t, _, _ = _limb_field(shape, x, y)
    radius = t * (shape.radii[1] - shape.radii[0]) + shape.radii[0]
    u, v = x - ax - t * dx, y - ay - t * dy
    distance = cv2.magnitude(u, v)
    scale = 1 / np.maximum(np.maximum(radius, distance), 0.1)
    u, v = u * scale, v * scale
    near = np.sqrt(np.maximum(1 - u * u - v * v, 0))
    ambient, right, down, forward = light
    lit = np.maximum(u * right + v * down + near * forward, 0) + ambient
    (cap_x, cap_y, cap_near), line = shape.cap
    share = _unit_range((u * cap_x + v * cap_y + near * cap_near - line) * 8 + 0.5)
    first, second = (np.asarray(colour, np.float32)[:, None, None] for colour in shape.colours)
    return _unit_range(radius - distance + 0.5), lit, first + share * (second - first)


def _paint(shape: Shape, bounds: list, origin: Sequence[int], paint: np.ndarray, parts: np.ndarray,
           light: Light) -> None:
    """Paint one shape over what the arrays hold, inside the shape's bounds only."""
    (x0, y0), (x1, y1) = bounds
    left, top = origin
    x = np.arange(x0, x1, dtype=np.float32)[None]
    y = np.arange(y0, y1, dtype=np.float32)[:, None]
    cover, lit, tint = (_ball if shape.cap else _cylinder)(shape, x, y, light)
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    canvas = paint[(slice(None), *inside)]
    canvas *= 1 - cover
    lit *= cover
    canvas[:3] += tint * lit
    canvas[3] += cover
    parts[inside][cover >= 0.5] = shape.name


def paint_layer(shapes: list[Shape], light: Light) -> Layer:
    """Paint shapes, far to near, into the smallest layer that holds them.

    Args:
        shapes: List of `Shape`, in any order.
        light: Ambient share, then the light's direction (right, down, near) times its strength.

    Returns:
        A `Layer` whose origin is in the frame of the shapes' coordinates.
    """
    reach = np.array([shape.bounds() for shape in shapes])
    bounds = np.stack([np.floor(reach[:, 0]) - 1, np.ceil(reach[:, 1]) + 2], 1).astype(int)
    origin = bounds[:, 0].min(0).tolist()
    width, height = (bounds[:, 1].max(0) - origin).tolist()
    # colour planes come first: numpy then runs along rows, three times as fast as along pixels
    paint = np.zeros((4, height, width), np.float32)
    parts = np.full((height, width), 255, np.uint8)
    bounds = bounds.tolist()
    for number in sorted(range(len(shapes)), key=lambda number: shapes[number].key):
        _paint(shapes[number], bounds[number], origin, paint, parts, light)
    return Layer(paint, parts, parts != 255, tuple(origin))
