"""Overlays: who is drawn, where, and in which color."""

from pinet_mm.errors import InputError
from pinet_mm.inference.drawing import CrowdVisualizer, draw_poses
from pinet_mm.inference.drawing.sheets import (
    PERSON_COLORS,
    before_and_after,
    contact_sheet,
    in_column,
    in_row,
    side_by_side,
)

import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample

from tests.helpers import toys

META = parse_pose_metainfo(toys.five_metainfo())


def people(*middles, scores=None):
    """Five-keypoint people of 60 px around the middles."""
    shape = np.array([[0, -30], [-30, 0], [30, 0], [-20, 30], [20, 30]], dtype=np.float32)
    keypoints = np.array(middles, dtype=np.float32)[:, None] + shape
    return InstanceData(
        keypoints=keypoints,
        keypoints_visible=np.ones(keypoints.shape[:2]),
        bbox_scores=np.ones(len(middles)) if scores is None else np.array(scores),
    )


def colors_near(image, point):
    """The BGR colors within 2 px of (x, y)."""
    x, y = point
    return {tuple(pixel) for pixel in image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).tolist()}


def test_every_person_has_a_color_and_limbs_between_the_keypoints():
    image = np.zeros((480, 480, 3), np.uint8)
    drawn = draw_poses(image, people((100, 100), (300, 300)), META)
    assert not image.any(), 'the input image must stay as it is'
    for middle, color in zip((100, 300), PERSON_COLORS):
        assert color[::-1] in colors_near(drawn, (middle, middle - 30))  # the head
        # Half-way from the head to the left hand, where there is no keypoint.
        assert color[::-1] in colors_near(drawn, (middle - 15, middle - 15))
    assert not drawn[380:, :200].any()


def test_people_and_keypoints_below_their_thresholds_are_left_out():
    found = people((100, 100), (300, 300), scores=[0.9, 0.09])
    found.keypoints_visible[0, 1] = 0.014
    drawn = draw_poses(np.zeros((480, 480, 3), np.uint8), found, META)
    assert not drawn[200:, 200:].any()
    assert not drawn[97:104, 66:74].any() and drawn[97:104, 126:134].any()


def test_small_images_are_enlarged_together_with_their_people():
    drawn = draw_poses(np.zeros((120, 240, 3), np.uint8), people((120, 60)), META, min_side=480)
    assert drawn.shape == (240, 480, 3)
    assert PERSON_COLORS[0][::-1] in colors_near(drawn, (240, 60))


def test_nobody_leaves_the_image_as_it_is():
    found = InstanceData(
        keypoints=np.zeros((0, 5, 2)), keypoints_visible=np.zeros((0, 5)), bbox_scores=np.zeros(0)
    )
    image = np.random.default_rng(0).integers(0, 255, (500, 400, 3), dtype=np.uint8)
    np.testing.assert_array_equal(draw_poses(image, found, META), image)


def filled(sheet):
    """The share of a sheet that is no background."""
    return (sheet.min(axis=-1) < 255).mean()


def test_titles_may_be_names_that_are_no_utf_8():
    # Without the mend, OpenCV ends this process.
    image = np.zeros((40, 200, 3), np.uint8)
    odd, shown = (contact_sheet([image], 1, titles=[title]) for title in ('\udcff', r'\udcff'))
    np.testing.assert_array_equal(odd, shown)
    odd, shown = (side_by_side([image], [f'a\n{title}']) for title in ('\udcff', r'\udcff'))
    np.testing.assert_array_equal(odd, shown)
    assert (odd[:56] > 0).any(axis=(1, 2)).reshape(2, 28).any(axis=1).all(), 'two lines'


def test_contact_sheet_fills_its_rows_from_edge_to_edge():
    images = [np.full((50, 100, 3), value, np.uint8) for value in (10, 20)]
    sheet = contact_sheet(images, columns=2, cell=40)
    assert sheet.shape == (20, 80, 3)
    assert (sheet[:, :40] == 10).all() and (sheet[:, 40:] == 20).all()
    # Upright images: seven of 3:4 fill a row of four cells at most 3/4 of a cell high.
    upright = [np.full((80, 60, 3), 10, np.uint8)] * 8
    sheet = contact_sheet(upright, columns=4, cell=120)
    assert sheet.shape[0] == 80 and abs(sheet.shape[1] - 480) <= 4 and filled(sheet) == 1
    # An image that is left over is no higher than the others, and stands on white.
    sheet = contact_sheet([*images, images[0]], columns=2, cell=40, gap=4)
    assert sheet.shape[0] == 19 + 4 + 19
    assert (sheet[19:23] == 255).all() and (sheet[23:, :38] == 10).all()
    assert (sheet[23:, 40:] == 255).all()


def test_contact_sheet_names_its_images():
    images = [np.full((90, 160, 3), 10, np.uint8)] * 2
    sheet = contact_sheet(images, columns=2, cell=160, titles=('a.jpg', 'b' * 200))
    assert sheet.shape == (90 + 28, 320, 3) and (sheet[:90] == 10).all()
    for column in (slice(0, 160), slice(160, 320)):
        assert sheet[90:, column].min() < 128 and sheet[90:, column].max() == 255
    assert (sheet[90:, 60:160] == 255).all(), 'a short name'


def test_boxes_are_drawn_for_those_who_are_shown():
    found = people((100, 100), (300, 300), scores=[0.9, 0.05])
    found.bboxes = np.array([[60, 60, 140, 140], [250, 250, 340, 340]], dtype=np.float32)
    visualizer = CrowdVisualizer()
    visualizer.set_dataset_meta(META)
    image = np.zeros((400, 400, 3), np.uint8)
    for instances, drawn in ((found, True), (found[1:], False), (found[:0], False)):
        sample = PoseDataSample(pred_instances=instances)
        result = visualizer.add_datasample('a', image, sample, draw_gt=False, draw_bbox=True)
        assert not result[200:, 200:].any() and result[60:141, 60].any() == drawn


def test_before_and_after_stand_side_by_side_under_their_names():
    before, after = (np.full((50, 300, 3), value, np.uint8) for value in (10, 20))
    pair = before_and_after(before, after)
    assert pair.shape == (78, 600, 3)
    assert (pair[28:, :300] == 10).all() and (pair[28:, 300:] == 20).all()
    assert pair[:28, :300].max() > 200 and pair[:28, 300:].max() > 200
    assert not np.array_equal(pair[:28, :300], pair[:28, 300:])


def test_people_can_bring_their_colors():
    found = people((100, 100), (300, 300), scores=[0.05, 0.9])
    found.colors = np.array([[1, 2, 3], [10, 20, 30]])
    drawn = draw_poses(np.zeros((480, 480, 3), np.uint8), found, META)
    assert (30, 20, 10) in colors_near(drawn, (300, 270))
    assert not drawn[:200, :200].any()


def test_titles_have_lines_and_images_a_gap():
    images = [np.full((50, 300, 3), value, np.uint8) for value in (10, 20)]
    pair = side_by_side(images, ('one\nmore', 'two\nlines'), gap=4)
    assert pair.shape == (106, 604, 3)
    assert (pair[56:, :300] == 10).all() and (pair[56:, 304:] == 20).all()
    assert not pair[:, 300:304].any()
    for rows in (slice(0, 28), slice(28, 56)):
        assert pair[rows, :300].max() > 200 and pair[rows, 304:].max() > 200


def test_rows_and_columns_fit_without_padding():
    images = [
        np.full(shape, value, np.uint8)
        for shape, value in (((50, 100, 3), 10), ((40, 20, 3), 20), ((100, 50, 3), 30))
    ]
    row = in_row(images, 100, gap=4)
    assert row.shape == (100, 200 + 4 + 50 + 4 + 50, 3)
    for left, right, value in (
        (0, 200, 10),
        (200, 204, 255),
        (204, 254, 20),
        (254, 258, 255),
        (258, 308, 30),
    ):
        assert (row[:, left:right] == value).all()
    column = in_column(images, 50, gap=2)
    assert column.shape == (25 + 2 + 100 + 2 + 100, 50, 3)
    for top, bottom, value in (
        (0, 25, 10),
        (25, 27, 255),
        (27, 127, 20),
        (127, 129, 255),
        (129, 229, 30),
    ):
        assert (column[top:bottom] == value).all()


def test_rows_and_columns_keep_images_upright():
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(in_row([image], 4), image)
    np.testing.assert_array_equal(in_column([image], 6), image)


def test_the_lines_of_the_layout_are_drawn_whatever_metainfo_is_set():
    visualizer = CrowdVisualizer(layout=toys.LAYOUTS['three']())
    visualizer.set_dataset_meta(dict(META, skeleton_links=[(3, 4)]))
    assert visualizer.skeleton == [(0, 1), (0, 2), (0, 3), (0, 4)]
    sample = PoseDataSample(pred_instances=people((100, 100)))
    drawn = visualizer.add_datasample(
        'a', np.zeros((200, 200, 3), np.uint8), sample, draw_gt=False, kpt_thr=0.05
    )
    assert drawn[85, 85].any()  # half-way from the head to the left hand
    assert not drawn[130, 100].any()  # between the feet


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(pose_thr='x'), "pose_thr of the visualizer must be a number; found 'x'"),
        (
            dict(pose_thr=float('nan')),
            'pose_thr of the visualizer must be a finite number; found nan',
        ),
        (
            dict(line_width=0),
            'line_width of the visualizer must be a number of at least 1; found 0',
        ),
        (dict(radius='x'), "radius of the visualizer must be a number of at least 1; found 'x'"),
        (dict(alpha=-1), 'alpha of the visualizer must be a number of at least 0; found -1'),
        (dict(alpha=5), 'alpha of the visualizer must be 0 to 1; found 5'),
    ],
)
def test_numbers_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(InputError, match=f'^{message}$'):
        CrowdVisualizer(**settings)


def test_numbers_that_are_left_to_the_class_are_not_compared():
    assert CrowdVisualizer(alpha=None, line_width=None).alpha is None
