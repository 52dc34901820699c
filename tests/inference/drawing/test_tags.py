"""Tags: above the person's highest keypoint, within the image, none over another."""

from pinet_mm.inference.drawing import skeletons
from pinet_mm.inference.drawing.skeletons import Style, draw_people
from pinet_mm.inference.drawing.tags import place_boxes

import numpy as np
import pytest


def overlaps(corners, sizes):
    """Pairs of boxes that share a pixel, by painting them."""
    canvas = np.zeros((400, 400), int)
    for (x, y), (w, h) in zip(corners, sizes):
        canvas[y : y + h + 1, x : x + w + 1] += 1
    return canvas.max() > 1


def test_boxes_that_do_not_meet_stay_where_they_are_wanted():
    wanted, sizes = np.array([[10, 20], [100, 20], [10, 60]]), np.array([[40, 15]] * 3)
    np.testing.assert_array_equal(place_boxes(wanted, sizes, (400, 400)), wanted)


def test_boxes_wanted_at_one_place_stand_around_it():
    sizes = np.array([[40, 15]] * 20)
    corners = place_boxes(np.full((20, 2), 200.4), sizes, (400, 400))
    assert corners[0].tolist() == [200, 200] and not overlaps(corners, sizes)
    # The second finds room a row above, the third below: both nearer than beside the first.
    assert corners[1:3].tolist() == [[200, 183], [200, 217]]
    assert abs(corners - 200).max() <= 4 * 21


@pytest.mark.parametrize('seed', range(5))
def test_boxes_of_any_size_keep_apart_within_the_image(seed):
    rng = np.random.default_rng(seed)
    wanted, sizes = rng.uniform(-50, 450, (25, 2)), rng.integers(8, 40, (25, 2))
    corners = place_boxes(wanted, sizes, (400, 400))
    assert not overlaps(corners, sizes)
    assert (corners >= 0).all() and (corners + sizes < 400).all()


def test_where_there_is_no_room_all_are_drawn():
    sizes = np.array([[30, 12]] * 9)
    corners = place_boxes(np.full((9, 2), 5.0), sizes, (32, 14))
    assert corners.shape == (9, 2) and corners.max() <= 1


def test_a_tag_stands_above_the_highest_keypoint_that_is_drawn(monkeypatch):
    points = np.array([[[50.0, 90], [80, 30], [20, 10], [np.nan, 0]]])
    people = dict(
        keypoints=points,
        keypoint_scores=np.array([[0.9, 0.9, 0.01, 0.9]]),
        bbox_scores=np.array([0.7]),
    )
    found = []
    monkeypatch.setattr(skeletons, 'draw_tags', lambda image, each, width: found.extend(each))
    draw_people(np.zeros((100, 100, 3), np.uint8), people, [(0, 1)], Style(tags=True))
    # Those drawn are 30 px wide and 60 px high: 6 px are left for the forehead.
    assert [(tag.text, tag.above) for tag in found] == [('0.70', (80.0, 24.0))]
