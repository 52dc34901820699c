"""Settings and requests of the synthetic crowd, its statistics and its preview."""

from pinet_mm.crowdsynth import (
    CrowdSettings,
    Person,
    draw_crowd,
    draw_preview,
    summarize,
    write_dataset,
)
from pinet_mm.crowdsynth.preview import write_preview

import cv2
import numpy as np
import pytest

from tests.helpers.crowds import SMALL


def test_statistics_by_hand():
    images = [dict(id=0, crowdIndex=0.25, height=100), dict(id=1, crowdIndex=1.0, height=50)]
    people = [
        dict(image_id=0, person_height=50.0, keypoints=[0, 0, 0, 1, 1, 2]),
        dict(image_id=1, person_height=40.0, keypoints=[1, 1, 1, 1, 1, 2]),
    ]
    found = summarize(images, people)
    assert found['crowd_index_histogram'] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert found['crowd_index_mean'] == 0.625 and found['height_share_mean'] == 0.65
    assert found['height_share_histogram'] == [0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]
    assert found['persons_histogram'] == [0, 2]
    assert found['visibility_shares'] == {'0': 0.25, '1': 0.25, '2': 0.5}
    assert (found['images'], found['persons']) == (2, 2)


def test_the_preview_draws_on_every_second_image():
    sheet = draw_preview(SMALL, seed=3, rows=2, columns=2)
    assert sheet.shape == (192, 192, 3)
    plain = draw_crowd(SMALL, 3, 0)[0], draw_crowd(SMALL, 3, 1)[0]
    assert np.array_equal(sheet[:96, :96], plain[0])
    assert not np.array_equal(sheet[:96, 96:], plain[1])


def test_a_preview_that_opencv_does_not_write_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, 'imwrite', lambda *_: False)
    with pytest.raises(OSError, match='could not write the preview to .*sheet.png'):
        write_preview(tmp_path / 'sheet.png', SMALL)


# ---- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'arguments, error, message',
    [
        (dict(size=256), TypeError, r'size must be two integers, got 256'),
        (
            dict(size=(16, 64)),
            ValueError,
            r'size must be two integers in \[32, 8192\], got \(16, 64\)',
        ),
        (dict(persons=(3, 2)), ValueError, r'persons must be \(lowest, highest\), got \(3, 2\)'),
        (dict(persons=(0, 2)), ValueError, r'persons must be two integers in \[1, 100\]'),
        (dict(height=(0.5, True)), TypeError, r'height must be two numbers, got'),
        (
            dict(crowd_index=(0, 1.5)),
            ValueError,
            r'crowd_index must be two numbers in \[0.0, 1.0\]',
        ),
        (dict(poses='standing'), TypeError, r"poses must be a tuple of names, got 'standing'"),
        (
            dict(poses=('flying',)),
            ValueError,
            r"poses must be one or more of \['standing'.*'flying'",
        ),
        (dict(views=()), ValueError, r'views must be one or more of .* got \(\)'),
        (
            dict(keypoints='mpii'),
            ValueError,
            r"keypoints must be one of \['coco', 'crowdpose'\], got",
        ),
        (dict(occluders=1), TypeError, r'occluders must be True or False, got 1'),
        (dict(min_visible=1), ValueError, r'min_visible must be a number in \[0, 1\), got 1'),
    ],
)
def test_settings_say_what_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        CrowdSettings(**arguments)


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda: draw_crowd(SMALL, -1, 0), 'seed must be a non-negative integer, got -1'),
        (lambda: draw_crowd(SMALL, 0, 0.5), 'index must be a non-negative integer, got 0.5'),
        (lambda: draw_crowd(SMALL, 0, 0, 'dev'), "split must be one of .*, got 'dev'"),
        (
            lambda: write_dataset('x', SMALL, 0),
            'num_images must be an integer of at least 1, got 0',
        ),
        (
            lambda: write_dataset('x', SMALL, 1, workers=0),
            'workers must be an integer of at least 1',
        ),
        (
            lambda: write_dataset('x', SMALL, 1, suffix='.gif'),
            "suffix must be one of .*, got '.gif'",
        ),
    ],
)
def test_requests_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_settings_cannot_be_replaced_by_a_dict():
    with pytest.raises(TypeError, match='settings must be a CrowdSettings, got dict'):
        draw_crowd({}, 0, 0)


def test_poses_and_views_are_obeyed():
    settings = CrowdSettings(size=(64, 64), poses=('sitting', 'lying'), views=('back',))
    persons = [person for index in range(10) for person in draw_crowd(settings, 0, index)[1]]
    assert {person.pose for person in persons} == {'sitting', 'lying'}
    assert {person.view for person in persons} == {'back'}
    assert all(isinstance(person, Person) for person in persons)
