"""The measures of the ablation: near people, shares of found ones, folds."""

import json

import numpy as np
import pytest
from xtcocotools.cocoeval import COCOeval

from studies.ablation import metrics
from tests.helpers.ablations import LAYOUT, K, coco, entry, far_apart


def measured(data, entries, folds=1):
    return metrics.measure(data, entries, metrics.read_persons(data, LAYOUT), LAYOUT.sigmas, folds)


# People and who is near whom


def test_near_people_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    persons = [
        [
            np.column_stack((rng.uniform(0, 40, (K, 2)), rng.integers(0, 3, K)))
            for _ in range(rng.integers(1, 5))
        ]
        for _ in range(12)
    ]
    data = coco(persons, [0.5] * len(persons))
    found = metrics.read_persons(data, LAYOUT)
    kept = [
        (i, points)
        for i, image in enumerate(persons)
        for points in image
        if (points[:, 2] > 0).any()
    ]
    assert found.images.tolist() == [i for i, _ in kept]
    for name, members in dict(top=[0], low=[1, 2], person=[0, 1, 2]).items():
        centers = []
        for _, points in kept:
            labeled = [points[k, :2] for k in members if points[k, 2] > 0]
            centers.append(np.mean(labeled, axis=0) if labeled else (np.nan, np.nan))
        wanted = [
            any(
                b != a
                and kept[b][0] == kept[a][0]
                and np.hypot(*np.subtract(centers[b], centers[a])) < 8
                for b in range(len(kept))
            )
            for a in range(len(kept))
        ]
        assert 0 < sum(wanted) < len(wanted)
        assert found.near[name].tolist() == wanted
    assert found.near['any'].tolist() == (found.near['top'] | found.near['low']).tolist()


def test_shares_of_seen_keypoints_leave_out_unlabeled_ones():
    data = coco([[far_apart(5, (2, 1, 0))], [far_apart(5, (1, 1, 1))]], [0, 1])
    assert metrics.read_persons(data, LAYOUT).seen_shares.tolist() == [0.5, 0.0]


# Measures


def test_one_person_of_two_found():
    data = coco([[far_apart(10), far_apart(60)]], [0.05])
    scores = {
        name: value['all'] for name, value in measured(data, [entry(0, far_apart(10), 0.9)]).items()
    }
    # Recall is 1/2 at every threshold: 51 of the 101 recall levels have precision 1.
    assert [scores[name] for name in ('AP', 'AP50', 'AP_easy')] == pytest.approx([51 / 101] * 3)
    assert scores['AR'] == scores['recall_seen_75-100'] == scores['keypoints_seen'] == 0.5
    assert np.isnan(
        [
            scores[name]
            for name in (
                'AP_medium',
                'AP_hard',
                'recall_near_any',
                'recall_seen_0-25',
                'keypoints_hidden',
            )
        ]
    ).all()


def test_keypoints_of_a_found_person_count_by_their_own_distance():
    # 2σ = 0.1 and area 400: a keypoint's term of OKS is exp(-d² / 8), 0.5 at d = 2.355.
    pose = far_apart(10, (2, 1, 2))
    moved = [(10, 10, 0), (10, 32.3, 0), (14, 32.4, 0)]  # 0, 2.3 and 2.4 pixels away
    scores = measured(coco([[pose]], [0.5]), [entry(0, moved, 0.9)])
    assert scores['keypoints_seen']['all'] == 0.5
    assert scores['keypoints_hidden']['all'] == 1.0


def test_crowding_takes_its_bounds_from_crowdpose():
    crowding = [0.0, 0.1, 0.79, 0.8, 1.0]
    data = coco([[far_apart(10)]] * 5, crowding)
    scores = measured(data, [entry(i, far_apart(10), 0.9) for i in (0, 1, 3)])
    assert scores['AP_easy']['all'] == pytest.approx(1)
    assert scores['AP_medium']['all'] == scores['AP_hard']['all']
    assert scores['AP_hard']['all'] == pytest.approx(51 / 101)


def test_no_poses_at_all_score_zero():
    scores = measured(coco([[far_apart(10)], [far_apart(10)]], [0.5, 0.5]), [], folds=2)
    assert scores['AP'] == dict(all=0, folds=[0, 0])
    assert scores['recall_seen_75-100'] == dict(all=0, folds=[0, 0])


def test_folds_are_what_coco_says_of_their_images_alone():
    rng = np.random.default_rng(1)
    persons = [
        [np.column_stack((rng.uniform(0, 90, (K, 2)), np.full(K, 2))) for _ in range(3)]
        for _ in range(9)
    ]
    entries = [
        entry(i, points + np.array([*rng.normal(0, 2, 2), 0]), rng.uniform())
        for i, image in enumerate(persons)
        for points in image
        for _ in range(2)
    ]
    scores = measured(coco(persons, [0.5] * 9), entries, folds=3)
    for fold in range(3):
        members = [i for i in range(9) if i % 3 == fold]
        alone = coco([persons[i] for i in members], [0.5] * 3)
        mine = [
            dict(one, image_id=members.index(one['image_id']))
            for one in entries
            if one['image_id'] in members
        ]
        for metric, use_area in (('AP', True), ('AP_box_area', False)):
            evaluation = COCOeval(
                alone,
                alone.loadRes(json.loads(json.dumps(mine))),
                'keypoints',
                np.array(LAYOUT.sigmas),
                use_area,
            )
            evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
            assert 0 < evaluation.stats[0] < 1
            assert scores[metric]['folds'][fold] == pytest.approx(evaluation.stats[0])
            if use_area:
                assert scores['AP75']['folds'][fold] == pytest.approx(evaluation.stats[2])
                assert scores['AR']['folds'][fold] == pytest.approx(evaluation.stats[5])
