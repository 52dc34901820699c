"""Labels of the synthetic crowd: keypoints, masks, boxes, crowd indices and polygons."""

import json
import os
from pathlib import Path

from pinet_mm.crowdsynth import (
    CrowdSettings,
    crowd_index,
    draw_crowd,
    mask_to_polygons,
    scene,
)
from pinet_mm.crowdsynth.layout import Layouts, make_actor
from pinet_mm.crowdsynth.people import Figure
from pinet_mm.crowdsynth.shapes import Shape, draw_shapes

import numpy as np
import pytest

from tests.helpers.crowds import PLAIN, SMALL, standing_alone


@pytest.fixture(scope='module')
def images():
    """Return 30 small images with their people."""
    return [draw_crowd(SMALL, seed=1, index=index) for index in range(30)]


# ---- labels ------------------------------------------------------------------------------------


def test_a_seen_keypoint_lies_on_its_own_person(images):
    checked = 0
    for _, persons in images:
        for person in persons:
            for x, y, flag in person.keypoints:
                if flag == 2:
                    assert person.mask[int(np.rint(y)), int(np.rint(x))]
                    checked += 1
    assert checked > 300


def test_a_keypoint_under_another_person_is_covered(images):
    covered = 0
    for _, persons in images:
        for person in persons:
            others = np.zeros_like(person.mask)
            for other in persons:
                others |= other.mask & (other is not person)
            for x, y, flag in person.keypoints:
                if flag > 0 and others[int(np.rint(y)), int(np.rint(x))]:
                    assert flag == 1
                    covered += 1
    assert covered > 50


def test_keypoints_outside_the_image_are_zero():
    settings = CrowdSettings(size=(64, 64), persons=(1, 3), height=(1.5, 2.0))
    rows = np.concatenate(
        [person.keypoints for index in range(10) for person in draw_crowd(settings, 0, index)[1]]
    )
    outside = rows[:, 2] == 0
    assert 0.1 < outside.mean() < 0.9
    assert (rows[outside] == 0).all()
    assert (rows[~outside, :2] > -0.5).all() and (rows[~outside, :2] < 63.5).all()


def test_area_counts_the_mask_and_the_box_is_tight(images):
    for _, persons in images:
        for person in persons:
            rows, columns = np.nonzero(person.mask)
            assert person.area == len(rows) > 0
            x, y, w, h = person.bbox
            assert (x, y) == (columns.min(), rows.min())
            assert (x + w, y + h) == (columns.max() + 1, rows.max() + 1)


def test_masks_do_not_overlap_and_hold_the_drawn_person():
    settings = CrowdSettings(size=(96, 96), persons=(3, 3), **PLAIN)
    for index in range(5):
        _, persons = draw_crowd(settings, 9, index)
        assert np.sum([person.mask for person in persons], axis=0).max() == 1


def test_the_mask_is_where_the_person_changes_the_image(monkeypatch):
    # the same scene over a black and over a white background differs only where nobody stands
    drawn = []
    for value in (0, 255):
        plain = np.full((300, 200, 3), value, np.uint8)
        monkeypatch.setattr(scene, 'draw_background', lambda *args, plain=plain: plain)
        monkeypatch.setattr(scene, 'draw_shadow', lambda *args: None)
        drawn.append(draw_crowd(standing_alone(), 0, 0))
    same = np.abs(drawn[0][0].astype(int) - drawn[1][0]).max(-1) < 128
    mask = drawn[0][1][0].mask
    assert (same & mask).sum() / (same | mask).sum() > 0.97


# ---- crowd index -------------------------------------------------------------------------------


def _naive_crowd_index(keypoints, bboxes):
    ratios = []
    for i, (x, y, w, h) in enumerate(bboxes):
        own = sum(v > 0 for _, _, v in keypoints[i])
        others = sum(
            v > 0 and x <= px <= x + w and y <= py <= y + h
            for j in range(len(bboxes))
            if j != i
            for px, py, v in keypoints[j]
        )
        if own:
            ratios.append(min(others / own, 1))
    return sum(ratios) / len(ratios) if ratios else 0.0


def test_crowd_index_by_hand():
    first = [[1, 1, 2], [3, 3, 1], [9, 9, 2], [0, 0, 0]]  # three labeled
    second = [[4, 4, 2], [20, 20, 2], [0, 0, 0], [0, 0, 0]]  # one of two inside the first's box
    assert crowd_index([first, second], [[0, 0, 10, 10], [15, 15, 9, 9]]) == pytest.approx(1 / 6)


def test_crowd_index_is_capped_and_skips_people_without_labels():
    one, five = np.zeros((5, 3)), np.ones((5, 3))
    one[0] = 1
    boxes = [[0, 0, 2, 2]] * 3
    assert crowd_index([one, five, np.zeros((5, 3))], boxes) == pytest.approx((1 + 1 / 5) / 2)
    assert crowd_index([], []) == crowd_index(np.zeros((2, 5, 3)), boxes[:2]) == 0.0


def test_crowd_index_equals_a_plain_loop(images):
    for _, persons in images:
        keypoints = np.array([person.keypoints for person in persons])
        bboxes = np.array([person.bbox for person in persons])
        expected = _naive_crowd_index(keypoints, bboxes)
        assert crowd_index(keypoints, bboxes) == pytest.approx(expected)


def test_crowd_index_of_two_crowdpose_images():
    root = os.environ.get('PINET_TEST_DATA')
    if not root:
        pytest.skip('PINET_TEST_DATA is not set: no CrowdPose samples')
    data = json.loads((Path(root) / 'samples/crowdpose/test_crowdpose.json').read_text())
    for image in data['images']:
        people = [item for item in data['annotations'] if item['image_id'] == image['id']]
        keypoints = np.array([item['keypoints'] for item in people]).reshape(-1, 14, 3)
        measured = crowd_index(keypoints, [item['bbox'] for item in people])
        assert round(measured, 2) == image['crowdIndex']


def _measured(settings, count, seed):
    images = [draw_crowd(settings, seed, index)[1] for index in range(count)]
    return np.array(
        [
            crowd_index(
                [person.keypoints for person in persons], [person.bbox for person in persons]
            )
            for persons in images
        ]
    )


@pytest.mark.parametrize('target', [0.0, 0.2, 0.5, 0.8, 1.0])
def test_the_crowd_index_comes_near_its_target(target):
    settings = CrowdSettings(
        size=(128, 128), persons=(2, 6), height=(0.5, 0.95), crowd_index=(target, target)
    )
    missed = _measured(settings, 20, seed=2) - target
    assert abs(missed.mean()) < 0.05 and np.sqrt((missed**2).mean()) < 0.12


@pytest.mark.parametrize(
    'settings',
    [
        dict(size=(128, 128), persons=(2, 5), height=(0.5, 0.95)),
        dict(size=(256, 256), persons=(2, 10), height=(0.2, 0.6)),
    ],
    ids=['large', 'ten'],
)
def test_the_crowd_index_is_spread_evenly(settings):
    measured = _measured(CrowdSettings(crowd_index=(0, 1), **settings), 120, seed=4)
    shares = np.histogram(measured, 5, (0, 1))[0] / 120
    assert 0.13 < shares.min() and shares.max() < 0.27


def _block(x, y, half, row=0):
    """Return an actor: a square around (x, y), whose four keypoints are its quarters' middles."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + (x, y)
    shape = Shape(((x, y, 0), (x + 1, y, 0)), (1, 1), (np.zeros(3),) * 2, hulls=(corners,))
    points = np.concatenate([(corners + (x, y)) / 2, np.zeros((4, 1))], 1)
    figure = Figure(draw_shapes([shape]), points, np.zeros(4), None, 2.0 * half)
    return make_actor(figure.drawing, row, (128, 128), figure)


def test_layouts_are_measured_by_hand():
    # cells are 2 px; two squares of 40 px side by side, then half over one another, then the
    # second over the left half of the first, whose box is then half as wide
    layouts = Layouts([_block(0, 60, 20), _block(0, 60, 20)], (128, 128), 0.1)
    index, hidden = layouts.measure(np.array([[30, 90], [64, 64], [64, 44], [30, 300]]))
    # apart 0; the first fully covered does not count: nor do its keypoints in the second's box
    assert index[[0, 1]] == pytest.approx([0, 0])
    # 44: covers x 24..64 of the first's 44..84, which shows 64..84 and holds none of the second's
    # at 34 and 54; the second holds the first's two at 54
    assert index[2] == pytest.approx((0 + 2 / 4) / 2)
    assert hidden.tolist() == [[False, False], [True, False], [False, False], [False, True]]


# ---- files -------------------------------------------------------------------------------------


def _ring():
    mask = np.zeros((30, 40), bool)
    mask[5:25, 8:30] = True
    mask[10:15, 12:20] = False
    mask[18:20, 22:27] = False
    return mask


@pytest.mark.parametrize(
    'mask',
    [np.ones((1, 1), bool), np.eye(7, dtype=bool), _ring(), np.zeros((4, 4), bool)],
    ids=['pixel', 'diagonal', 'holes', 'empty'],
)
def test_polygons_fill_the_mask_again(mask):
    masks = pytest.importorskip('pycocotools.mask')
    polygons = mask_to_polygons(mask)
    if not mask.any():
        assert polygons == []
        return
    codes = masks.frPyObjects(polygons, *mask.shape)
    assert np.array_equal(masks.decode(masks.merge(codes)).astype(bool), mask)
