"""Who counts as found by either of two models, with annotations and without."""

import contextlib
import io
from pathlib import Path

from pinet_mm import comparison
from pinet_mm.comparison import Annotations, judging

import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from tests.helpers.found import SHAPE, SIGMAS, entry, persons, poses, write_annotations

# --- who is found --------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(12))
def test_people_are_found_as_cocos_evaluation_finds_them(seed, tmp_path):
    rng = np.random.default_rng(seed)
    bodies = rng.uniform(20, 100, (6, 1, 2)) + rng.normal(0, 15, (6, 5, 2))
    bodies[1:3] = bodies[0] + rng.normal(0, 3, (2, 5, 2))  # three who are hard to tell apart
    labels = rng.integers(0, 3, (6, 5)) * (rng.random((6, 1)) < 0.8)
    entries = [
        entry(i + 1, body, label, area=float(rng.uniform(400, 2000)))
        for i, (body, label) in enumerate(zip(bodies, labels))
    ]
    entries[5]['iscrowd'] = 1
    path = write_annotations(tmp_path / 'a.json', entries)
    keypoints = np.concatenate([bodies + rng.normal(0, 2, bodies.shape) for _ in range(2)])
    scores = np.sort(rng.random(12))[::-1]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        triples = np.concatenate((keypoints, np.ones((12, 5, 1))), axis=-1)
        found = truth.loadRes(
            [
                dict(image_id=7, category_id=1, keypoints=each.ravel().tolist(), score=score)
                for each, score in zip(triples, scores)
            ]
        )
        wanted = COCOeval(truth, found, 'keypoints', SIGMAS)
        wanted.params.iouThrs = [0.5]
        wanted.evaluate()
    evaluated = wanted.evalImgs[0]  # of all areas
    people = Annotations(path, 5).persons(7)
    result = judging.judge_by_annotations([poses(*np.zeros((12, 2)))] * 2, people, SIGMAS)
    assert len(result.people.keypoints) == (np.array(evaluated['gtIgnore']) == 0).sum()
    each = InstanceData(keypoints=keypoints, bbox_scores=scores)
    view, _ = judging.judge_by_annotations([each] * 2, people, SIGMAS).views
    # COCO's ids of annotations, in our order: those who count.
    ids = [
        number for number, ignored in zip(evaluated['gtIds'], evaluated['gtIgnore']) if not ignored
    ]
    matches = dict(zip(evaluated['gtIds'], evaluated['gtMatches'][0]))
    expected = np.full(12, -1)
    for person, number in enumerate(ids):
        if matches[number] >= 0:
            expected[evaluated['dtIds'].index(matches[number])] = person
    np.testing.assert_array_equal(view.shown, expected)
    assert view.missed.tolist() == [i for i, number in enumerate(ids) if matches[number] < 0]


def test_of_more_than_twenty_poses_the_best_twenty_can_find_somebody():
    middles = [(100 * i, 100) for i in range(25)]
    result = judging.judge_by_annotations([poses(*middles), poses()], persons(*middles), SIGMAS)
    assert result.views[0].missed.tolist() == [20, 21, 22, 23, 24]
    assert len(result.views[0].poses) == 25 and result.views[0].shown[20:].tolist() == [-1] * 5


def test_nobody_on_either_side():
    people, nobody = persons((100, 100)), persons()
    result = judging.judge_by_annotations([poses(), poses((100, 100))], people, SIGMAS)
    assert [view.missed.tolist() for view in result.views] == [[0], []]
    result = judging.judge_by_annotations([poses(), poses((100, 100))], nobody, SIGMAS)
    assert [view.missed.tolist() for view in result.views] == [[], []]
    assert result.views[1].shown.tolist() == [-1]
    for first, second, missed in (
        (poses(), poses(), [[], []]),
        (poses((50, 50)), poses(), [[], [0]]),
        (poses(), poses((50, 50)), [[0], []]),
    ):
        result = judging.judge_each_other([first, second], SIGMAS)
        assert [view.missed.tolist() for view in result.views] == missed
        assert result.persons is None and len(result.people.keypoints) == max(
            len(first), len(second)
        )


def plain_oks(first, second):
    """The OKS of two poses, keypoint by keypoint, as the supplement defines it."""
    area = np.mean([np.ptp(pose[:, 0]) * np.ptp(pose[:, 1]) for pose in (first, second)])
    return np.mean(
        [
            np.exp(-((a - b) ** 2).sum() / (2 * area * (2 * sigma) ** 2))
            for a, b, sigma in zip(first, second, SIGMAS)
        ]
    )


@pytest.mark.parametrize('seed', range(5))
def test_without_annotations_the_models_judge_each_other(seed):
    rng = np.random.default_rng(seed)
    middles = rng.uniform(40, 300, (6, 2))
    first = poses(*middles[:5] + rng.normal(0, 4, (5, 2)))
    second = poses(*middles[1:] + rng.normal(0, 4, (5, 2)))
    result = judging.judge_each_other([first, second], SIGMAS)
    alike = np.array([[plain_oks(a, b) > 0.5 for b in second.keypoints] for a in first.keypoints])
    new = [i for i in range(5) if not any(alike[:, i])]
    assert result.views[1].missed.tolist() == [i for i in range(5) if not any(alike[i])]
    assert result.views[0].missed.tolist() == [5 + i for i in range(len(new))]
    assert result.views[0].shown.tolist() == [0, 1, 2, 3, 4]
    for pose, person in enumerate(result.views[1].shown):
        assert person == 5 + new.index(pose) if pose in new else alike[person, pose]
    wanted = np.concatenate((first.keypoints, second.keypoints[new]))
    np.testing.assert_allclose(result.people.keypoints, wanted)
    assert result.people.labeled.all()


def test_poses_count_by_their_score_the_best_first():
    people = poses((50, 50), (60, 60), (70, 70), scores=[0.2, 0.1, 0.9])
    people.keypoint_scores = np.tile([[0.3], [0.05], [0.2]], 5)
    counted = comparison.counted_poses(PoseDataSample(pred_instances=people), 0.15)
    assert counted.bbox_scores.tolist() == [0.9, 0.2]
    np.testing.assert_array_equal(counted.keypoints[:, 0], [[70, 40], [50, 20]])
    np.testing.assert_array_equal(counted.keypoints_visible[:, 0], [0.2, 0.3])
    del people.bbox_scores  # as MMPose's CID leaves them: the mean of the keypoints'
    counted = comparison.counted_poses(PoseDataSample(pred_instances=people), 0.15)
    np.testing.assert_allclose(counted.bbox_scores, [0.3, 0.2])


def test_images_are_ordered_by_crowding_or_by_difference():
    def image(first, second, crowd_index, total=5):
        views = [judging.View(None, None, np.arange(total - found)) for found in (first, second)]
        return judging.Comparison(
            None, views, persons(*np.zeros((total, 2)), crowd_index=crowd_index)
        )

    images = [
        image(3, 3, 0.9),
        image(4, 2, 0.1),
        image(1, 3, 0.4),
        image(0, 3, None),
        image(3, 3, 0.9, total=6),
        image(2, 2, None),
    ]
    assert judging.most_different_first(images) == [3, 2, 1, 4, 0, 5]
    assert judging.hardest_first(images) == [4, 0, 2, 1, 3, 5]
    assert judging.choose(images) == [0, 1, 2, 3, 4, 5]
    assert judging.choose(images, hardest=3) == [4, 0, 2]
    assert judging.choose(images, most_different=3) == [3, 2, 1]
    assert judging.choose(images, hardest=4, most_different=2) == [2, 1]


# --- annotations ---------------------------------------------------------------------------------


def test_annotated_people_are_read(tmp_path):
    body, seen = SHAPE + 64.0, np.array([2, 1, 0, 2, 2])
    entries = [
        entry(1, body, seen),
        entry(2, body, seen, area=9.0),
        entry(3, body, seen * 0),
        dict(entry(4, body, seen), iscrowd=1),
    ]
    truth = Annotations(write_annotations(tmp_path / 'a.json', entries), 5)
    people = truth.persons(truth.find(Path('elsewhere/a.png')))
    np.testing.assert_array_equal(people.keypoints, [body, body])
    np.testing.assert_array_equal(people.labeled, [[True, True, False, True, True]] * 2)
    np.testing.assert_allclose(people.areas, [0.53 * 60 * 60, 9])
    np.testing.assert_array_equal(people.boxes, [[34, 34, 94, 94]] * 2)
    assert people.crowd_index == 0.5
    assert truth.find(Path('b.png')) is None
    empty = Annotations(write_annotations(tmp_path / 'b.json', []), 5).persons(7)
    assert empty.keypoints.shape == (0, 5, 2) and empty.boxes.shape == (0, 4)


def test_images_of_one_name_are_told_apart_by_their_folders(tmp_path):
    images = [dict(id=1, file_name='x/a.png'), dict(id=2, file_name='y/a.png')]
    truth = Annotations(write_annotations(tmp_path / 'a.json', [], images), 5)
    assert truth.find(tmp_path / 'y' / 'a.png') == 2
    with pytest.raises(ValueError, match=r'a.json holds several images named a.png, and .*z/a'):
        truth.find(tmp_path / 'z' / 'a.png')


def test_wrong_annotations_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='annotation file .*gone.json does not exist'):
        Annotations(tmp_path / 'gone.json', 5)
    for text, problem in (
        ('{', ' is no JSON: .* in line 1, column 2'),
        ('[]', ': .*expected a list each, found a list'),
        ('{"images": []}', ': .*found no images, annotations, categories'),
    ):
        (tmp_path / 'bad.json').write_text(text)
        with pytest.raises(ValueError, match=f'bad.json{problem}'):
            Annotations(tmp_path / 'bad.json', 5)
    path = write_annotations(tmp_path / 'a.json', [entry(1, SHAPE, np.ones(5))])
    with pytest.raises(
        ValueError, match='a.json: annotation 1 has 5 keypoints; expected 17, as the m'
    ):
        Annotations(path, 17)
    Annotations(path, 5).require_size(Path('a.png'), (128, 128))
    with pytest.raises(ValueError, match=r'a.png has 64x128 pixels; .*a.json is for 128x128'):
        Annotations(path, 5).require_size(Path('a.png'), (128, 64))


@pytest.mark.parametrize('size', [{}, dict(width=64), dict(height=64), dict(width=64, height=None)])
def test_a_record_without_both_sides_says_no_size(size, tmp_path):
    images = [dict(id=1, file_name='a.png', **size)]
    truth = Annotations(write_annotations(tmp_path / 'a.json', [], images), 5)
    truth.require_size(Path('a.png'), (128, 100))
