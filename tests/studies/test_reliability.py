"""Reliability of scores: who is matched, who counts, what the ranges average."""

import json

import numpy as np
import pytest

from studies import reliability
from tests.helpers.ablations import LAYOUT, coco, entry, far_apart

SIGMAS = LAYOUT.sigmas  # 0.05 each, K = 3; people have an area of 400


def points(x):
    return [place[:2] for place in far_apart(x)]


def read(people, entries):
    return reliability.read_scored(coco([people], [0.0]), entries, SIGMAS)


def test_a_pose_has_the_oks_with_its_own_person():
    # 2 pixels off in x: exp(-4 / (2 · (2 · 0.05)² · 400)) = exp(-0.5).
    found = read(
        [far_apart(10)],
        [
            entry(0, points(12), 0.9),
            entry(0, points(10), 0.2),
            entry(0, points(90), 0.4),
        ],
    )
    assert found.scores.tolist() == [0.9, 0.2, 0.4]
    assert found.oks == pytest.approx([0, 1, 0], abs=1e-6)  # the person has one pose
    alone = read([far_apart(10)], [entry(0, points(12), 0.9)])
    assert alone.oks == pytest.approx([np.exp(-0.5)])


def test_poses_on_people_without_labels_do_not_count():
    people = [far_apart(10), [(0, 0, 0)] * 3]  # the second has the box 0, 0, 20, 40
    found = read(
        people,
        [
            entry(0, points(10), 0.9),  # in that box, on somebody with labels
            entry(0, points(2), 0.8),  # in that box, on nobody with labels
            entry(0, points(50), 0.7),
        ],
    )
    assert found.scores.tolist() == [0.9, 0.7]


def test_ranges_average_what_lies_in_them():
    scored = reliability.Scored(np.array([0.1, 0.4, 0.5, 1.0]), np.array([0.0, 0.2, 0.6, 0.9]))
    low, middle, high = reliability.by_range(scored, (0, 0.4, 0.8, 1))
    assert low == (0, 0.4, 1, 0.1, 0.0)
    assert middle == (0.4, 0.8, 2, pytest.approx(0.45), pytest.approx(0.4))
    assert high == (0.8, 1, 1, 1.0, 0.9)


@pytest.fixture
def files(tmp_path):
    """A person of 17 keypoints, and a pose of it."""
    annotations, poses = tmp_path / 'people.json', tmp_path / 'poses.json'
    person = dict(
        id=1,
        image_id=0,
        category_id=1,
        bbox=[0, 0, 40, 60],
        area=900.0,
        iscrowd=0,
        num_keypoints=17,
        keypoints=[10, 20, 2] * 17,
    )
    images = [dict(id=0, file_name='0.png', width=50, height=70)]
    categories = [dict(id=1, name='person')]
    annotations.write_text(
        json.dumps(dict(images=images, annotations=[person], categories=categories))
    )
    pose = dict(image_id=0, category_id=1, score=0.7, keypoints=[10, 20, 0.7] * 17)
    poses.write_text(json.dumps([pose]))
    return annotations, poses


def test_the_tool_prints_a_table_and_draws_it(files, tmp_path, capsys):
    annotations, poses = files
    reliability.main(
        [str(annotations), f'expected={poses}', '--out', str(tmp_path / 'reliability.png')]
    )
    rows = [line.split('|')[1:-1] for line in capsys.readouterr().out.splitlines() if '|' in line]
    assert [cell.strip() for cell in rows[0]] == [
        'range',
        'expected: poses',
        'expected: mean score',
        'expected: mean OKS',
    ]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows[2:]}
    assert cells['0.6 to 0.8'] == ['1', '0.70', '1.00']
    assert cells['0.8 to 1'] == ['0', '', '']
    assert (tmp_path / 'reliability.png').stat().st_size > 5000


def test_what_is_wrong_with_the_words_is_one_line(files, capsys):
    annotations, poses = map(str, files)
    for words, message in (
        (('nowhere.json', f'a={poses}'), "ANNOTATIONS: the file 'nowhere.json' does not exist"),
        ((annotations, 'a=nowhere.json'), "the file 'nowhere.json' does not exist"),
        ((annotations, 'poses.json'), "expected NAME=FILE; found 'poses.json'"),
    ):
        with pytest.raises(SystemExit) as refused:
            reliability.main(words)
        (line,) = capsys.readouterr().err.splitlines()
        assert refused.value.code == 2 and message in line


def test_what_is_wrong_in_a_file_is_one_line(files, tmp_path):
    annotations, poses = files
    other = tmp_path / 'other.json'
    other.write_text('[')
    with pytest.raises(SystemExit, match=r'^error: .*other\.json is no JSON: .*line 1'):
        reliability.main([str(other), f'a={poses}'])
    other.write_text(poses.read_text().replace('"image_id": 0', '"image_id": 3'))
    with pytest.raises(SystemExit, match=r'^error: .*other\.json.* 3'):
        reliability.main([str(annotations), f'a={other}'])
