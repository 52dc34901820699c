"""People drawn with tags, boxes and rings; widths that fit the image."""

from pinet_mm.errors import InputError
from pinet_mm.inference.drawing.sheets import PERSON_COLORS
from pinet_mm.inference.drawing.skeletons import Style, draw_people
from pinet_mm.inference.results import PoseResult

import cv2
import numpy as np
import pytest

from tests.helpers.videos import META, found_in

SHAPE = np.array([[0, -60], [-60, 0], [60, 0], [-40, 60], [40, 60]], dtype=np.float64)
LINKS = [(0, 1), (0, 2), (1, 3), (2, 4)]


def people(*middles, scores=None, **more):
    keypoints = np.array(middles, dtype=np.float64)[:, None] + SHAPE
    scores = np.full(len(middles), 0.5) if scores is None else np.array(scores)
    each = np.tile(scores[:, None], (1, 5))
    return dict(keypoints=keypoints, keypoint_scores=each, bbox_scores=scores, **more)


def drawn(found, size=(400, 400), **style):
    image = np.zeros((*size, 3), np.uint8)
    draw_people(image, found, LINKS, Style(**style))
    return image


def color_at(image, point, index=0):
    """Whether a pixel has about the color of a person."""
    return np.abs(image[point[1], point[0]] - np.array(PERSON_COLORS[index][::-1])).max() < 60


def width_of_limb(image, found):
    """Height of the column of colored pixels half-way from the first to the second keypoint."""
    x, y = found['keypoints'][0, :2].mean(axis=0).round().astype(int)
    return (image[y - 30 : y + 30, x].max(axis=-1) > 60).sum()


def test_keypoints_of_low_score_are_rings_and_their_limbs_thin():
    found = people((150, 200))
    found['keypoint_scores'][0, 2] = 0.1  # the mean is 0.42, half of it 0.21
    image = drawn(found, line_width=6)
    assert color_at(image, (90, 200)) and not image[200, 210].any()
    assert color_at(image, (210 + 6, 200)), 'the ring'
    thick, thin = (image[165:176, x].max(axis=-1) > 60 for x in (120, 180))
    assert thick.sum() > thin.sum() > 0
    solid = drawn(found, line_width=6, hollow=0)
    assert color_at(solid, (210, 200))


def test_lines_are_wider_on_larger_images():
    found = people((200, 200))
    small, large = (width_of_limb(drawn(found, size), found) for size in ((400, 400), (400, 4000)))
    assert small < large / 3


def test_tags_say_identity_and_score_above_the_person():
    # A tenth of the person's 120 px above the highest keypoint, where the forehead ends.
    above = (slice(98, 124), slice(120, 180))
    found = people((150, 200))
    assert not drawn(found)[above].any()
    score = drawn(found, tags=True)
    assert score[above].any()
    found['track_ids'] = np.array([4])
    both = drawn(found, tags=True)
    assert color_at(both, (150, 123), 4), 'the color follows the identity'
    row = both[123, 90:210].any(axis=-1).sum()
    assert row > score[123, 90:210].any(axis=-1).sum(), 'more to say'
    beside = people((150, 200), (300, 200), track_ids=np.array([4, -1]))
    assert drawn(beside)[200, 240].tolist() == [210] * 3, 'no color that somebody else has'
    found['track_ids'][:] = -1
    np.testing.assert_array_equal(drawn(found, tags=True), score)
    # At the border the tag stays within.
    assert drawn(people((60, 30)), tags=True)[:20, :30].any()


def test_boxes_and_thresholds():
    found = people((100, 100), (300, 300), scores=[0.9, 0.2])
    image = drawn(found, boxes=True)
    assert color_at(image, (40, 160)) and color_at(image, (240, 360), 1)
    assert not drawn(found, boxes=True, pose_thr=0.3)[201:, 201:].any()
    found['keypoint_scores'][0, 0] = 0.2
    assert not drawn(found, keypoint_thr=0.25)[38:43, 98:103].any()


def test_points_far_away_or_not_finite_are_survived():
    found = people((100, 100))
    found['keypoints'][0, 0] = np.nan
    found['keypoints'][0, 1] = 1e12
    found['bboxes'] = np.array([[40.0, 40, 160, 160]])
    assert drawn(found, tags=True).any()


def test_plot_draws_over_the_file_or_what_it_is_given(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    result = PoseResult.of(found_in(image), META)
    with pytest.raises(InputError, match=r'plot needs the image, .*: plot\(image\)'):
        result.plot()
    given = result.plot(image, tmp_path / 'plot.png')
    assert given.any() and not image.any()
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'plot.png')), given)
    result.set_metainfo(dict(img_path=str(tmp_path / 'a.png')))
    np.testing.assert_array_equal(result.plot(), given)
    with pytest.raises(OSError, match='No such file or directory: .*gone/plot.png'):
        result.plot(path=tmp_path / 'gone' / 'plot.png')
