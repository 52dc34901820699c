"""Shapes of bodies and objects: tapered limbs and hulls, their outlines and a table of their looks.

Coordinates are pixels relative to the point where a figure touches the ground, integers at pixel
centers, x to the right and y down; `near` grows toward the camera, in pixels too. Colors are BGR
in 0..255. S stands for the number of shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# rows of a drawing's table: place along the axis and distance across it, as affine functions of
# x and y; radius at the axis' start and its growth along it
(
    ALONG_X,
    ALONG_Y,
    ALONG_1,
    ACROSS_X,
    ACROSS_Y,
    ACROSS_1,
    RADIUS,
    GROWTH,
    GLOSS,
    CUT,
    SHARPNESS,
    STRIPES,
    CHECKS,
    NEAR,
    DEEPER,
    DEPTH,
    BALL,
    CAP_X,
    CAP_Y,
    CAP_NEAR,
    CAP_LINE,
    BLUE,
    GREEN,
    RED,
    BLUE_2,
    GREEN_2,
    RED_2,
) = range(27)
_ROWS = 27
# corners of the half circle at each end of a limb
_ARC = np.linspace(0, 1, 9)
# by so much a disc is larger than the polygon of these corners
_ROUND = (np.pi / 8 / np.sin(np.pi / 8)) ** 0.5
# OpenCV fills the pixels that an outline touches: half a pixel of the twofold image too many
_SHRINK = 0.25


@dataclass(frozen=True)
class Shape:
    """Hold one body part or object part.

    Args:
        ends: x, y, near of the axis' two ends.
        radii: Half widths at the two ends, px.
        colors: Two BGR colors, one on each side of `cut`.
        cut: Share of the axis where the second color begins.
        key: Depth by which shapes are painted, far to near.
        hulls: (V, 2) convex outlines; without any, the shape is the limb around the axis.
        stripes: Number of stripes of the second color along the axis, 0 for none.
        checks: Number of stripes of the second color across the axis, 0 for none.
        cap: Direction (right, down, near) and cosine of the cap of the second color, or none; a
            shape with a cap is lit as a ball.
        gloss: 1 shades the shape as round, 0 leaves it flat.
        depth: Half thickness toward the camera, px; 0 takes the radii.
    """

    ends: Sequence[Sequence[float]]
    radii: tuple[float, float]
    colors: tuple[np.ndarray, np.ndarray]
    cut: float = 2.0
    key: float = 0.0
    hulls: tuple[np.ndarray, ...] = ()
    stripes: int = 0
    checks: int = 0
    cap: tuple = ()
    gloss: float = 1.0
    depth: float = 0.0


@dataclass(frozen=True)
class Drawing:
    """Hold what is needed to draw the shapes of one person or object, far to near.

    Args:
        corners: (P, 2) float32, the corners of all outlines, one after another.
        outlines: First and last corner (exclusive) and number of the shape, per outline.
        table: (27, S) float32, the looks of the shapes; the rows are named in this module.
    """

    corners: np.ndarray
    outlines: list[tuple[int, int, int]]
    table: np.ndarray

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and highest x, y that the outlines reach, (2,) each."""
        return self.corners.min(0), self.corners.max(0)


def _axes(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the (S, 2) unit directions and (S,) lengths of axes; a point's axis runs right."""
    along = ends[:, 1, :2] - ends[:, 0, :2]
    lengths = np.hypot(along[:, 0], along[:, 1])
    short = lengths < 1e-3
    lengths[short] = 1e-3
    along[short] = (1e-3, 0)
    return along / lengths[:, None], lengths


def _limb_outlines(
    ends: np.ndarray, radii: np.ndarray, along: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Return (S, 18, 2) outlines: two arcs and their common tangents."""
    radii = np.maximum(radii * _ROUND - _SHRINK, 0.1)
    # the tangents touch both circles at this angle from the axis
    angle = np.arccos(np.clip((radii[:, 0] - radii[:, 1]) / lengths, -1, 1))[:, None]
    turns = np.concatenate([angle + (2 * np.pi - 2 * angle) * _ARC, (2 * _ARC - 1) * angle], 1)
    reach = np.repeat(radii, len(_ARC), axis=1)
    right, down = reach * np.cos(turns), reach * np.sin(turns)
    x, y = along[:, :1], along[:, 1:]
    start = np.repeat(ends[..., :2], len(_ARC), axis=1)
    return start + np.stack([right * x - down * y, right * y + down * x], -1)


def _looks(
    shapes: list[Shape], ends: np.ndarray, radii: np.ndarray, along: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Return the (27, S) table of a drawing."""
    table = np.empty((_ROWS, len(shapes)), np.float32)
    (x, y), start = along.T, ends[:, 0]
    table[:ACROSS_X] = x / lengths, y / lengths, -(start[:, :2] * along).sum(1) / lengths
    table[ACROSS_X:RADIUS] = -y, x, start[:, 0] * y - start[:, 1] * x
    # a hull is as wide as its widest place
    flat = np.array([bool(shape.hulls) for shape in shapes])
    table[RADIUS] = np.maximum(np.where(flat, radii.max(1), radii[:, 0]), 0.1)
    table[GROWTH] = np.where(flat, 0, radii[:, 1] - radii[:, 0])
    table[GLOSS:NEAR] = np.array(
        [
            (shape.gloss, shape.cut if shape.cut > 0 else -1.0, 0.0, shape.stripes, shape.checks)
            for shape in shapes
        ]
    ).T
    table[SHARPNESS] = np.maximum(lengths, 4)  # a cut is a pixel wide
    table[NEAR], table[DEEPER] = start[:, 2], ends[:, 1, 2] - start[:, 2]
    table[DEPTH] = [shape.depth for shape in shapes]
    caps = [(1, *shape.cap[0], shape.cap[1]) if shape.cap else (0,) * 5 for shape in shapes]
    table[BALL:BLUE] = np.array(caps).T
    table[BLUE:] = np.array([shape.colors for shape in shapes]).reshape(len(shapes), 6).T
    return table


def draw_shapes(shapes: list[Shape]) -> Drawing:
    """Make a `Drawing` of shapes.

    Args:
        shapes: List of `Shape`, in any order.

    Returns:
        A `Drawing` whose shapes stand in the order of their keys.
    """
    shapes = sorted(shapes, key=lambda shape: shape.key)
    ends = np.array([shape.ends for shape in shapes], float)
    radii = np.array([shape.radii for shape in shapes], float)
    along, lengths = _axes(ends)
    limbs = _limb_outlines(ends, radii, along, lengths)
    corners, outlines, count = [], [], 0
    for number, shape in enumerate(shapes):
        for outline in shape.hulls or (limbs[number],):
            corners.append(outline)
            outlines.append((count, count + len(outline), number))
            count += len(outline)
    table = _looks(shapes, ends, radii, along, lengths)
    return Drawing(np.concatenate(corners).astype(np.float32), outlines, table)


def stamp(
    canvas: np.ndarray,
    drawing: Drawing,
    place: Sequence[float],
    scale: Sequence[float],
    first: int | None = None,
) -> None:
    """Fill the outlines of a drawing, in place.

    Args:
        canvas: (H, W) uint8 or uint16.
        drawing: A `Drawing`.
        place: x, y of the drawing's origin on the canvas; with pixel centers at integers.
        scale: Canvas pixels per pixel of the drawing, (x, y).
        first: Value of the first shape, the others count on; without it, all are filled with 1.
    """
    fixed = np.rint(
        (drawing.corners * np.array(scale, np.float32) + np.array(place, np.float32)) * 16
    ).astype(np.int32)
    for start, stop, number in drawing.outlines:
        value = 1 if first is None else first + number
        cv2.fillConvexPoly(canvas, fixed[start:stop], value, cv2.LINE_8, 4)
