"""What holds for the identities of any poses, finite or not."""

from pinet_mm.inference.tracking import NOBODY, Tracker, TrackerSettings

import numpy as np

from tests.helpers.properties import ANY, PIXELS, always, arrays, hypothesis, st

given = hypothesis.given
SETTINGS = TrackerSettings().for_scores()


@st.composite
def videos(draw, values):
    """Draw frames of a video: keypoints (N, 2, 2), their scores (N, 2) and scores (N,)."""
    scores = ANY if values is ANY else st.floats(0, 1, width=16)
    return [
        (
            draw(arrays((count, 2, 2), values)),
            draw(arrays((count, 2), scores)),
            draw(arrays((count,), scores)),
        )
        for count in draw(st.lists(st.integers(0, 4), max_size=5))
    ]


def ids_of(video):
    tracker = Tracker([0.1, 0.2])
    return [tracker.update(*frame) for frame in video]


@always
@given(videos(ANY))
def test_any_poses_are_taken_and_the_broken_ones_are_nobody(video):
    known = set()
    for (keypoints, keypoint_scores, scores), ids in zip(video, ids_of(video)):
        finite = np.isfinite(keypoints).all((1, 2)) & np.isfinite(keypoint_scores).all(1)
        somebody = ids != NOBODY
        assert len(set(ids[somebody])) == somebody.sum() and (ids[somebody] > 0).all()
        assert not somebody[~finite].any()
        assert somebody[finite & (scores >= SETTINGS.start)].all()
        assert not somebody[~(scores >= SETTINGS.keep)].any()
        # Those who are new are counted on, one by one.
        assert sorted(set(ids[somebody]) - known) == [
            len(known) + 1 + i for i in range(len(set(ids[somebody]) - known))
        ]
        known |= set(ids[somebody])


@always
@given(videos(PIXELS), st.integers(-100, 100))
def test_a_shift_of_the_camera_changes_nobody(video, shift):
    moved = [(keypoints + shift, *scores) for keypoints, *scores in video]
    for one, other in zip(ids_of(video), ids_of(moved)):
        assert one.tolist() == other.tolist()


@always
@given(videos(PIXELS))
def test_broken_poses_beside_the_others_change_nobody(video):
    beside = [
        (
            np.concatenate((keypoints, np.full((1, 2, 2), np.nan))),
            np.concatenate((keypoint_scores, np.ones((1, 2)))),
            np.append(scores, 0.9),
        )
        for keypoints, keypoint_scores, scores in video
    ]
    for one, other in zip(ids_of(video), ids_of(beside)):
        assert [*one, NOBODY] == other.tolist()
