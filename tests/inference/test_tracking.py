"""Identities through a video: people cross, hide, come back, leave; each keeps their number."""

import ast
from pathlib import Path

from pinet_mm.errors import InputError
from pinet_mm.inference import tracking
from pinet_mm.inference.results import PoseResult
from pinet_mm.inference.tracking import NOBODY, Tracker, TrackerSettings, track

import numpy as np
import pytest

SIGMAS = (0.1, 0.05, 0.1)
# a person of 40 x 100 pixels
SHAPE = np.array([[0.0, 0.0], [40.0, 50.0], [20.0, 100.0]])


def _update(tracker, places, score=0.9, shape=SHAPE):
    """Show people at places (N, 2), whose poses score the same or as a list says."""
    poses = np.array([shape + place for place in places]).reshape(-1, 3, 2)
    scores = np.broadcast_to(score, len(poses))
    return tracker.update(poses, np.ones((len(poses), 3)), scores).tolist()


def _walk(start, step, frames):
    return [np.array(start) + np.array(step) * frame for frame in range(frames)]


# ---- who is who --------------------------------------------------------------------------------


def test_two_who_cross_keep_their_numbers():
    # in frame 20 both stand on the same spot: only their velocities tell them apart
    first, second = _walk((0, 0), (8, 0), 41), _walk((320, 0), (-8, 0), 41)
    tracker = Tracker(SIGMAS)
    found = [
        _update(
            tracker, [second[frame], first[frame]] if frame % 2 else [first[frame], second[frame]]
        )
        for frame in range(41)
    ]
    assert [ids[::-1] if frame % 2 else ids for frame, ids in enumerate(found)] == [[1, 2]] * 41


def test_the_order_of_poses_does_not_matter():
    rng = np.random.default_rng(0)
    ways = [_walk((200 * n, 0), (3 * n, 2), 10) for n in range(4)]
    tracker = Tracker(SIGMAS)
    _update(tracker, [way[0] for way in ways])
    for frame in range(1, 10):
        order = rng.permutation(4)
        ids = _update(tracker, [ways[n][frame] for n in order])
        assert ids == (order + 1).tolist()


def test_somebody_who_is_hidden_has_their_number_when_they_come_out_where_they_were_going():
    way = _walk((0, 0), (6, 0), 40)
    tracker = Tracker(SIGMAS)
    for frame in range(10):
        assert _update(tracker, [way[frame]]) == [1]
    for _ in range(15):
        assert _update(tracker, []) == []
    # 96 pixels on, more than twice their width
    assert _update(tracker, [way[25]]) == [1]


def test_memory_ends():
    tracker = Tracker(SIGMAS, TrackerSettings(memory=5))
    for number in (1, 2):
        for _ in range(3):
            assert _update(tracker, [(0, 0)]) == [number]
        for _ in range(6 if number == 1 else 5):
            _update(tracker, [])
    assert _update(tracker, [(0, 0)]) == [2]


def test_who_is_seen_once_is_not_remembered():
    tracker = Tracker(SIGMAS)
    assert [_update(tracker, where) for where in ([(0, 0)], [], [(0, 0)])] == [[1], [], [2]]


def test_a_weak_pose_goes_on_but_begins_nothing():
    tracker = Tracker(SIGMAS, TrackerSettings(start=0.5, keep=0.2))
    assert _update(tracker, [(0, 0)], [0.3]) == [NOBODY]
    assert _update(tracker, [(0, 0)], [0.5]) == [1]
    assert _update(tracker, [(0, 0), (300, 0)], [0.3, 0.3]) == [1, NOBODY]
    assert _update(tracker, [(0, 0)], [0.1]) == [NOBODY]


def test_a_strong_pose_chooses_before_a_weak_one_that_is_nearer():
    tracker = Tracker(SIGMAS, TrackerSettings(start=0.5))
    for _ in range(3):
        _update(tracker, [(0, 0)])
    assert _update(tracker, [(0, 0), (5, 0)], [0.2, 0.9]) == [NOBODY, 1]


def test_the_sum_of_likeness_decides_not_who_comes_first():
    # both are nearest to the first person; the second pose is like nobody else
    tracker = Tracker(SIGMAS, TrackerSettings(tolerance=4, inertia=0))
    for _ in range(3):
        _update(tracker, [(0, 0), (30, 0)])
    assert _update(tracker, [(12, 0), (-12, 0)]) == [2, 1]


def test_keypoints_that_score_little_count_little():
    tracker = Tracker(SIGMAS, TrackerSettings(least=0.5))
    poses, sure = np.stack([SHAPE]), np.ones((1, 3))
    for _ in range(3):
        tracker.update(poses, sure, [0.9])
    astray = poses + np.array([[0, 0], [300, 0], [0, 300]])
    assert tracker.update(astray, np.array([[1, 0.001, 0.001]]), [0.9]).tolist() == [1]
    assert tracker.update(astray + 500, sure, [0.9]).tolist() == [2]


def test_likeness_is_coco_oks_where_the_tolerance_is_one():
    # all keypoints 10 px off, the box 40 x 100: exp(-100 / (2 * 4000 * (2 sigma)^2)), with equal
    # weights; sigma is 0.1 twice and 0.05 once
    _check_likeness((2 * np.exp(-100 / (8000 * 0.04)) + np.exp(-100 / (8000 * 0.01))) / 3, 1)
    # sigmas that are twice as large
    _check_likeness((2 * np.exp(-100 / (8000 * 0.16)) + np.exp(-100 / (8000 * 0.04))) / 3, 2)


def _check_likeness(expected, tolerance):
    for least, ids in ((expected - 1e-6, [1]), (expected + 1e-6, [2])):
        tracker = Tracker(SIGMAS, TrackerSettings(tolerance=tolerance, least=float(least)))
        _update(tracker, [(0, 0)])
        assert _update(tracker, [(10, 0)]) == ids


def test_velocity_is_measured_per_frame_across_a_gap():
    tracker = Tracker(SIGMAS, TrackerSettings(inertia=0, growth=0))
    for x in (0, 10, 20):
        _update(tracker, [(x, 0)])
    _update(tracker, [])
    assert _update(tracker, [(44, 0)]) == [1]
    # 2 px per frame faster than thought: 12 px on, not 14
    (person,) = tracker._people
    assert person.velocity.tolist() == [12, 0]


def test_another_video_begins_at_one():
    tracker = Tracker(SIGMAS)
    assert _update(tracker, [(0, 0), (200, 0)]) == [1, 2]
    tracker.reset()
    assert _update(tracker, [(200, 0)]) == [1]


# ---- results -----------------------------------------------------------------------------------


def _result(file, places, scores, frame=None):
    people = dict(
        keypoints=np.array([SHAPE + place for place in places]).reshape(-1, 3, 2),
        keypoint_scores=np.ones((len(places), 3)),
        bbox_scores=np.array(scores, float),
    )
    metainfo = dict(ori_shape=(200, 400), img_path=file, keypoint_sigmas=np.array(SIGMAS))
    if frame is not None:
        metainfo['frame_index'] = frame
    return PoseResult.of_arrays(people, metainfo)


def test_results_get_ids_in_the_order_of_their_properties():
    # the better pose comes first in `keypoints`, whatever the order of the model
    frames = [
        _result('a/0.jpg', [(0, 0), (200, 0)], [0.5, 0.9]),
        _result('a/1.jpg', [(200, 0), (0, 0)], [0.5, 0.9]),
        _result('a/2.jpg', [], []),
    ]
    found = list(track(frames))
    assert [result.ids.tolist() for result in found] == [[1, 2], [2, 1], []]
    assert found[0].pred_instances['track_ids'].tolist() == [2, 1]
    assert [person['id'] for person in found[1].to_record()['persons']] == [2, 1]


def test_another_folder_and_another_video_begin_at_one():
    here, there = [(0, 0)], [(300, 0)]
    results = [
        _result('a/0.jpg', here, [0.9]),
        _result('a/1.jpg', there, [0.9]),
        _result('b/0.jpg', there, [0.9]),
        _result('b/film.mp4', here, [0.9], 0),
        _result('b/film.mp4', there, [0.9], 1),
        _result('b/other.mp4', there, [0.9], 0),
    ]
    assert [result.ids.tolist() for result in track(results)] == [[1], [2], [1], [1], [2], [1]]


# ---- any poses ---------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(20))
def test_numbers_are_unique_in_a_frame_and_the_same_again(seed):
    def follow():
        rng = np.random.default_rng(seed)
        tracker = Tracker(SIGMAS)
        for _ in range(15):
            count = rng.integers(0, 7)
            poses = rng.uniform(0, 120, (count, 3, 2)) * rng.choice([0, 1, 1000])
            yield tracker.update(poses, rng.random((count, 3)), rng.random(count)).tolist()

    frames = list(follow())
    for ids in frames:
        known = [identity for identity in ids if identity != NOBODY]
        assert len(set(known)) == len(known) and all(identity >= 1 for identity in known)
    assert frames == list(follow())


def test_numbers_are_given_without_gaps_in_the_order_of_appearance():
    rng = np.random.default_rng(0)
    tracker, seen = Tracker(SIGMAS), []
    for _ in range(20):
        poses = rng.uniform(0, 500, (3, 3, 2))
        seen += tracker.update(poses, np.ones((3, 3)), np.ones(3)).tolist()
    assert list(dict.fromkeys(seen)) == list(range(1, max(seen) + 1))


# ---- errors, and what it needs -----------------------------------------------------------------


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        (dict(start=0.01, keep=0.05), 'start must be at least keep; found 0.01'),
        (dict(start='high'), "^start must be a score or 'auto'; found 'high'$"),
        (dict(keep=None), "^keep must be a score or 'auto'; found None$"),
        (dict(start=True), "^start must be a score or 'auto'; found True$"),
        (dict(keep=float('nan')), "^keep must be a score or 'auto'; found nan$"),
        (dict(keep=[0.1]), r"^keep must be a score or 'auto'; found \[0.1\]$"),
        (dict(least=0), r'least must be in \(0, 1\]; found 0'),
        (dict(confirm=0), 'confirm must be at least 1; found 0'),
        (dict(inertia=1), r'inertia must be in \[0, 1\); found 1'),
    ],
)
def test_settings_that_cannot_be(setting, message):
    with pytest.raises(InputError, match=message):
        TrackerSettings(**setting)


def test_arrays_that_do_not_fit():
    with pytest.raises(InputError, match=r'sigmas must be a list of numbers above 0; found \(0,\)'):
        Tracker((0,))
    with pytest.raises(InputError, match=r'keypoints must have the shape \(1, 3, 2\)'):
        Tracker(SIGMAS).update(np.zeros((1, 4, 2)), np.zeros((1, 3)), np.zeros(1))
    with pytest.raises(InputError, match=r'keypoint_scores must have the shape \(1, 3\)'):
        Tracker(SIGMAS).update(np.zeros((1, 3, 2)), np.zeros(3), np.zeros(1))


def test_it_needs_no_torch():
    tree = ast.parse(Path(tracking.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {
        'collections.abc',
        'dataclasses',
        'numbers',
        'pathlib',
        'scipy.optimize',
        'typing',
        'errors',
        'onnx_runner',
        'people',
    }
    (plain,) = (node for node in ast.walk(tree) if isinstance(node, ast.Import))
    assert [name.name for name in plain.names] == ['numpy']
