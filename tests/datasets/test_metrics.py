"""MMPose's metric by the layout's sigmas, with APs worked out by hand, and what it says of them.

The annotated people are those of `mutations.valid`: 20×40 px, an area of 424 px², five keypoints.
"""

import json
import math

from pinet_mm import LayoutCocoMetric
from pinet_mm.datasets import metrics
from pinet_mm.datasets.metrics import check_converter, tell_iterations

import numpy as np
import pytest
from mmengine.logging import MessageHub
from mmpose.evaluation.metrics import CocoMetric
from mmpose.registry import METRICS

from tests.helpers.changes import valid
from tests.helpers.evaluations import make_prediction
from tests.helpers.toys import build_in_mmpose

SIGMAS = [0.05] * 5
COCO = dict(score_mode='keypoint', nms_mode='none')
# So far off (px) that OKS is 0.62 by σ = 0.05: right at three of COCO's ten thresholds.
SHIFT = math.sqrt(-math.log(0.62) * 2 * 424) * 2 * 0.05


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr('pinet_mm.datasets.metrics.print_log', lambda text, *_: lines.append(text))
    return lines


def write(tmp_path, change=None):
    data = valid()
    if change:
        change(data)
    (tmp_path / 'a.json').write_text(json.dumps(data))
    return data


def metainfo(sigmas):
    return dict(sigmas=np.array(sigmas, np.float32), num_keypoints=5, dataset_name='toy')


def predictions(data, shift=0.0, places=range(5)):
    """Poses of all people, of these of their keypoints, moved to the right."""
    found = []
    for i, image in enumerate(data['images']):
        people = [each for each in data['annotations'] if each['image_id'] == image['id']]
        poses = [np.reshape(each['keypoints'], (5, 3))[list(places)] for each in people]
        found.append(make_prediction(i, [pose + (shift, 0, 0) for pose in poses], len(places)))
    return found


def evaluate(metric, meta, found):
    metric.dataset_meta = meta
    metric.process({}, found)
    return {name: float(value) for name, value in metric.evaluate(len(found)).items()}


@pytest.mark.parametrize('others', [[], [0.3] * 5, [0.05] * 5])
def test_the_sigmas_of_the_layout_count(tmp_path, others):
    data, meta = write(tmp_path), metainfo(others)
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), sigmas=SIGMAS, **COCO)
    assert evaluate(metric, meta, predictions(data, SHIFT))['coco/AP'] == pytest.approx(0.3)
    np.testing.assert_array_equal(meta['sigmas'], np.float32(others))  # all metrics share it


def test_the_metric_of_the_tools_of_mmpose_says_what_it_goes_by_and_why_it_is_0(tmp_path, said):
    def renumber(data):
        data['categories'][0]['id'] = 9
        for each in data['annotations']:
            each['category_id'] = 9

    data = write(tmp_path, renumber)
    config = dict(type='CocoMetric', ann_file=str(tmp_path / 'a.json'), **COCO)
    metric = build_in_mmpose(METRICS, config)
    assert evaluate(metric, metainfo(SIGMAS), predictions(data))['coco/AP'] <= 0
    assert said[0].startswith(f'{tmp_path}/a.json is not checked here')
    assert "sigmas of the dataset's metainfo, not those of the model's layout" in said[0]
    assert 'the poses have the category_id 1, the people 9' in said[1]


def test_without_a_layout_those_of_the_metainfo(tmp_path):
    data = write(tmp_path)
    for sigmas, ap in ((SIGMAS, 0.3), ([0.1] * 5, 0.8)):  # 0.62 ** (1 / 4) = 0.887
        found = predictions(data, SHIFT)
        ours = LayoutCocoMetric(str(tmp_path / 'a.json'), **COCO)
        theirs = CocoMetric(str(tmp_path / 'a.json'), **COCO)
        numbers = evaluate(ours, metainfo(sigmas), found)
        assert numbers['coco/AP'] == pytest.approx(ap)
        assert numbers == evaluate(theirs, metainfo(sigmas), found)


def test_converted_annotations_in_every_validation(tmp_path, said):
    # Three keypoints: the head, the right foot, and the middle of the hands, at (x + 10, y + 20).
    # The person of labels on head and hands alone keeps two of them.
    data = write(tmp_path)
    mapping = [(0, 0), (4, 1), ((1, 2), 2)]
    metric = LayoutCocoMetric(
        str(tmp_path / 'a.json'),
        sigmas=[0.05] * 3,
        gt_converter=dict(type='KeypointConverter', num_keypoints=3, mapping=mapping),
        **COCO,
    )
    found = predictions(data, places=(0, 4, 1))
    for each in found:
        each['pred_instances']['keypoints'][:, 2, 0] += 10
    for _ in range(2):
        assert evaluate(metric, metainfo([0.3] * 5), found)['coco/AP'] == pytest.approx(1)
    assert [each['num_keypoints'] for each in metric.coco.dataset['annotations']] == [3, 3, 2, 3, 3]
    assert said == []


def test_converted_poses_and_why_their_ap_is_0(tmp_path, said):
    # The model knows two points for each annotated one, on either side of it.
    data = write(tmp_path)
    pairs = [((2 * i, 2 * i + 1), i) for i in range(5)]
    options = dict(pred_converter=dict(num_keypoints=5, mapping=pairs), **COCO)
    found = predictions(data, places=np.repeat(range(5), 2))
    for each in found:
        each['pred_instances']['keypoints'][:, ::2] -= (30, 8)
        each['pred_instances']['keypoints'][:, 1::2] += (30, 8)
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), **options)
    for _ in range(2):
        assert evaluate(metric, metainfo(SIGMAS), found)['coco/AP'] == pytest.approx(1)
    assert said == []
    for each in found:
        each['pred_instances']['keypoints'] += 40
    assert evaluate(metric, metainfo(SIGMAS), found)['coco/AP'] == 0
    assert said[0].startswith('AP is 0: the best of all poses has an OKS of 0.00')


def test_a_converter_stays_where_an_evaluation_fails(tmp_path, monkeypatch):
    write(tmp_path)
    converter = dict(num_keypoints=5, mapping=[(i, i) for i in range(5)])
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), pred_converter=converter)

    def fail(self, results):
        raise MemoryError

    monkeypatch.setattr(CocoMetric, 'compute_metrics', fail)
    with pytest.raises(MemoryError):
        metric.compute_metrics([])
    assert metric.pred_converter == converter


def test_a_long_evaluation_is_announced(tmp_path, said, monkeypatch):
    data = write(tmp_path)
    monkeypatch.setattr(metrics, 'MANY', 2)
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), **COCO)
    evaluate(metric, metainfo(SIGMAS), predictions(data, places=range(5)))
    assert said[0] == f'evaluating the poses of {len(data["images"])} images'


@pytest.mark.parametrize(
    'name, count, mapping, message',
    [
        ('pred_converter', 3, [(0, 0)], 'pred_converter must make 5 keypoints; found num_keypoin'),
        ('pred_converter', 5, [(0, 5)], 'pred_converter.mapping must lead to keypoints 0 to 4; f'),
        ('gt_converter', 5, [(0, 0), (-1, 1)], 'gt_converter.mapping must .* to 4; found -1'),
        ('gt_converter', 5, [((0, 5), 0)], 'gt_converter.mapping must lead from .* 4; found 5'),
    ],
)
def test_a_converter_that_cannot_work_is_refused_before_the_first_image(
    name, count, mapping, message, tmp_path
):
    write(tmp_path)
    converter = {name: dict(num_keypoints=count, mapping=mapping)}
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), **converter)
    with pytest.raises(ValueError, match=message):
        metric.dataset_meta = metainfo(SIGMAS)


@pytest.mark.parametrize(
    'converter',
    [
        dict(num_keypoints=5),
        dict(mapping=[(0, 0)]),
        dict(num_keypoints='5', mapping=[(0, 0)]),
        dict(num_keypoints=5, mapping=[0, 1]),
        dict(num_keypoints=5, mapping=[((0, 1, 2), 0)]),
        dict(num_keypoints=5, mapping=[('nose', 0)]),
    ],
)
def test_a_converter_of_another_form_is_refused(converter):
    with pytest.raises(ValueError, match='^gt_converter must have num_keypoints, and as mapping'):
        check_converter('gt_converter', converter)


def test_a_converter_of_other_keypoints_is_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match='must make the 5 keypoints of the model; .*keypoints=3'):
        LayoutCocoMetric(
            str(tmp_path / 'a.json'), sigmas=SIGMAS, gt_converter=dict(num_keypoints=3, mapping=[])
        )


def test_ap_0_has_a_reason(tmp_path, said):
    data = write(tmp_path)
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), sigmas=SIGMAS, **COCO)
    assert evaluate(metric, metainfo(SIGMAS), predictions(data, 40))['coco/AP'] == 0
    (line,) = said
    assert line.startswith('AP is 0: the best of all poses has an OKS of 0.00')


@pytest.mark.parametrize('stage', ['val', 'test'])
def test_the_validation_of_a_training_is_not_asked_for_its_weights(stage, tmp_path, said):
    data = write(tmp_path)
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), sigmas=SIGMAS, **COCO)
    nothing = [make_prediction(each['id'], [], 5, []) for each in data['images']]
    hub = MessageHub.get_instance(f'{tmp_path} {stage}')
    hub.update_info_dict(dict(iter=19, loop_stage=stage))  # as MMEngine's hook does
    evaluate(metric, metainfo(SIGMAS), nothing)
    doubt = 'are these its trained weights, and are the images those that were annotated?'
    learned = (
        'its last training has gone on for 20 iterations; if it stays so, look at what it learns '
        'from with pinet-mm data browse'
    )
    assert said == [
        'AP is 0: the model proposed no pose in any image: '
        + (learned if stage == 'val' else doubt)
    ]


@pytest.mark.parametrize(
    'iterations, told', [(2, True), (20_000, False), ('2', False), (None, False)]
)
def test_a_checkpoint_that_has_hardly_been_trained_is_told_so(iterations, told, tmp_path, said):
    data = write(tmp_path)
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), sigmas=SIGMAS, **COCO)
    hub = MessageHub.get_instance(f'{tmp_path} checkpoint')
    hub.update_info('loop_stage', 'test')
    tell_iterations(hub, 7)  # of another checkpoint before
    tell_iterations(hub, iterations)
    evaluate(metric, metainfo(SIGMAS), predictions(data, 40))
    (line,) = said
    assert line.startswith('AP is 0: its last training has gone on for 2 iterations; ') == told


def test_poses_behind_the_twenty_best(tmp_path, said):
    write(tmp_path)
    person = np.reshape(valid()['annotations'][4]['keypoints'], (5, 3))
    poses = [person + (40, 0, 0)] * 20 + [person]
    scores = np.linspace(0.9, 0.1, 21)
    found = [make_prediction(i, poses if i == 2 else [], 5, scores * (i == 2)) for i in (2,)]
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), sigmas=SIGMAS, **COCO)
    assert evaluate(metric, metainfo(SIGMAS), found)['coco/AP'] == 0
    assert said == [
        'AP is 0: the poses that are like people rank below the 20 best of their images'
    ]


def test_minus_1_is_told_from_0(tmp_path, said):
    def nobody(data):
        for each in data['annotations']:
            each.update(keypoints=[0] * 15, num_keypoints=0)

    write(tmp_path, nobody)
    metric = LayoutCocoMetric(str(tmp_path / 'a.json'), sigmas=SIGMAS, **COCO)
    found = predictions(valid())
    assert evaluate(metric, metainfo(SIGMAS), found)['coco/AP'] == -1
    (line,) = said
    assert line.startswith("AP is -1: COCO's mark for no annotated person who counts: of 5 annot")


def test_easy_medium_and_hard_come_with_their_bounds(tmp_path, said):
    data = write(tmp_path)
    options = dict(COCO, iou_type='keypoints_crowd', sigmas=SIGMAS)
    numbers = evaluate(
        LayoutCocoMetric(str(tmp_path / 'a.json'), **options), metainfo(SIGMAS), predictions(data)
    )
    assert numbers['coco/AP(M)'] == 1  # all images have 0.5
    (line,) = said
    assert 'crowdIndex below 0.2, to 0.8, from 0.8 on' in line and 'its paper has 0.1' in line


@pytest.mark.parametrize('limit, told', [(1, True), (2, False), (None, False)])
def test_more_people_than_a_part_proposes_are_told_before_the_run(tmp_path, said, limit, told):
    write(tmp_path)  # two people in two images, one in the third
    LayoutCocoMetric(str(tmp_path / 'a.json'), sigmas=SIGMAS, max_per_part=limit, **COCO)
    assert [line[:58] for line in said] == told * [
        '2 images have more people than each part proposes poses (m'
    ]
