"""Why AP is 0, by hand: one person of 20×40 px at (10, 10) per image."""

from pinet_mm.datasets.reasons import why_no_number, why_zero

import numpy as np
import pytest

from tests.helpers.changes import person

SIGMAS = [0.05] * 5


def pose(annotation, score=0.5, factor=1.0, shift=0.0, image_id=None):
    """The pose of an annotated person, scaled about the image's corner and shifted."""
    keypoints = np.array(annotation['keypoints'], dtype=float).reshape(-1, 3)
    keypoints[:, :2] = keypoints[:, :2] * factor + shift
    keypoints[:, 2] = score
    image_id = annotation['image_id'] if image_id is None else image_id
    return dict(image_id=image_id, keypoints=keypoints.ravel().tolist(), score=score)


PERSON = person(1, 1, 10, 10)


def test_nothing_is_said_of_a_person_who_is_found():
    assert why_zero([PERSON], [pose(PERSON), pose(PERSON, 0.9, shift=50)], SIGMAS) is None


def test_nobody_is_annotated():
    nobody = dict(PERSON, num_keypoints=0)
    assert 'no person with labeled keypoints' in why_zero([nobody], [pose(PERSON)], SIGMAS)
    crowd = dict(PERSON, iscrowd=1)
    assert 'no person with labeled keypoints' in why_zero([crowd], [pose(PERSON)], SIGMAS)


def test_nothing_is_proposed_or_elsewhere():
    assert 'proposed no pose in any image' in why_zero([PERSON], [], SIGMAS)
    assert 'of other images' in why_zero([PERSON], [pose(PERSON, image_id=7)], SIGMAS)


def test_a_training_that_has_just_begun_is_not_asked_for_its_weights():
    weak = [pose(PERSON, 0.05, shift=(10, 0))]
    for poses, doubt in (([], 'those that were annotated?'), (weak, 'the right checkpoint?')):
        assert why_zero([PERSON], poses, SIGMAS).count(doubt) == 1
        said = why_zero([PERSON], poses, SIGMAS, iterations=20)
        assert doubt not in said
        assert said.count('its last training has gone on for 20 iterations') == 1


def test_what_poses_say_of_the_data_follows_the_word_on_a_training_that_has_just_begun():
    # A short training may go on with good weights. Poses four times as large, and sure of it: the
    # corner, at (10, 10), is off by (30, 30), so that OKS is exp(-1800 / 8.48) = 0.00.
    large = [pose(PERSON, factor=4.0)]
    said = why_zero([PERSON], large, SIGMAS, iterations=1)
    assert said.startswith('its last training has gone on for 1 iteration; if it stays so, look at')
    assert said.endswith('; ' + why_zero([PERSON], large, SIGMAS))
    assert 'OKS of 0.00' in said and '1 of 1 poses score' in said and '4 times as large' in said
    assert 'last training' not in why_zero([PERSON], large, SIGMAS, iterations=5000)
    assert why_zero([PERSON], [pose(PERSON)], SIGMAS, iterations=2) is None


def test_the_best_oks_and_the_scores():
    # All keypoints 10 px beside: exp(-100 / (2 · 0.1² · 0.53 · 800)) = exp(-11.79) = 0.0000.
    said = why_zero([PERSON], [pose(PERSON, 0.05, shift=(10, 0))], SIGMAS)
    assert 'OKS of 0.00, below 0.5' in said
    assert '0 of 1 poses score above 0.1; ' in said and 'the right checkpoint?' in said
    assert 'times as large' not in said
    # 3 px beside: exp(-9 / 8.48) = 0.346.
    said = why_zero([PERSON], [pose(PERSON, 0.9, shift=(3, 0))], SIGMAS)
    assert 'OKS of 0.35' in said and '1 of 1 poses score above 0.1' in said
    assert 'checkpoint' not in said


def test_areas_are_those_of_the_metric():
    # 3 px beside at an area of 800 instead of 424: exp(-9 / 16) = 0.57, so AP is not 0.
    larger = dict(PERSON, area=800)
    found = [pose(PERSON, 0.9, shift=(3, 0))]
    assert why_zero([larger], found, SIGMAS) is None
    assert 'OKS of 0.35' in why_zero([larger], found, SIGMAS, use_area=False)


@pytest.mark.parametrize('factor', [0.25, 4.0])
def test_another_scale_is_said(factor):
    said = why_zero([PERSON], [pose(PERSON, factor=factor)], SIGMAS)
    assert f'poses are {factor:.2g} times as large as the people' in said


def test_the_size_of_poses_that_nobody_believes_says_nothing():
    said = why_zero([PERSON], [pose(PERSON, 0.05, factor=4.0)], SIGMAS)
    assert 'times as large' not in said and 'the right checkpoint?' in said


def reordered(annotation, order):
    """The pose of an annotated person whose keypoint k is at the person's `order[k]`."""
    keypoints = np.array(annotation['keypoints'], dtype=float).reshape(-1, 3)[list(order)]
    return dict(pose(annotation), keypoints=keypoints.ravel().tolist())


def test_another_order_of_keypoints_is_said():
    # Nose and feet as annotated; left and right hand, 20 px apart, exchanged: 3 of 5 match, so the
    # sigmas of the test would give an OKS of 0.6. With all in another order nothing is alike.
    people = [person(i, i, 10, 10) for i in (1, 2, 3)]
    found = [reordered(each, (3, 4, 0, 1, 2)) for each in people]
    said = why_zero(people, found, SIGMAS)
    assert 'in another order of keypoints they match: number 0 of the poses lies at 3, 1' in said
    assert 'lies at 0 of the people' in said and 'metainfo' in said
    assert why_zero(people, found, SIGMAS, iterations=2).endswith(said)
    # Two of three are elsewhere: no order makes them alike.
    others = [found[0], *(dict(each, keypoints=[200.0, 9, 1] * 5) for each in found[1:])]
    assert 'order' not in why_zero(people, others, SIGMAS)
    # Unlabeled keypoints do not hide it, a few labeled ones do not show it.
    most = [person(i, i, 10, 10, labeled=4) for i in (1, 2, 3)]
    assert 'another order' in why_zero(most, found, SIGMAS)
    few = [person(i, i, 10, 10, labeled=2) for i in (1, 2, 3)]
    assert 'order' not in why_zero(few, found, SIGMAS)


def test_an_order_is_not_blamed_for_what_is_only_beside():
    # 3 px beside, at a distance of 20 px to other keypoints: the order is that of the person.
    said = why_zero([PERSON], [pose(PERSON, 0.9, shift=(3, 0))], SIGMAS)
    assert 'order' not in said


@pytest.mark.filterwarnings('ignore:overflow')
@pytest.mark.parametrize('far', [1e30, 1e200, 1.7e308])
def test_poses_that_lie_beyond_all_bounds_are_only_beside(far):
    said = why_zero([PERSON], [pose(PERSON, 0.9, shift=(far, -far))], SIGMAS)
    assert 'OKS of 0.00' in said and 'order' not in said


def test_another_category_is_said():
    found = [dict(pose(PERSON), category_id=1)]
    said = why_zero([dict(PERSON, category_id=9)], found, SIGMAS)
    assert said == 'the poses have the category_id 1, the people 9'
    assert why_zero([PERSON], found, SIGMAS) is None


def test_no_number_at_all_is_another_matter():
    crowd, nobody = dict(PERSON, iscrowd=1), dict(PERSON, num_keypoints=0)
    said = why_no_number([crowd, nobody, nobody])
    assert 'no annotated person who counts: of 3 annotations 1 are crowds' in said


def test_of_expected_oks_other_scores_are_low():
    found = [pose(PERSON, 0.2, shift=(10, 0))]
    assert '1 of 1 poses score above 0.1' in why_zero([PERSON], found, SIGMAS)
    said = why_zero([PERSON], found, SIGMAS, score_kind='expected OKS')
    assert '0 of 1 poses score above 0.4' in said
