"""Evaluation as the configs set it up, with APs worked out by hand; and the poses as a file."""

import json
import math
import sys
from pathlib import Path

from pinet_mm import LayoutCocoMetric
from pinet_mm.datasets.evaluation import CocoResults, average_precision
from pinet_mm.datasets.pose_files import read_results
from pinet_mm.errors import InputError

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers.evaluations import (
    BOX,
    ap_of_share,
    dataset_of,
    evaluate,
    make_prediction,
    person,
    write_annotations,
)
from tests.helpers.tools import load_tool
from tests.helpers.toys import build_in_mmpose, hrnet_config

ROOT = Path(__file__).parents[2]
# CrowdSynth is evaluated as CrowdPose is, with COCO's keypoints.
LEAVES = [
    path.stem
    for path in sorted((ROOT / 'configs').glob('pinet_hrnet_*.py'))
    if 'crowdsynth' not in path.stem
]
K = dict(coco=17, crowdpose=14, ochuman=17)

crowdpose_leaves = pytest.mark.parametrize(
    'leaf', [leaf for leaf in LEAVES if dataset_of(leaf) == 'crowdpose']
)

area_leaves = pytest.mark.parametrize(
    'leaf', [leaf for leaf in LEAVES if dataset_of(leaf) in ('coco', 'ochuman')]
)

every_leaf = pytest.mark.parametrize('leaf', LEAVES)


@crowdpose_leaves
def test_crowdpose_has_easy_medium_and_hard(leaf, tmp_path):
    # Easy is below 0.2, hard from 0.8 on. Two images of each; 4, 3 and 0 of 4 people are found.
    truth = person(14)
    far = [person(14, dx) for dx in (0, 1000)]
    write_annotations(tmp_path / 'a.json', [far] * 6, 14, crowd_index=[0, 0.19, 0.2, 0.79, 0.8, 1])
    found = [far, far, far, [truth], [], []]
    result = evaluate(
        leaf, tmp_path / 'a.json', [make_prediction(i, poses, 14) for i, poses in enumerate(found)]
    )
    assert result['AP(E)'] == 1 and result['AP(H)'] == 0
    assert result['AP(M)'] == pytest.approx(ap_of_share(3 / 4), abs=1e-4)
    assert result['AP'] == result['AP .5'] == pytest.approx(ap_of_share(7 / 12))
    assert result['AR'] == pytest.approx(7 / 12)
    assert set(result) == {
        'AP',
        'AP .5',
        'AP .75',
        'AR',
        'AR .5',
        'AR .75',
        'AP(E)',
        'AP(M)',
        'AP(H)',
    }


def shift_for(oks, area, sigma):
    """How far one keypoint must lie off for this similarity."""
    return math.sqrt(-math.log(oks) * 2 * area) * 2 * sigma


@crowdpose_leaves
def test_crowdpose_measures_by_053_of_the_box(leaf, tmp_path):
    # The head alone is labeled; it is off by what makes OKS 0.62 with σ = 0.079: right at the
    # thresholds 0.5, 0.55 and 0.6 of ten. Its annotated area would make it 0.96.
    truth = person(14)
    truth[:12, 2] = truth[13, 2] = 0
    _, _, w, h = BOX
    pose = truth + (shift_for(0.62, 0.53 * w * h, 0.079), 0, 0)
    write_annotations(tmp_path / 'a.json', [[truth]], 14, area=90000.0, crowd_index=[0.5])
    result = evaluate(leaf, tmp_path / 'a.json', [make_prediction(0, [pose], 14)])
    assert result['AP'] == pytest.approx(0.3) and result['AP .5'] == pytest.approx(1)


@area_leaves
def test_coco_and_ochuman_measure_by_the_annotated_area(leaf, tmp_path):
    # Left hip, σ = 0.107; 0.72 is right at five of ten thresholds.
    truth = person(17)
    truth[np.arange(17) != 11, 2] = 0
    pose = truth + (shift_for(0.72, 900.0, 0.107), 0, 0)
    write_annotations(tmp_path / 'a.json', [[truth]], 17, area=900.0)
    result = evaluate(leaf, tmp_path / 'a.json', [make_prediction(0, [pose], 17)])
    assert result['AP'] == pytest.approx(0.5)
    assert (result['AP .5'], result['AP .75']) == pytest.approx((1, 0))


@every_leaf
def test_twenty_poses_an_image_count_the_best_by_mean_score(leaf, tmp_path):
    k = K[dataset_of(leaf)]
    crowd = [person(k, 1000 * i) for i in range(25)]
    write_annotations(tmp_path / 'a.json', [crowd], k, crowd_index=[0.5])
    # 30 poses far off: behind the 25 right ones in one run, five of them before in the other.
    off = [person(k, -1000 * (i + 1)) for i in range(30)]
    for first, found in ((0, 20), (5, 15)):
        scores = [0.5] * 25 + [0.6] * first + [0.4] * (30 - first)
        result = evaluate(leaf, tmp_path / 'a.json', [make_prediction(0, crowd + off, k, scores)])
        assert result['AR'] == pytest.approx(found / 25)
        if not first:
            assert result['AP'] == pytest.approx(ap_of_share(20 / 25))


@every_leaf
def test_without_any_pose_ap_is_zero(leaf, tmp_path):
    k = K[dataset_of(leaf)]
    write_annotations(tmp_path / 'a.json', [[person(k)]] * 3, k, crowd_index=[0.1, 0.5, 0.9])
    result = evaluate(leaf, tmp_path / 'a.json', [make_prediction(i, [], k) for i in range(3)])
    large = {name for name in result if '(L)' in name}
    assert {result[name] for name in set(result) - large} == {0}
    # COCO's mark for "no such person is annotated".
    assert {result[name] for name in large} <= {-1}


@every_leaf
def test_an_image_without_poses_costs_its_people_only(leaf, tmp_path):
    k = K[dataset_of(leaf)]
    write_annotations(
        tmp_path / 'a.json', [[person(k)], [person(k)], []], k, crowd_index=[0.1, 0.5, 0.9]
    )
    found = [[], [person(k)], []]
    result = evaluate(
        leaf, tmp_path / 'a.json', [make_prediction(i, poses, k) for i, poses in enumerate(found)]
    )
    assert result['AP'] == pytest.approx(ap_of_share(1 / 2)) and result['AR'] == 0.5


# --- the file ------------------------------------------------------------------------------------


def test_the_file_holds_every_pose(tmp_path):
    metric = CocoResults(str(tmp_path / 'new' / 'poses.json'))
    poses = [np.array([[1.5, 2.25, 0], [3, 4, 0]]), np.array([[-5, 6, 0], [7, 8.125, 0]])]
    predictions = [make_prediction(0, poses, 2, scores=[0.25, -0.5]), make_prediction(1, [], 2)]
    predictions[0]['pred_instances']['keypoint_scores'][0] = 0.5, 1.5
    metric.process({}, predictions)
    assert metric.evaluate(2) == {}
    assert json.loads((tmp_path / 'new' / 'poses.json').read_text()) == [
        dict(image_id=1, category_id=1, keypoints=[1.5, 2.25, 0.5, 3, 4, 1.5], score=1.0),
        dict(image_id=1, category_id=1, keypoints=[-5, 6, -0.5, 7, 8.125, -0.5], score=-0.5),
    ]


def test_the_score_is_the_poses_own_where_the_metric_ranks_by_it(tmp_path):
    metric = CocoResults(str(tmp_path / 'poses.json'), score_mode='bbox')
    predictions = [make_prediction(0, [np.ones((2, 3)), np.ones((2, 3))], 2, scores=[0.25, 0.5])]
    predictions[0]['pred_instances']['bbox_scores'] = np.float32([0.75, 0.125])
    metric.process({}, predictions)
    metric.evaluate(1)
    found = json.loads((tmp_path / 'poses.json').read_text())
    assert [each['score'] for each in found] == [0.75, 0.125]
    assert [each['keypoints'][2] for each in found] == [0.25, 0.5]
    # Read again, a pose has that score too: its keypoint scores are multiplied, see `read_results`.
    np.testing.assert_allclose(
        read_results(tmp_path / 'poses.json').images[1].scores, [0.75, 0.125]
    )
    with pytest.raises(InputError, match="score_mode must be 'keypoint' or 'bbox'; found 'rle'"):
        CocoResults('poses.json', score_mode='rle')


def test_poses_are_kept_once(tmp_path):
    # The file of poses and the metric beside it hold the same arrays, not copies.
    write_annotations(tmp_path / 'a.json', [[person(17)]], 17)
    found = [make_prediction(0, [person(17)], 17)]
    metrics = CocoResults(str(tmp_path / 'p.json')), LayoutCocoMetric(str(tmp_path / 'a.json'))
    for metric in metrics:
        metric.process({}, found)
    (_, keypoints, *_), (prediction, _) = (metric.results[0] for metric in metrics)
    assert keypoints is prediction['keypoints'] is found[0]['pred_instances']['keypoints']


@pytest.mark.parametrize('leaf', ['pinet_hrnet_crowdpose', 'pinet_hrnet_coco_release'])
def test_a_model_that_finds_nobody(leaf, tmp_path, monkeypatch):
    k = K[dataset_of(leaf)]
    write_annotations(
        tmp_path / 'a.json', [[person(k)], [person(k)], []], k, crowd_index=[0.1, 0.5, 0.9], size=96
    )
    for i in range(3):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.zeros((96, 96, 3), np.uint8))
    config = tmp_path / f'{leaf}_empty.py'
    config.write_text(f"""
_base_ = [{str(ROOT / 'configs' / f'{leaf}.py')!r}]
model = dict(backbone=dict(_delete_=True, **{hrnet_config()}), head=dict(in_channels=60))
test_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(
    data_root={str(tmp_path)!r}, ann_file='a.json', data_prefix=dict(img='')))
test_evaluator = dict(ann_file={str(tmp_path / 'a.json')!r})
visualizer = dict(vis_backends=[dict(type='LocalVisBackend')])
""")
    model = build_in_mmpose(MODELS, Config.fromfile(str(config)).model)
    torch.nn.init.constant_(model.head.part_branch.bias, -1)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'empty.pth')
    # MMEngine formats the config three times, at a second each.
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: cfg.text))
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr(
        sys,
        'argv',
        [
            'test.py',
            str(config),
            str(tmp_path / 'empty.pth'),
            '--work-dir',
            str(tmp_path),
            '--json',
            str(tmp_path / 'poses.json'),
            '--out',
            str(tmp_path / 'metrics.json'),
            '--cfg-options',
            'test_dataloader.dataset.pipeline.1.input_size=64,64',
        ],
    )
    load_tool('test').main()
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert metrics['coco/AP'] == metrics['coco/AR'] == 0
    assert json.loads((tmp_path / 'poses.json').read_text()) == []


def test_a_file_without_poses_has_ap_0(tmp_path):
    write_annotations(tmp_path / 'truth.json', [[person(17)]], 17)
    (tmp_path / 'poses.json').write_text('[]')
    scores = average_precision(tmp_path / 'poses.json', tmp_path / 'truth.json', [0.05] * 17)
    assert scores == dict(AP=0, AP50=0, AP75=0, AR=0)


@pytest.mark.parametrize('content', ['[]', '{"images": []}', 'text'])
def test_other_files_are_no_annotations(tmp_path, content):
    (tmp_path / 'truth.json').write_text(content)
    (tmp_path / 'poses.json').write_text('[]')
    with pytest.raises(ValueError, match='truth.json'):
        average_precision(tmp_path / 'poses.json', tmp_path / 'truth.json', [0.05] * 17)


def test_poses_of_a_file_are_checked_and_those_without_a_category_told(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        'pinet_mm.datasets.evaluation.print_log', lambda text, *_: said.append(text)
    )
    write_annotations(tmp_path / 'truth.json', [[person(17)]], 17)
    entry = dict(image_id=1, keypoints=person(17).ravel().tolist(), score=0.9)
    files = tmp_path / 'poses.json', tmp_path / 'truth.json', [0.05] * 17
    files[0].write_text(json.dumps([entry]))
    assert average_precision(*files)['AP'] == pytest.approx(1)
    assert said == [f'{files[0]}: 1 poses without category_id count as people']
    files[0].write_text(json.dumps([dict(entry, category_id=1), dict(image_id=1, score=0.9)]))
    with pytest.raises(
        InputError, match=r"poses\.json: entry 1 has no 'keypoints'; expected image_"
    ):
        average_precision(*files)
