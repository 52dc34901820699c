"""Who counts as found: COCO's own matching, against its rules in plain loops and by hand."""

from pinet_mm.datasets.matching import Persons, oks_terms, person_oks, shown_persons

import numpy as np
import pytest

SIGMAS = np.full(5, 0.05)
SHAPE = np.array([[0, -30], [-30, 0], [30, 0], [-20, 30], [20, 30]], dtype=float)


def persons_at(keypoints, labeled=None, areas=3600.0):
    keypoints = np.asarray(keypoints, dtype=float)
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
    labeled = np.ones(keypoints.shape[:2], bool) if labeled is None else np.array(labeled)
    return Persons(keypoints, labeled, np.full(len(keypoints), areas), boxes)


def match_greedily(oks, most=20):
    """The rules of COCO in plain words: from best to worst, the free person most like the pose."""
    shown, free = [], set(range(oks.shape[1]))
    for row in oks[:most]:
        # Of equal ones the last.
        best = max(free, key=lambda person: (row[person], person), default=None)
        if best is None or row[best] < 0.5:
            shown.append(-1)
        else:
            shown.append(best)
            free.remove(best)
    return shown + [-1] * (len(oks) - len(shown))


@pytest.mark.parametrize('seed', range(8))
def test_poses_show_the_people_of_cocos_rules(seed):
    rng = np.random.default_rng(seed)
    people = rng.uniform(20, 400, (9, 1, 2)) + SHAPE + rng.normal(0, 3, (9, 5, 2))
    people[1:4] = people[0] + rng.normal(0, 4, (3, 5, 2))  # hard to tell apart
    labeled = rng.random((9, 5)) < 0.7
    labeled[:, 0] = True
    persons = persons_at(people, labeled)
    poses = np.concatenate([people + rng.normal(0, 4, people.shape) for _ in range(3)])
    scores = np.sort(rng.random(27))[::-1]
    oks = person_oks(poses, people, labeled, persons.areas, SIGMAS)
    wanted = match_greedily(oks)
    assert shown_persons(poses, scores, persons, SIGMAS).tolist() == wanted
    assert len(set(wanted)) > 6 and set(wanted[20:]) == {-1}


def test_only_the_best_twenty_poses_of_an_image_count():
    people = 100.0 * np.arange(25)[:, None, None] + SHAPE
    scores = np.linspace(1, 0.5, 25)
    persons = persons_at(people)
    shown = shown_persons(people, scores, persons, SIGMAS)
    assert shown.tolist() == [*range(20), *[-1] * 5]
    # By score, in whatever order they stand.
    shown = shown_persons(people[::-1], scores[::-1], persons, SIGMAS)
    assert shown.tolist() == [*[-1] * 5, *range(19, -1, -1)]


@pytest.mark.parametrize(
    'oks, wanted',
    [
        ([[0.9, 0.8], [0.8, 0.6]], [0, 1]),  # the second takes what is left
        ([[0.9, 0.6], [0.8, 0.4]], [0, -1]),  # a pose serves one person, a person one pose
        ([[0.501, 0.4]], [0]),
        ([[0.7, 0.7]], [1]),  # of equal ones the last
        ([[0.3, 0.499]], [-1]),
    ],
)
def test_matching_by_hand(oks, wanted):
    # A different keypoint of each person is labeled, so a pose's OKS with each can be chosen.
    labeled = np.eye(2, 5, dtype=bool)
    persons = persons_at(np.zeros((2, 5, 2)) + SHAPE, labeled)
    poses = np.zeros((len(oks), 5, 2)) + SHAPE
    poses[:, :2, 0] += np.sqrt(-np.log(oks) * 2 * 3600 * 0.1**2)
    scores = np.linspace(1, 0.5, len(oks))
    assert shown_persons(poses, scores, persons, SIGMAS).tolist() == wanted
    assert match_greedily(np.array(oks)) == wanted


def test_nobody_is_shown_where_nobody_is():
    some, nobody = SHAPE[None], np.zeros((0, 5, 2))
    assert shown_persons(some, np.ones(1), persons_at(nobody), SIGMAS).tolist() == [-1]
    assert shown_persons(nobody, np.ones(0), persons_at(some), SIGMAS).tolist() == []


def test_oks_with_a_person_by_hand():
    labeled = np.array([[True, True, False, False, False]])
    moved = SHAPE[None].copy()
    moved[0, 1] += 3, 4
    moved[0, 2:] += 1000  # not labeled
    # exp(−d² / (2 (2σ)² S)) with d = 5, σ = 0.05, S = 50 is exp(−25); the head is exact.
    oks = person_oks(moved, SHAPE[None], labeled, np.array([50.0]), SIGMAS)
    np.testing.assert_allclose(oks, [[(1 + np.exp(-25)) / 2]], rtol=1e-12)
    truth = SHAPE[None].copy()
    truth[0, 2:] = np.nan
    np.testing.assert_array_equal(person_oks(moved, truth, labeled, np.array([50.0]), SIGMAS), oks)


def test_a_person_without_an_area_is_only_what_is_exact():
    terms = oks_terms(
        np.array([[[3.0, 4.0], [5.0, 6.0]]]),
        np.array([[[3.0, 4.0], [5.0, 6.5]]]),
        np.zeros(1),
        [0.05, 0.1],
    )
    assert terms.tolist() == [[1, 0]]
