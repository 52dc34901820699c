"""What was found in an image, as properties and in the formats of other tools."""

import json
import sys

from pinet_mm.errors import InputError, RunError
from pinet_mm.inference.documents import read_document
from pinet_mm.inference.results import PoseResult, facts
from pinet_mm.inference.results.answers import to_df, to_json
from pinet_mm.inference.results.exchange import to_cvat
from pinet_mm.inference.results.records import from_record, to_record

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample

from tests.helpers import toys

META = parse_pose_metainfo(toys.five_metainfo())
EXPECTED = dict(score='expected OKS')
SHAPE = np.array([[0, -30], [-30, 0], [30, 0], [-20, 30], [20, 30]], dtype=np.float32)


def sample(scores=(0.05, 0.9, 0.3), **metainfo):
    """Three people, 100 px apart, the second the best, as MMPose gives them."""
    keypoints = SHAPE + 100.0 * np.arange(len(scores)).reshape(-1, 1, 1)
    people = InstanceData(
        keypoints=keypoints,
        keypoint_scores=np.tile(np.array(scores)[:, None], (1, 5)),
        bbox_scores=np.array(scores),
        bboxes=np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1),
        keypoint_parts=np.arange(5) + 10 * np.arange(len(scores))[:, None],
    )
    metainfo = dict(dict(ori_shape=(480, 640), img_path='street.jpg'), **metainfo)
    return PoseDataSample(pred_instances=people, metainfo=metainfo)


def result(**more):
    return PoseResult.of(sample(**more), META)


def test_properties_are_sorted_and_fields_stay():
    found = result()
    assert isinstance(found, PoseDataSample)
    np.testing.assert_array_equal(found.pred_instances.bbox_scores, [0.05, 0.9, 0.3])
    np.testing.assert_array_equal(found.scores, [0.9, 0.3, 0.05])
    np.testing.assert_array_equal(found.keypoints[:, 0, 0], [100, 200, 0])
    np.testing.assert_array_equal(found.boxes[0], [70, 70, 130, 130])
    np.testing.assert_array_equal(found.parts[:, 0], [10, 20, 0])
    assert found.names == [META['keypoint_id2name'][i] for i in range(5)]
    assert found.skeleton == [tuple(link) for link in META['skeleton_links']]
    np.testing.assert_allclose(found.sigmas, META['sigmas'])
    assert (found.file, found.size, found.frame, found.ids) == (
        'street.jpg',
        (640, 480),
        None,
        None,
    )
    assert repr(found) == ('<PoseResult street.jpg 640×480: 2 of 3 people score 0.1 or more>')


def test_those_above_a_threshold_keep_all_that_is_known_of_them():
    found = result()
    found.ids = [7, 8, 9]
    np.testing.assert_array_equal(found.pred_instances.track_ids, [9, 7, 8])
    shown = found.above(0.3)
    np.testing.assert_array_equal(shown.ids, [7, 8])
    np.testing.assert_array_equal(shown.parts[:, 0], [10, 20])
    np.testing.assert_array_equal(shown.pred_instances.bbox_scores, [0.9, 0.3])
    assert (shown.names, shown.file, len(found.scores)) == (found.names, 'street.jpg', 3)
    assert found.above(1).keypoints.shape == (0, 5, 2)
    with pytest.raises(InputError, match=r'expected 3 ids, one per person; found \(2,\)'):
        found.ids = [1, 2]


def test_json_leaves_out_low_scores_unless_asked_and_still_writes_the_first_form(tmp_path):
    found = result()
    document = json.loads(found.to_json(tmp_path / 'a.json'))
    assert json.loads((tmp_path / 'a.json').read_text()) == document
    assert (document['schema'], document['pose_thr']) == ('pinet_mm.predictions/2', 0.1)
    (image,) = document['images']
    assert [person['score'] for person in image['persons']] == [0.9, 0.3]
    assert image['persons'][0]['parts'] == [10, 11, 12, 13, 14]
    everybody = json.loads(found.to_json(pose_thr=None))
    assert len(everybody['images'][0]['persons']) == 3 and everybody['pose_thr'] is None
    old = json.loads(found.to_json(schema=1))
    assert list(old) == ['schema', 'keypoint_names', 'skeleton', 'pictures', 'unreadable']
    assert old['schema'] == 'pinet_mm.predictions/1'
    assert list(old['pictures'][0]) == ['file', 'width', 'height', 'persons']
    assert len(old['pictures'][0]['persons']) == 3
    assert list(old['pictures'][0]['persons'][0]) == ['score', 'bbox', 'keypoints']
    with pytest.raises(InputError, match='the JSON schema must be 1 or 2; found 3'):
        found.to_json(schema=3)
    two = json.loads(to_json([found, found]))
    assert [each['file'] for each in two['images']] == ['street.jpg'] * 2


def test_a_record_gives_the_people_back():
    found = result(frame_index=4, seconds=0.16)
    found.ids = [7, 8, 9]
    record = found.to_record(None)
    assert list(record)[:3] == ['file', 'frame', 'seconds']
    people = from_record(json.loads(json.dumps(record)), 5)
    again = PoseResult.of_arrays(people, found.metainfo)
    for name in ('keypoints', 'keypoint_scores', 'scores', 'boxes', 'parts', 'ids'):
        np.testing.assert_allclose(getattr(again, name), getattr(found, name), atol=5e-3)
    found.ids = [7, -1, 9]
    assert 'id' not in found.to_record(None)['persons'][1]
    np.testing.assert_array_equal(from_record(found.to_record(None), 5)['track_ids'], [7, -1, 9])
    nobody = from_record(dict(persons=[]), 5)
    assert nobody['keypoints'].shape == (0, 5, 2) and nobody['bboxes'].shape == (0, 4)
    # Any sample of MMPose becomes a record, with everybody by default.
    assert len(to_record(sample(), 'x.jpg')['persons']) == 3


def test_deviations_of_keypoints_come_along_where_they_are_known(tmp_path):
    pytest.importorskip('pandas')
    certain, uncertain = result(), result()
    uncertain.pred_instances.keypoint_stds = np.arange(15, dtype=np.float32).reshape(3, 5) + 0.126
    assert certain.stds is None and 'stds' not in certain.to_record()['persons'][0]
    np.testing.assert_allclose(uncertain.stds[:, 0], [5.126, 10.126, 0.126])
    best = uncertain.to_record()['persons'][0]
    assert best['stds'] == [5.13, 6.13, 7.13, 8.13, 9.13]
    uncertain.to_json(tmp_path / 'p.json', pose_thr=None)
    (read,) = read_document(tmp_path / 'p.json')
    np.testing.assert_allclose(read.stds, uncertain.stds, atol=5e-3)
    table = to_df([certain, uncertain])
    assert table['std'][:10].isna().all() and table['std'][12] == 7.13
    assert 'stds' not in to_record(uncertain, 'a', schema=1)['persons'][0]
    best['stds'].pop()
    with pytest.raises(InputError, match='person 0 has 4 stds; expected 5, as there are keypoint'):
        from_record(dict(file='a.jpg', persons=[best]), 5)


def test_coco_results_have_boxes_by_size_and_points_in_one_list():
    first, *others = result().to_coco(image_id=12, category_id=1)
    assert len(others) == 2
    assert first['image_id'] == 12 and first['bbox'] == [70, 70, 60, 60]
    assert first['keypoints'][:6] == [100, 70, 0.9, 70, 100, 0.9]
    assert len(first['keypoints']) == 15 and first['score'] == 0.9


def test_a_table_has_a_row_per_keypoint(monkeypatch):
    pytest.importorskip('pandas')
    table = to_df([result(frame_index=3, seconds=0.1), result()])
    assert len(table) == 2 * 2 * 5
    first = table.iloc[0]
    assert (first.file, first.frame, first.person, first.keypoint, first.part) == (
        'street.jpg',
        3,
        0,
        META['keypoint_id2name'][0],
        10,
    )
    assert (first.x, first.y, first.x1, first.y2) == (100, 70, 70, 130)
    assert list(result(scores=()).to_df().columns) == list(table.columns)
    monkeypatch.setitem(sys.modules, 'pandas', None)
    with pytest.raises(RunError, match='to_df needs pandas: pip install pandas'):
        result().to_df()


def test_supervision_gets_the_people(monkeypatch):
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(RunError, match='to_supervision needs supervision: pip install'):
        result().to_supervision()
    monkeypatch.undo()
    pytest.importorskip('supervision')
    found = result().to_supervision()
    np.testing.assert_array_equal(found.xy, result().keypoints[:2])
    np.testing.assert_allclose(found.detection_confidence, [0.9, 0.3])
    np.testing.assert_allclose(found.keypoint_confidence[1], [0.3] * 5)


def test_facts_are_those_of_the_metainfo():
    known = facts(META)
    assert known['keypoint_names'] == result().names


def test_the_threshold_follows_what_scores_are():
    # 0.9 and 0.3 are above 0.1, of expected OKS only 0.9 is above 0.4.
    for more, kind, count in (({}, 'mean keypoint score', 2), (EXPECTED, 'expected OKS', 1)):
        found = result(**more)
        assert found.score_kind == kind
        assert len(found.above().scores) == len(found.to_record()['persons']) == count
        assert len(found.to_record(0.2)['persons']) == 2
        assert len(found.to_record(None)['persons']) == 3
        head = json.loads(found.to_json())
        assert (head['score_kind'], len(head['images'][0]['persons'])) == (kind, count)
        assert head['pose_thr'] == {1: 0.4, 2: 0.1}[count]
        assert len(to_record(found, 'a.jpg', 'auto')['persons']) == count
    assert 'score_kind' not in json.loads(found.to_json(schema=1))
    assert repr(found).endswith('1 of 3 people score 0.4 or more>')
    with pytest.raises(InputError, match="pose_thr must be a score or 'auto'; found 'low'"):
        found.above('low')


def test_plot_draws_those_who_are_above():
    black = np.zeros((480, 640, 3), np.uint8)
    means, expected = (result(**more).plot(black) for more in ({}, EXPECTED))
    # The person at 200 scores 0.3; their limbs and their tag end before 250.
    assert means[220:250, 170:240].any() and not expected[220:250, 170:240].any()
    assert expected[120:150, 70:140].any()


def test_a_drawing_that_opencv_does_not_write_is_an_error(monkeypatch):
    monkeypatch.setattr(cv2, 'imencode', lambda *_: (False, None))
    with pytest.raises(OSError, match="640x480 pixels of this kind: 'a.jpg'$"):
        result().plot(np.zeros((480, 640, 3), np.uint8), 'a.jpg')


def test_a_document_tells_it_to_whoever_reads_it(tmp_path):
    file = tmp_path / 'p.json'
    for more, kind in (({}, 'mean keypoint score'), (EXPECTED, 'expected OKS')):
        result(**more).to_json(file, pose_thr=None)
        (read,) = read_document(file)
        assert read.score_kind == kind
        assert len(read.above().scores) == (2 if not more else 1)
        assert len(to_cvat([read])['annotations']) == len(read.above().scores)
    file.write_text(file.read_text().replace('"score_kind":"expected OKS"', '"other":1'))
    assert read_document(file)[0].score_kind == 'mean keypoint score'
