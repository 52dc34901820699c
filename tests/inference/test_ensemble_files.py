"""Files of poses fused into one, its errors, and the AP of files."""

import json

from pinet_mm.datasets.evaluation import average_precision
from pinet_mm.datasets.pose_files import Poses, read_results, write_poses
from pinet_mm.errors import InputError
from pinet_mm.inference.ensemble import fuse_files

import numpy as np
import pytest

from tests.helpers.evaluations import (
    ap_of_share,
    evaluate,
    make_prediction,
    person,
    write_annotations,
)
from tests.helpers.tools import load_tool

SIGMAS = (0.05, 0.06, 0.07, 0.08, 0.09)

# --- files ---------------------------------------------------------------------------------------


def entry(image_id, dx, scores, score=None):
    """An entry of a file: the person moved to the right, with its keypoint scores."""
    points = person(5, dx)
    points[:, 2] = scores
    return dict(
        image_id=image_id,
        category_id=1,
        keypoints=points.ravel().tolist(),
        score=float(np.mean(scores)) if score is None else score,
    )


def write(path, entries):
    path.write_text(json.dumps(entries))
    return path


def test_poses_that_do_not_meet_stay_as_they_are(tmp_path):
    entries = [
        entry('b', 0, [0.9, 0.8, 0.7, 0.6, 0.5]),
        entry('b', 900, [0.25] * 5),
        entry(7, 0, [0.3, -0.1, 0.1, 0.1, 0.1]),
    ]
    fused = fuse_files([write(tmp_path / 'a.json', entries)], SIGMAS)
    write_poses(tmp_path / 'new' / 'fused.json', fused)
    assert json.loads((tmp_path / 'new' / 'fused.json').read_text()) == entries


def test_images_that_one_file_has(tmp_path):
    one, other, same = entry(1, 0, [0.5] * 5), entry(2, 0, [0.4] * 5), entry(3, 0, [0.1] * 5)
    first = write(tmp_path / 'a.json', [one, same])
    second = write(tmp_path / 'b.json', [entry(3, 0, [0.3] * 5), other])
    fused = fuse_files([first, second, write(tmp_path / 'c.json', [])], SIGMAS)
    assert {key: poses.scores.tolist() for key, poses in fused.items()} == {
        1: [0.5],
        3: [pytest.approx(0.3)],
        2: [pytest.approx(0.4)],
    }


def test_a_score_that_is_no_mean_scales_the_keypoint_scores(tmp_path):
    # As CocoMetric writes it: the box's score times the keypoints'. A mean of 0 gives no ratio.
    path = write(
        tmp_path / 'a.json',
        [entry(1, 0, [0.2, 0.4, 0.6, 0.8, 1], score=0.3), entry(1, 900, [0] * 5, score=0.1)],
    )
    scores = read_results(path).images[1].keypoint_scores
    np.testing.assert_allclose(scores, [[0.1, 0.2, 0.3, 0.4, 0.5], [0.1] * 5])


@pytest.mark.parametrize(
    'content, problem',
    [
        ('[', 'is no JSON'),
        ('{"pictures": []}', "must hold a list, COCO's result format; found a dict"),
        ('[1]', "entry 0 has no 'image_id'; .* found int"),
        ('[{"image_id": 1, "bbox": [0, 0, 1, 1]}]', r"entry 0 has no 'keypoints'; .*'bbox'"),
        (
            '[{"image_id": 1, "keypoints": [1, 2, 3, 4], "score": 1}]',
            r'entry 0: .* row of x, y and score of each; found numbers of shape \(4,\)',
        ),
        ('[{"image_id": 1, "keypoints": [], "score": 1}]', r'shape \(0,\)'),
        ('[{"image_id": 1, "keypoints": [1, 2, null], "score": 1}]', 'must be finite'),
        ('[{"image_id": 1, "keypoints": [1, 2, 3], "score": null}]', 'entry 0: float'),
        ('[{"image_id": 1, "keypoints": [1, "2", 3], "score": 1}]', "numbers alone; found '2'"),
        ('[{"image_id": 1, "keypoints": [1, 2, true], "score": 1}]', 'numbers alone; found True'),
        ('[{"image_id": 1, "keypoints": [1, 2, 3], "score": "1"}]', "entry 0: .*; found '1'"),
        (
            f'[{{"image_id": 1, "keypoints": [1{"0" * 400}, 2, 3], "score": 1}}]',
            'entry 0: int too large',
        ),
        ('[{"image_id": [1], "keypoints": [1, 2, 3], "score": 1}]', r'or text; found \[1\]'),
        ('[{"image_id": null, "keypoints": [1, 2, 3], "score": 1}]', 'entry 0: image_id must be'),
        (
            '[{"image_id": 1, "keypoints": [1, 2, 3], "score": 3},'
            ' {"image_id": 2, "keypoints": [1, 2, 3, 4, 5, 6], "score": 4}]',
            r'a.json: entry 0 has 1 keypoints; expected 5, as there are sigmas: is it of another',
        ),
        (
            '[{"image_id": 1, "keypoints": [1, 2, 3], "score": 3}]',
            'entry 0 has 1 keypoints; expected 5, as there are sigmas',
        ),
    ],
)
def test_wrong_files(content, problem, tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(content)
    sigmas = SIGMAS[:1] if 'null' in content else SIGMAS
    with pytest.raises(ValueError, match=problem):
        fuse_files([path], sigmas)


def cut(pose, keypoints):
    return dict(pose, keypoints=pose['keypoints'][: 3 * keypoints], score=pose['keypoints'][2])


def test_poses_of_one_file_have_one_number_of_keypoints(tmp_path):
    poses = [entry(i, 0, [0.5] * 5) for i in range(3)]
    path = write(tmp_path / 'a.json', [*poses, cut(poses[0], 4)])
    with pytest.raises(InputError, match='a.json: entry 3 has 4 keypoints; expected 5, as entry 0'):
        read_results(path)


@pytest.mark.parametrize(
    'poses, people, problem',
    [
        (3, 5, 'found.json: entry 1 has 3 keypoints; expected 5, as there are sigmas'),
        (5, 3, 'a.json: annotation 1 has 3 keypoints; expected 5, as there are sigmas'),
        (3, 3, 'found.json: entry 1 has 3 keypoints; expected 5, as there are sigmas'),
    ],
)
def test_ap_of_other_keypoints_is_refused(tmp_path, poses, people, problem):
    write_annotations(tmp_path / 'a.json', [[person(people)]], people)
    found = entry(0, 0, [0.5] * 5)
    write(tmp_path / 'found.json', [found, cut(found, poses)])
    with pytest.raises(InputError, match=problem):
        average_precision(tmp_path / 'found.json', tmp_path / 'a.json', SIGMAS)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.json does not exist'):
        read_results(tmp_path / 'none.json')
    with pytest.raises(FileNotFoundError, match='none.json does not exist'):
        average_precision(tmp_path / 'none.json', tmp_path / 'a.json', SIGMAS)


# --- AP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'leaf, k, iou_type',
    [('pinet_hrnet_crowdpose', 14, 'keypoints_crowd'), ('pinet_hrnet_coco', 17, 'keypoints')],
)
def test_ap_is_that_of_the_configs(leaf, k, iou_type, tmp_path):
    # Of a crowd without annotated areas, as CrowdPose's; found roughly, and strangers with it.
    rng = np.random.default_rng(0)
    persons = [[person(k, dx) for dx in (0, 300)] for _ in range(6)]
    annotations = tmp_path / 'a.json'
    write_annotations(annotations, persons, k, crowd_index=[0, 0.1, 0.3, 0.5, 0.9, 1])
    if iou_type == 'keypoints_crowd':
        content = json.loads(annotations.read_text())
        for one in content['annotations']:
            del one['area']
        annotations.write_text(json.dumps(content))
    found = [
        make_prediction(
            i, [pose + rng.normal(0, 6, pose.shape) for pose in poses], k, rng.random(2)
        )
        for i, poses in enumerate(persons)
    ]
    expected = evaluate(leaf, annotations, found)
    poses = {
        i + 1: Poses(one['pred_instances']['keypoints'], one['pred_instances']['keypoint_scores'])
        for i, one in enumerate(found)
    }
    write_poses(tmp_path / 'found.json', poses)
    metainfo = f'configs/_base_/datasets/{leaf.split("_")[2]}.py'
    result = average_precision(tmp_path / 'found.json', annotations, sigmas_of(metainfo), iou_type)
    names = dict(AP50='AP .5', AP75='AP .75')
    assert 0.1 < result['AP'] < 0.9
    assert result == {name: pytest.approx(expected[names.get(name, name)]) for name in result}
    assert ('AP(E)' in result) == (iou_type == 'keypoints_crowd')


def sigmas_of(metainfo):
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    return parse_pose_metainfo(dict(from_file=metainfo))['sigmas']


def test_ap_of_images_that_do_not_fit(tmp_path):
    write_annotations(tmp_path / 'a.json', [[person(5)]], 5)
    write(tmp_path / 'found.json', [entry(9, 0, [0.5] * 5)])
    with pytest.raises(ValueError, match=r'1 images of .*found.json are not in .*a.json, .* 9'):
        average_precision(tmp_path / 'found.json', tmp_path / 'a.json', SIGMAS)
    write(tmp_path / 'found.json', [])
    with pytest.raises(ValueError, match='crowdIndex: expected a number, .*; evaluate with'):
        average_precision(tmp_path / 'found.json', tmp_path / 'a.json', SIGMAS, 'keypoints_crowd')
    assert average_precision(tmp_path / 'found.json', tmp_path / 'a.json', SIGMAS)['AP'] == 0


def test_the_tool_fuses_and_prints_ap(tmp_path, monkeypatch, capsys):
    # Each model finds another one of the two people; fused, both are found, the double once.
    left, right = person(17), person(17, 1000)
    write_annotations(tmp_path / 'a.json', [[left, right]], 17)
    for name, poses in (('left', [left]), ('right', [right, left + (1, 0, 0)])):
        scores = np.linspace(0.9, 0.3, len(poses))
        write_poses(
            tmp_path / f'{name}.json',
            {1: Poses(np.array(poses)[..., :2], np.repeat(scores[:, None], 17, axis=1))},
        )
    monkeypatch.chdir(tmp_path)
    command = ('left.json', 'right.json', '--out', 'fused.json', '--annotations', 'a.json')
    load_tool('fuse').main(command)
    # Before them, that these people stand outside their image.
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert lines[0] == '2 poses of 1 images are in fused.json'
    half = f'{ap_of_share(1 / 2):.3f}'
    assert lines[1].startswith(f'left.json AP {half} AP50 {half}')
    assert lines[3].startswith('fused.json AP 1.000 AP50 1.000 AP75 1.000 AR 1.000')
    with pytest.raises(SystemExit, match='^error: weights must'):
        load_tool('fuse').main([*command, '--weights', '1'])
