"""Rendering of a label map: for every sample, the color of the shape that is seen there.

Labels are numbers of columns of a table as `shapes.draw_shapes` makes it; its rows are named there.
N stands for the number of samples, S for that of shapes.
"""

import numpy as np

from .shapes import (
    ACROSS_1,
    ACROSS_X,
    ACROSS_Y,
    ALONG_1,
    ALONG_X,
    ALONG_Y,
    BALL,
    BLUE,
    BLUE_2,
    CAP_LINE,
    CAP_NEAR,
    CAP_X,
    CAP_Y,
    CHECKS,
    CUT,
    DEEPER,
    DEPTH,
    GLOSS,
    GROWTH,
    NEAR,
    RADIUS,
    SHARPNESS,
    STRIPES,
    Drawing,
)

# ambient share, then the light's direction (right, down, near) times its strength
Light = tuple[float, float, float, float]
# so many samples at a time stay in the processor's cache
_BLOCK = 8192


def join_tables(drawings: list[Drawing], places: np.ndarray) -> np.ndarray:
    """Return the (27, S) table of all drawings, in the frame of their places.

    Args:
        drawings: List of `Drawing`.
        places: (len(drawings), 2) x, y of their origins.
    """
    tables = []
    for drawing, (x, y) in zip(drawings, places):
        table = drawing.table.copy()
        for row_x, row_y, row in ((ALONG_X, ALONG_Y, ALONG_1), (ACROSS_X, ACROSS_Y, ACROSS_1)):
            table[row] -= table[row_x] * x + table[row_y] * y
        tables.append(table)
    return np.concatenate(tables, 1)


class _Samples:
    """Hold where samples lie on their shapes: `t` along, `side` across, in shares."""

    def __init__(self, table: np.ndarray, labels: np.ndarray, x: np.ndarray, y: np.ndarray):
        self.table, self.labels, self.x, self.y = table, labels, x, y
        self.t = self._affine(ALONG_X)
        np.minimum(np.maximum(self.t, 0, out=self.t), 1, out=self.t)
        self.radius = self.look(GROWTH)
        self.radius *= self.t
        self.radius += self.look(RADIUS)
        self.side = self._affine(ACROSS_X)
        self.side /= self.radius
        np.minimum(np.maximum(self.side, -1, out=self.side), 1, out=self.side)

    def look(self, row: int, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the row's value for each sample, or for some of them."""
        return self.table[row].take(self.labels[some])

    def _affine(self, row: int) -> np.ndarray:
        value = self.look(row)
        value *= self.x
        part = self.look(row + 1)
        part *= self.y
        value += part
        value += self.look(row + 2)
        return value


def surface(table: np.ndarray, labels: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how near the surface of the labeled shape is at each sample, px.

    Args:
        table: (27, S), in the frame of the samples.
        labels: (N,) numbers of shapes.
        x: (N,) px.
        y: (N,) px.

    Returns:
        (N,) near.
    """
    at = _Samples(table, labels, x, y)
    depth = at.look(DEPTH)
    bulge = np.where(depth > 0, depth, at.radius) * np.sqrt(1 - at.side * at.side)
    return at.look(NEAR) + at.t * at.look(DEEPER) + bulge


def shade(
    table: np.ndarray, labels: np.ndarray, x: np.ndarray, y: np.ndarray, light: Light
) -> np.ndarray:
    """Return the color of the labeled shape at each sample.

    Args:
        table: (27, S), in the frame of the samples.
        labels: (N,) intp, numbers of shapes.
        x: (N,) float32, px.
        y: (N,) float32, px.
        light: Ambient share, then the light's direction (right, down, near) times its strength.

    Returns:
        (3, N) float32 BGR, 0 or more; may exceed 255.
    """
    colors = np.empty((3, len(labels)), np.float32)
    if not len(labels):
        return colors
    table = np.concatenate([table, _light_rows(table, light)])
    for start in range(0, len(labels), _BLOCK):
        part = slice(start, start + _BLOCK)
        _shade_block(_Samples(table, labels[part], x[part], y[part]), light, colors[:, part])
    return colors


def _light_rows(table: np.ndarray, light: Light) -> np.ndarray:
    """Return (4, S) for each shape: the light and the pattern.

    How the light depends on the surface's share toward the camera and across; its constant part;
    and whether the shape has a pattern, 1 or 2 of stripes and checks.
    """
    _, right, down, forward = light
    gloss = table[GLOSS]
    return np.stack(
        [
            forward * gloss,
            (table[ACROSS_X] * right + table[ACROSS_Y] * down) * gloss,
            forward * (1 - gloss),
            (table[STRIPES] > 0) + 2.0 * (table[CHECKS] > 0),
        ]
    )


def _shade_block(at: _Samples, light: Light, colors: np.ndarray) -> None:
    """Write the colors of some samples."""
    rows = len(at.table) - 4
    lit = at.side * at.side
    np.subtract(1, lit, out=lit)
    np.sqrt(lit, out=lit)
    lit *= at.look(rows)
    slant = at.look(rows + 1)
    slant *= at.side
    lit += slant
    lit += at.look(rows + 2)
    share = at.t - at.look(CUT)
    share *= at.look(SHARPNESS)
    share += 0.5
    patterned = np.flatnonzero(at.look(rows + 3))
    if len(patterned):
        share[patterned] = _pattern(at, patterned)
    balls = np.flatnonzero(at.look(BALL))
    if len(balls):
        lit[balls], share[balls] = _ball(at, balls, light)
    np.maximum(lit, 0, out=lit)
    lit += light[0]
    np.minimum(np.maximum(share, 0, out=share), 1, out=share)
    for channel in range(3):
        first, second = at.look(BLUE + channel), at.look(BLUE_2 + channel)
        second -= first
        second *= share
        second += first
        np.multiply(second, lit, out=colors[channel])


def _pattern(at: _Samples, some: np.ndarray) -> np.ndarray:
    """Return the share of the second color of striped and checkered shapes."""
    stripes, checks = at.look(STRIPES, some), at.look(CHECKS, some)
    # sharp enough for an edge, and both together make a check
    along = np.sin(at.t[some] * (2 * np.pi * stripes)) * (stripes > 0)
    across = np.sin(at.side[some] * (np.pi * checks)) * (checks > 0)
    return np.where((stripes > 0) & (checks > 0), along * across, along + across) * 4 + 0.5


def _ball(at: _Samples, some: np.ndarray, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Return light and share of the second color of shapes that are lit as balls."""
    t, radius, x, y = at.t[some], at.radius[some], at.x[some], at.y[some]
    look = at.table[:, at.labels[some]]
    # along the axis, only what reaches beyond its ends counts
    beyond = look[ALONG_X] * x + look[ALONG_Y] * y + look[ALONG_1] - t
    beyond /= np.hypot(look[ALONG_X], look[ALONG_Y]) * radius
    across = at.side[some]
    u = look[ACROSS_X] * across + look[ACROSS_Y] * beyond
    v = look[ACROSS_Y] * across - look[ACROSS_X] * beyond
    scale = 1 / np.maximum(np.hypot(u, v), 1)
    u, v = u * scale, v * scale
    near = np.sqrt(np.maximum(1 - u * u - v * v, 0))
    _, right, down, forward = light
    cap = u * look[CAP_X] + v * look[CAP_Y] + near * look[CAP_NEAR] - look[CAP_LINE]
    return u * right + v * down + near * forward, cap * 8 + 0.5
