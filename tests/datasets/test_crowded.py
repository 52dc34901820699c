"""More people than COCO's protocol counts poses: its AP stays, and another limit can be had."""

import json

from pinet_mm.datasets.evaluation import average_precision
from pinet_mm.datasets.limits import crowded_images, note_on_crowded

import pytest

from tests.helpers.changes import person, valid

SIGMAS = [0.05] * 5


def crowd(path, count=30):
    """An image of so many people beside each other, and their annotated keypoints as results."""
    data = valid()
    data['images'] = [dict(id=1, file_name='1.png', width=4000, height=80)]
    data['annotations'] = [person(i + 1, 1, 100 * i, 10) for i in range(count)]
    poses = [
        dict(
            image_id=1,
            category_id=1,
            score=0.9 - i / 1000,
            keypoints=[v if k % 3 < 2 else 0.9 for k, v in enumerate(each['keypoints'])],
        )
        for i, each in enumerate(data['annotations'])
    ]
    (path / 'a.json').write_text(json.dumps(data))
    (path / 'poses.json').write_text(json.dumps(poses))
    return data['annotations']


def test_thirty_perfect_poses_by_the_protocol_and_by_another_limit(tmp_path):
    crowd(tmp_path)
    files = tmp_path / 'poses.json', tmp_path / 'a.json', SIGMAS
    # 20 of 30 are found: recall reaches 2/3, which 67 of COCO's 101 recalls lie below.
    by_protocol = average_precision(*files)
    assert by_protocol['AP'] == pytest.approx(67 / 101)
    assert by_protocol['AR'] == pytest.approx(2 / 3)
    assert average_precision(*files, max_poses=30) == dict(AP=1, AP50=1, AP75=1, AR=1)
    # 10 of 30: recall 1/3, which 34 recalls (0, 0.01, ... 0.33) lie below.
    found = average_precision(*files, max_poses=10)
    assert found['AP'] == pytest.approx(34 / 101) and found['AR'] == pytest.approx(1 / 3)


def test_another_limit_equals_the_protocol_where_nobody_is_cut(tmp_path):
    crowd(tmp_path, 7)
    files = tmp_path / 'poses.json', tmp_path / 'a.json', SIGMAS
    assert average_precision(*files, max_poses=50) == pytest.approx(average_precision(*files))


def test_images_with_more_people_are_told(tmp_path):
    annotations = crowd(tmp_path, 21)
    assert crowded_images(annotations) == [1]
    assert '1 images have more than 20 people, such as image 1' in note_on_crowded(annotations)
    assert note_on_crowded(annotations[:20]) is None
    assert note_on_crowded(annotations, max_poses=21) is None
    annotations[0]['num_keypoints'] = 0  # nobody whom an evaluation asks for
    assert crowded_images(annotations) == []


@pytest.mark.parametrize('limit, kind', [(0, 'keypoints'), (30, 'keypoints_crowd')])
def test_limits_that_mean_nothing_are_refused(tmp_path, limit, kind):
    crowd(tmp_path, 2)
    with pytest.raises(ValueError, match=f'max_poses must be at least 1, .*; found {limit}'):
        average_precision(tmp_path / 'poses.json', tmp_path / 'a.json', SIGMAS, kind, limit)
