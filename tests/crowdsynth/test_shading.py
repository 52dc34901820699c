"""Limbs of the synthetic crowd: area, brightness, colors."""

from pinet_mm.crowdsynth.shading import join_tables, shade, surface
from pinet_mm.crowdsynth.shapes import Shape, draw_shapes, stamp

import numpy as np
import pytest

# ---- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'end, radii, area',
    [
        ((0, 0), (9, 9), np.pi * 81),  # a point's limb is a disc
        ((30, 40), (9, 9), np.pi * 81 + 18 * 50),  # two half discs and a bar
        # two discs and their outer tangents, which stand at acos(5 / 14) from the axis
        ((14, 0), (10, 5), 100 * (np.pi - 1.20559) + 25 * 1.20559 + 15 * (14**2 - 5**2) ** 0.5),
        ((60, 0), (10, 5), np.pi * (100 + 25) / 2 + 15 * 60),
    ],
)
def test_a_limb_covers_the_area_of_its_outline(end, radii, area):
    ends = ((3.3, 2.7, 0), (3.3 + end[0], 2.7 + end[1], 0))
    drawing = draw_shapes([Shape(ends, radii, (np.full(3, 200.0), np.full(3, 200.0)))])
    canvas = np.zeros((200, 200), np.uint8)
    stamp(canvas, drawing, (60.5, 60.5), (2, 2))
    assert canvas.sum() / 4 == pytest.approx(area, rel=0.02)


def test_a_limb_is_brightest_on_its_axis_and_later_shapes_cover_it():
    white, black = (np.full(3, 255.0),) * 2, (np.zeros(3),) * 2
    drawing = draw_shapes(
        [
            Shape(((0, 0, 0), (0, 0, 0)), (2, 2), black, key=1),
            Shape(((0, 0, 0), (20, 0, 0)), (6, 6), white),
        ]
    )
    canvas = np.full((32, 48), 9, np.uint16)
    stamp(canvas, drawing, (10, 16), (1, 1), first=3)
    assert canvas[16, [10, 22, 45]].tolist() == [4, 3, 9]
    table = join_tables([drawing], np.array([[10, 16]]))
    y = np.arange(11, 22, dtype=np.float32)
    profile = shade(table, np.zeros(11, int), np.full(11, 22, np.float32), y, (0.2, 0, 0, 0.8))[0]
    assert profile.argmax() == 5 and profile[5] == pytest.approx(255)
    assert profile[2] == pytest.approx(255 * (0.2 + 0.8 * 0.75**0.5), abs=0.1)
    # light from the right leaves a limb that runs right without its slant
    slanted = shade(table, np.zeros(11, int), np.full(11, 22, np.float32), y, (0.2, 0.8, 0, 0))
    assert slanted == pytest.approx(255 * 0.2, abs=0.1)


def test_two_colors_meet_at_the_cut_and_stripes_alternate():
    black, white = np.zeros(3), np.full(3, 100.0)
    axis = ((0, 0, 0), (40, 0, 0))
    drawing = draw_shapes(
        [
            Shape(axis, (6, 6), (black, white), cut=0.25),
            Shape(axis, (6, 6), (black, white), cut=0.0, key=1),
            Shape(axis, (6, 6), (black, white), stripes=2, key=2),
        ]
    )
    x = np.array([5, 9, 11, 35] * 3, np.float32)
    labels = np.repeat(np.arange(3), 4)
    found = shade(drawing.table, labels, x, np.zeros(12, np.float32), (1, 0, 0, 0))[0]
    # a stripe of 10 px has the second color, the next the first
    assert found.tolist() == [0, 0, 100, 100] + [100] * 4 + [100, 100, 0, 0]


def test_the_surface_bulges_towards_the_camera():
    ends = ((0, 0, 10), (20, 0, 30))
    drawing = draw_shapes([Shape(ends, (6, 6), (np.zeros(3),) * 2)])
    near = surface(drawing.table, np.zeros(3, int), np.array([0, 10, 10.0]), np.array([0, 0, 3.0]))
    assert near == pytest.approx([16, 26, 20 + 27**0.5], abs=1e-4)
