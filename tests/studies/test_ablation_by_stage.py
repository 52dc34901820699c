"""The study's question who has a pose as proposed, as refined and as fused."""

import json

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, write_dataset

import numpy as np
import pytest

from studies.ablation import by_stage, metrics, report, study, testing, training, variants
from tests.helpers.ablations import LAYOUT, coco, entry, far_apart, results_of


def reached(persons, entries):
    """What each person of each image reaches, at OKS 0.3, 0.5 and 0.75."""
    data = coco(persons, [0.5] * len(persons))
    found = by_stage.reached_oks(data, entries, metrics.read_persons(data, LAYOUT), LAYOUT.sigmas)
    return [row.tolist() for row in found]


def moved(x, by):
    """The pose at x, of which every keypoint is `by` pixels too far right.

    2σ = 0.1 and area 400: its OKS is exp(-by² / 8).
    """
    return np.add(far_apart(x), (by, 0, 0))


def test_the_bounds_of_oks_by_hand():
    for by, wanted in (
        (0, [1, 1, 1]),
        (1.51, [1, 1, 1]),
        (1.52, [1, 1, 0]),
        (2.35, [1, 1, 0]),
        (2.36, [1, 0, 0]),
        (3.10, [1, 0, 0]),
        (3.11, [0, 0, 0]),
    ):
        assert reached([[far_apart(10)]], [entry(0, moved(10, by), 0.5)]) == [wanted], by


def test_keypoints_that_are_not_labeled_do_not_count():
    pose = [(10, 10, 0), (10, 32, 0), (99, 99, 0)]  # OKS (1 + exp(-1/2)) / 2 = 0.80
    assert reached([[far_apart(10, (2, 1, 0))]], [entry(0, pose, 0.1)]) == [[1, 1, 1]]
    assert reached([[far_apart(10, (2, 1, 1))]], [entry(0, pose, 0.1)]) == [[1, 1, 0]]
    pose = [(12.36, 10, 0), (12.36, 30, 0), (14, 30, 0)]  # the third alone is right
    assert reached([[far_apart(10, (2, 1, 0))]], [entry(0, pose, 0.1)]) == [[1, 0, 0]]


def test_scores_and_other_images_do_not_matter():
    entries = [entry(0, moved(10, 9), 0.9), entry(0, far_apart(10), 0.1), entry(1, moved(60, 9), 1)]
    assert reached([[far_apart(10), far_apart(60)], [far_apart(60)]], entries) == [
        [1, 1, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
    assert reached([[far_apart(10)]], []) == [[0, 0, 0]]


def test_poses_without_people_do_no_harm():
    assert reached([[far_apart(10)], []], [entry(1, far_apart(10), 1)]) == [[0, 0, 0]]


def test_one_pose_is_one_person():
    near = [far_apart(10), far_apart(11)]
    assert reached([near], [entry(0, moved(10, 0.8), 1)]) == [[0, 0, 0], [1, 1, 1]]
    # The first pose fits both (OKS 0.995 and 0.92), the second the first person (0.52) alone.
    both = [entry(0, moved(10, 0.2), 1), entry(0, moved(10, -2.3), 1)]
    assert reached([near], both) == [[1, 1, 1], [1, 1, 0]]


def test_shares_are_of_those_near_another_and_seen():
    data = coco(
        [[far_apart(10, (2, 2, 1)), far_apart(12, (1, 1, 1))], [far_apart(10), far_apart(50)]],
        [0.5, 0.5],
    )
    rows = np.array([[1, 1, 1], [1, 0, 0], [1, 0, 0], [0, 0, 0]], bool)
    found = by_stage.shares(rows, metrics.read_persons(data, LAYOUT))
    assert found == {
        'all': [0.75, 0.25, 0.25],
        'near another, half seen or more': [1, 1, 1],
        'near another, less seen': [1, 0, 0],
    }
    alone = metrics.read_persons(coco([[far_apart(10)]], [0.5]), LAYOUT)
    nobody = by_stage.shares(np.zeros((1, 3), bool), alone)['near another, less seen']
    assert np.isnan(nobody).all()


def test_stages_of_a_model(tmp_path, monkeypatch):
    write_dataset(
        tmp_path,
        CrowdSettings(size=(128, 128), persons=(2, 3)),
        2,
        seed=1,
        split='test',
        suffix='.png',
    )
    budget = training.Budget(images=2, persons=(2, 3), height=(0.4, 0.9))
    data, poses = testing.test_set(tmp_path, budget), []
    model = api.load('pinet_hrnet-slim_crowdsynth.py')
    before = dict(model.test_cfg)
    find_poses = testing.find_poses

    def keep(*args):
        poses.append(find_poses(*args))
        return poses[-1]

    monkeypatch.setattr(testing.api, 'load', lambda *_, **__: model)
    monkeypatch.setattr(testing, 'find_poses', keep)
    found = testing.test_by_stage(variants.VARIANTS['three-parts'], 'file', data)
    assert list(found) == ['proposed', 'refined', 'fused']
    assert all(0 <= share <= 1 for stage in found.values() for share in stage['all'])
    assert model.test_cfg == before
    proposed, refined, fused = poses
    assert len(proposed) == len(refined) > len(fused) > 0
    ours = [np.sort([one['keypoints'][0] for one in some]) for some in (proposed, refined)]
    assert np.abs(ours[0] - ours[1]).max() > 0.1


def test_settings_of_a_test_come_back_after_an_error():
    class Model:
        test_cfg = dict(flip_test=True)

    with pytest.raises(KeyError), testing._tested_with(Model, dict(oks_thr=1.0)):
        assert Model.test_cfg == dict(flip_test=True, oks_thr=1.0)
        raise KeyError
    assert Model.test_cfg == dict(flip_test=True)


def test_a_row_without_stages_is_tested_by_stage(tmp_path, monkeypatch):
    switches = testing.switches_of(variants.VARIANTS['one-centre'], 1)
    row = results_of(one_centre=[(1, switch, [0.1]) for switch in switches])['rows']['one-centre/1']
    (tmp_path / 'cid_0').mkdir()
    (tmp_path / 'cid_0' / 'epoch_1.pth').touch()
    assert study._is_left(tmp_path, 'one-centre', 1, row)
    assert not study._is_left(tmp_path, 'one-centre', 1, dict(row, by_stage={}))
    monkeypatch.setattr(study, 'test_set', lambda *_: 'data')
    monkeypatch.setattr(study, 'test_variant', lambda *_: {})
    monkeypatch.setattr(study, 'test_by_stage', lambda variant, checkpoint, data: data)
    found = study._row(tmp_path, study.Budget(), 'one-centre', 1, None, row)
    assert found == dict(row, by_stage='data')


def test_the_report_shows_every_stage(tmp_path):
    results = results_of(three_parts=[(0, 'fusion', [0.3]), (1, 'fusion', [0.3])])
    for seed, more in ((0, 0), (1, 0.02)):
        results['rows'][f'three-parts/{seed}']['by_stage'] = dict(
            proposed=dict(all=[0.5 + more, 0.4, 0.3]),
            refined=dict(all=[0.6, 0.5, 0.4]),
            fused=dict(all=[0.6, 0.45, 0.35]),
        )
    (tmp_path / 'results.json').write_text(json.dumps(results))
    text = report.write_report(tmp_path / 'results.json', tmp_path)[0].read_text()
    assert '| proposed, 0.3 | refined, 0.3 | fused, 0.3 | proposed, 0.5 |' in text
    assert (
        '| three parts | all | 51.0 ± 1.4 | 60.0 ± 0.0 | 60.0 ± 0.0 | 40.0 ± 0.0 | '
        '50.0 ± 0.0 | 45.0 ± 0.0 |'
    ) in text
