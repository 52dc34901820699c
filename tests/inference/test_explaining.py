"""Why people were found: the steps are those of the prediction, and a sheet shows them."""

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.inference.drawing import explanation
from pinet_mm.inference.drawing.explanation import Sheet
from pinet_mm.inference.drawing.sheets import PERSON_COLORS
from pinet_mm.inference.drawing.skeletons import Style
from pinet_mm.inference.explaining import Explanation, explain, explain_each
from pinet_mm.inference.folders import _explained, _step_by_step, _without_fusion
from pinet_mm.inference.results.answers import Answer
from pinet_mm.inference.tracking import Follower
from pinet_mm.models.estimator import PINet
from pinet_mm.onnx_runner import OnnxPoses

import cv2
import numpy as np
import pytest


@pytest.fixture(scope='module')
def model():
    model = api.load('pinet_hrnet-slim_crowdsynth.py', device='cpu')
    model.test_cfg = dict(model.test_cfg, output_heatmaps=True)
    return model


@pytest.fixture(scope='module')
def crowd():
    settings = CrowdSettings(size=(256, 192), persons=(4, 6), height=(0.5, 0.8))
    return draw_crowd(settings, 0, 2, 'test')[0]


@pytest.fixture(scope='module')
def steps(model, crowd):
    return explain(model, crowd)


def test_each_person_has_the_best_keypoints_of_their_group(model, crowd, steps):
    (result,) = api.predict(model, crowd)
    people = result.pred_instances
    assert (people.bbox_scores > 0.1).sum() >= 3
    np.testing.assert_allclose(steps.scores, people.bbox_scores, rtol=1e-5)
    for i in range(len(people)):
        group = np.flatnonzero(steps.owners == i)
        best = group[steps.keypoint_scores[group].argmax(axis=0)]
        found = steps.refined[best, np.arange(17)]
        np.testing.assert_allclose(found, people.keypoints[i], atol=2e-2)
        np.testing.assert_array_equal(steps.parts[best], people.keypoint_parts[i])
    assert max((steps.owners == i).sum() for i in range(len(people))) > 1
    assert (steps.owners >= 0).all()


def test_coarse_poses_are_those_without_refinement(model, crowd, steps):
    bare = _without_fusion(model)
    bare.test_cfg = dict(bare.test_cfg, use_refinement=False)
    (result,) = api.predict(bare, crowd)
    alone = result.pred_instances.keypoints
    for pose in steps.coarse:
        assert abs(alone - pose).max(axis=(1, 2)).min() < 2e-2
    assert abs(steps.coarse - steps.refined).max() > 1


def test_part_maps_lie_over_the_image(model, crowd, steps):
    (result,) = api.predict(model, crowd)
    np.testing.assert_allclose(steps.part_maps, result.pred_fields.heatmaps[17:].numpy(), atol=1e-5)
    # 192 px become 128, a pixel of the map is 4 of those: 6 px of the image. Its 256 px become
    # 170.67, and 192 with what is padded: 288 px of the image, 16 of them on its left.
    np.testing.assert_allclose(steps.map_to_image, [[6, 0, -16], [0, 6, 0]], atol=1e-4)


def test_samples_with_steps_are_those_of_the_prediction(model, crowd):
    other = cv2.flip(crowd, 1)
    explained = [sample.pred_instances for sample, _ in explain_each(model, [crowd, other])]
    for people, expected in zip(explained, api.predict(model, [crowd, other]), strict=True):
        for name in ('keypoints', 'keypoint_scores', 'bbox_scores', 'bboxes', 'keypoint_parts'):
            np.testing.assert_allclose(
                people[name], expected.pred_instances[name], rtol=1e-5, atol=1e-3
            )


@pytest.fixture
def runs(monkeypatch):
    """Grows by one with every run of the network."""
    runs, run = [], PINet.extract_views
    monkeypatch.setattr(
        PINet, 'extract_views', lambda self, *words: runs.append(1) or run(self, *words)
    )
    return runs


@pytest.mark.parametrize('tracker', [None, Follower])
def test_the_network_runs_once_for_each_sheet(model, crowd, tmp_path, runs, tracker):
    for name in 'ab':
        cv2.imwrite(str(tmp_path / f'{name}.png'), crowd)
    options = api.InferOptions(explain=True, tracker=tracker)
    api.infer(model, [tmp_path / 'a.png', tmp_path / 'b.png'], tmp_path / 'out', options=options)
    assert len(runs) == 2


def test_the_people_who_are_chosen_keep_their_steps(model, crowd, tmp_path, runs):
    (result,) = _explained(model)([crowd], 1)
    drawing = _step_by_step(model, Style(0.1)).draw
    some = result.above(0.1)
    assert 0 < len(some.scores) < len(result.scores)
    np.testing.assert_array_equal(drawing(crowd, some, 1), drawing(crowd, result, 1))
    assert len(runs) == 1


# --- the sheet -----------------------------------------------------------------------------------

SHAPE = np.array([[0.0, 0], [100, 0], [100, 100]])
SKELETON = [(0, 1), (1, 2)]


class Found(Answer):
    def __init__(self, people, metainfo):
        self.pred_instances, self.metainfo = people, metainfo


@pytest.fixture
def panels():
    """Panels 1 to 6 of somebody whom two parts propose, and of somebody who scores too little."""
    coarse = np.stack([SHAPE + (50, 50), SHAPE + (50, 60), SHAPE + (300, 300)])
    maps = np.zeros((2, 48, 48), np.float32)
    maps[0, 10, 20] = 0.5
    steps = Explanation(
        part_maps=maps,
        map_to_image=np.array([[10.0, 0, 5], [0, 10, 5]]),
        coarse=coarse,
        refined=coarse + (0, 200),
        keypoint_scores=np.full((3, 3), 0.5),
        parts=np.array([0, 1, 0]),
        owners=np.array([0, 0, 1]),
        scores=np.array([0.6, 0.05]),
    )
    people = dict(
        keypoints=np.stack([SHAPE + (50, 250), SHAPE + (300, 300)]),
        keypoint_scores=np.full((2, 3), 0.5),
        bbox_scores=np.array([0.6, 0.05]),
        keypoint_parts=np.array([[0, 1, 1], [0, 0, 0]]),
    )
    image = np.zeros((480, 480, 3), np.uint8)
    sheet = Sheet(image, steps, SKELETON, ('top', 'legs'), Style(tags=True))
    drawn = sheet.draw(Found(people, {}))
    assert drawn.shape == (2 * (28 + 480), 3 * 480 + 2 * 4, 3)
    return [
        drawn[row + 28 : row + 508, column : column + 480]
        for row in (0, 508)
        for column in (0, 484, 968)
    ]


def colors_at(panel, x, y):
    near = panel[y - 1 : y + 2, x - 1 : x + 2, ::-1].reshape(-1, 3)
    return {tuple(pixel) for pixel in near.tolist()}


def test_each_panel_shows_its_step(panels):
    centers, coarse, refined, groups, origins, result = panels
    top, legs = PERSON_COLORS[:2]
    assert abs(centers[105, 205].astype(int) - top[::-1]).max() <= 2, 'the strongest is full'
    assert not centers[300:400, 300:400].any()
    assert top in colors_at(coarse, 50, 50) and legs in colors_at(coarse, 50, 60)
    assert top in colors_at(refined, 50, 250) and legs in colors_at(refined, 50, 260)
    assert not coarse[250:400, 250:].any(), 'nobody who is not drawn'
    for y in (250, 260):
        assert top in colors_at(groups, 50, y), 'the color of the person, of every pose'
    assert top in colors_at(origins, 50, 250) and legs in colors_at(origins, 150, 250)
    assert legs in colors_at(origins, 150, 350)
    assert top in colors_at(result, 150, 350) and not result[300:, 300:].any()


def test_infer_writes_a_sheet_in_place_of_each_overlay(model, crowd, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), crowd)
    api.infer(model, [tmp_path / 'a.png'], tmp_path / 'out', options=api.InferOptions(explain=True))
    assert cv2.imread(str(tmp_path / 'out' / 'a.jpg')).shape == (2 * (28 + 360), 3 * 480 + 8, 3)


def test_an_exported_file_has_nothing_to_explain(tmp_path):
    exported = OnnxPoses.__new__(OnnxPoses)
    with pytest.raises(ValueError, match='explain needs .* a PINet .*; found OnnxPoses'):
        api.infer(exported, [], tmp_path / 'out', options=api.InferOptions(explain=True))


@pytest.fixture
def titles(monkeypatch):
    """Titles of the panels that are drawn."""
    said = []
    monkeypatch.setattr(
        explanation,
        'side_by_side',
        lambda panels, titles, gap: said.extend(titles) or np.hstack(panels),
    )
    return said


@pytest.fixture
def written(monkeypatch):
    """What is written below the last panel, and above people."""
    said, draw = [], explanation.draw_tags
    monkeypatch.setattr(explanation, 'write_below', lambda image, text: said.append(text))
    monkeypatch.setattr(
        explanation,
        'draw_tags',
        lambda image, tags, width: (
            said.extend(tag.text for tag in tags) or draw(image, tags, width)
        ),
    )
    return said


def weak_sheet(scores, pose_thr):
    """A sheet of people 120 px apart, one proposal each, whose keypoints score next to nothing."""
    count = len(scores)
    poses = np.stack([SHAPE + (10 + 120 * i, 10) for i in range(count)]) if count else SHAPE[None]
    steps = Explanation(
        part_maps=np.zeros((2, 8, 8), np.float32),
        map_to_image=np.array([[60.0, 0, 0], [0, 60, 0]]),
        coarse=poses[:count],
        refined=poses[:count],
        keypoint_scores=np.full((count, 3), 0.001),
        parts=np.zeros(count, int),
        owners=np.arange(count),
        scores=np.array(scores, float),
    )
    people = dict(
        keypoints=poses[:count],
        keypoint_scores=np.full((count, 3), 0.001),
        bbox_scores=np.array(scores, float),
        bboxes=np.zeros((count, 4)),
        keypoint_parts=np.zeros((count, 3), int),
    )
    image = np.full((480, 640, 3), 90, np.uint8)
    sheet = Sheet(image, steps, SKELETON, ('a', 'b'), Style(pose_thr, tags=True))
    return sheet.draw(Found(people, dict(input_size=(256, 192))))


def test_where_nobody_is_drawn_the_best_are_shown_with_their_scores(titles, written):
    drawn = weak_sheet([0.002, 0.05, 0.001, 0.04, 0.03], 0.1)
    assert titles == [
        '1  part centers (strongest 0.00)',
        '2  coarse poses by part: 3, of the best 3',
        '3  refined poses by part',
        '4  groups that are fused: 3, none drawn',
        '5  result, by part of origin',
        '6  result: nobody scores 0.1',
    ]
    assert written == [
        '1 pose, score 0.050',
        '1 pose, score 0.040',
        '1 pose, score 0.030',
        'nobody scores 0.1 or more in the image (best score there 0.050): --pose-thr 0.05 draws '
        'some; or --short-side 640 for people who are small in it\n',
    ]
    for column in (640, 1280):
        for i, is_shown in enumerate([False, True, False, True, True]):
            at_corner = drawn[10, column + 10 + 120 * i].tolist()
            assert (at_corner == list(PERSON_COLORS[0][::-1])) == is_shown, (column, i)
    assert (drawn[480:, 1280:] == 90).all(), 'the result is the image alone'


def test_a_sheet_of_nothing_says_so(titles, written):
    weak_sheet([], 0.2)
    assert (
        titles[1] == '2  coarse poses by part: 0' and titles[-1] == '6  result: nobody scores 0.2'
    )
    assert written[0].startswith('nobody scores 0.2 or more in the image (best score there 0.000)')


def test_text_below_stays_in_the_image():
    image = np.full((400, 300, 3), 100, np.uint8)
    explanation.write_below(image, 'words that take more than one line ' * 3)
    white = np.argwhere(image[..., 0] > 200)
    assert (image[:200] == 100).all() and white[:, 0].min() > 250
    assert white[:, 1].max() < 299 and white[:, 0].max() < 399
