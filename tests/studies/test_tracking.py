"""The study of tracking: likeness by hand, perfect and wrong identities, the committed figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from studies.tracking.measures import AREA, measure, similarity
from studies.tracking.scenes import JITTERED, SOURCES, Poses, Truth, Video, jitter
from studies.tracking.study import BYTE, OURS, to_table

DOCS = Path(__file__).parents[2] / 'docs'
SIGMAS = np.array([0.05, 0.1])


def _truth(places, ids):
    keypoints = np.array([[[x, 0, 2], [x, 50, 1]] for x in places], float).reshape(-1, 2, 3)
    return Truth(np.array(ids), keypoints, np.full(len(places), 100.0))


def _video(frames):
    truth = [_truth(places, ids) for places, ids in frames]
    poses = [
        Poses(each.keypoints[..., :2], np.ones(each.keypoints.shape[:2]), np.ones(len(each.ids)))
        for each in truth
    ]
    return Video(truth, {JITTERED: poses})


def test_likeness_is_oks_over_the_labeled_keypoints():
    truth = _truth([0], [1])
    truth.keypoints[0, 1, 2] = 0
    # only the first keypoint counts, 10 px off: exp(-100 / (2 area (2 sigma)^2))
    expected = np.exp(-100 / (2 * AREA * 100**2 * 0.1**2))
    found = similarity(truth, np.array([[[10.0, 0], [999, 999]]]), SIGMAS)
    assert found == pytest.approx(expected)


def test_true_identities_measure_one_and_exchanged_ones_less():
    pytest.importorskip('trackers')
    video = _video([([0, 200], [1, 2])] * 10)

    def right():
        return lambda poses: np.array([7, 8])

    def exchanged():
        turns = iter(range(10))
        return lambda poses: np.array([7, 8] if next(turns) < 5 else [8, 7])

    found = measure([video], JITTERED, right, SIGMAS)
    assert (found['IDF1'], found['MOTA'], found['HOTA'], found['switches']) == (1, 1, 1, 0)
    found = measure([video], JITTERED, exchanged, SIGMAS)
    # each number is right in half of the frames; of 20 people, 2 are exchanged once
    assert (found['IDF1'], found['MOTA'], found['switches']) == (0.5, 0.9, 2)


def test_jittered_poses_are_off_as_much_as_it_says():
    keypoints = np.tile([[50.0, 50, 2], [50, 50, 1]], (4000, 1, 1))
    truth = Truth(np.arange(4000), keypoints, np.full(4000, 100.0))
    poses = jitter(np.random.default_rng(0), truth)
    off = (poses.keypoints - 50).std(axis=(0, 2))
    assert off == pytest.approx([1.5, 5], rel=0.05)
    # half covered: 2 % are missed
    assert len(poses.scores) == pytest.approx(3920, abs=30)
    assert poses.scores.mean() == pytest.approx(0.45, abs=0.01)


def test_the_committed_table_is_that_of_the_committed_results_and_the_tracker_is_ahead():
    rows = json.loads((DOCS / 'tracking' / 'results.json').read_text())['rows']
    assert to_table(rows) in (DOCS / 'tracking.md').read_text()
    by = {(row['poses'], row['tracker']): row['IDF1'] for row in rows}
    for source in SOURCES:
        assert by[source, OURS] > by[source, BYTE]
    assert by[SOURCES[0], OURS] > by[SOURCES[1], OURS]
