"""Poses without torch: the same document as with it, and skeletons that OpenCV draws."""

import json

from pinet_mm import api
from pinet_mm.inference.drawing.sheets import PERSON_COLORS
from pinet_mm.inference.drawing.skeletons import draw_skeletons
from pinet_mm.inference.light import LightResult, predict, predict_files

import cv2
import numpy as np
import pytest

pytest.importorskip('onnxruntime')

LINE = dict(keypoint_names=['a', 'b', 'c'], keypoint_links=[(0, 1), (1, 2)], keypoint_sigmas=[])


@pytest.fixture(scope='module')
def model():
    return api.load_onnx(threads=1)


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Two drawn crowds and a file that is no image."""
    from pinet_mm.crowdsynth import CrowdSettings, write_dataset

    folder = tmp_path_factory.mktemp('crowds')
    settings = CrowdSettings(size=(256, 192), persons=(2, 3), height=(0.7, 0.9))
    write_dataset(folder, settings, 2, 0, 'test', 1, '.jpg')
    (folder / 'images' / 'test' / 'broken.jpg').write_bytes(b'\xff\xd8')
    return folder / 'images' / 'test'


@pytest.mark.parametrize('all_poses', [False, True])
def test_the_document_is_that_of_infer(model, images, tmp_path, all_poses):
    options = api.InferOptions(all_poses=all_poses)
    light = predict_files(model, [images], tmp_path / 'a', 0.02, options)
    full = api.infer(model, [images], tmp_path / 'b', pose_thr=0.02, options=options)
    assert light.json.read_bytes() == full.json.read_bytes()
    assert light.unreadable == full.unreadable == [str(images / 'broken.jpg')]
    assert light.images == 2 and light.best_scores == list(full.best_scores)
    document = json.loads(light.json.read_text())
    assert [len(each['persons']) > 0 for each in document['images']] == [True, True]
    names = {file.name for file in (tmp_path / 'a').iterdir()}
    assert names == {
        *('000000.jpg', '000001.jpg', 'overview.jpg'),
        *('predictions.json', 'predictions.jsonl'),
    }
    for name in names:
        assert (tmp_path / 'a' / name).read_bytes() == (tmp_path / 'b' / name).read_bytes(), name


def test_people_are_those_of_the_kind_of_score_of_the_file(images, tmp_path):
    model = api.load_onnx(threads=1)
    for kind, lowest in (('mean keypoint score', 0.1), ('expected OKS', 0.4)):
        model.score_kind = kind
        report = predict_files(model, [images], tmp_path / kind)
        document = json.loads(report.json.read_text())
        assert (document['score_kind'], document['pose_thr'], report.pose_thr) == (
            kind,
            lowest,
            lowest,
        )
        (first, _) = predict(model, [images / '000000.jpg', images / '000001.jpg'])
        assert len(first.above().scores) == (first.scores >= lowest).sum()
        assert len(document['images'][0]['persons']) == (first.scores >= lowest).sum()


def answer(*people):
    """Three keypoints of each person, given as x, y, keypoint score, and a score."""
    rows = np.array([person[:-1] for person in people], dtype=float).reshape(-1, 3, 3)
    found = dict(
        keypoints=rows[..., :2],
        keypoint_scores=rows[..., 2],
        bbox_scores=np.array([person[-1] for person in people], dtype=float),
    )
    return LightResult(found, dict(ori_shape=(480, 480), **LINE))


def at(drawing, x, y):
    return tuple(drawing[y, x, ::-1].tolist())


def test_people_are_drawn_in_their_colors_the_best_on_top():
    worse = [(100, 100, 1), (300, 100, 1), (300, 300, 1), 0.3]
    best = [(200, 50, 1), (200, 200, 1), (100, 200, 1), 0.8]
    drawing = draw_skeletons(np.zeros((480, 480, 3), np.uint8), answer(worse, best))
    assert at(drawing, 150, 100) == PERSON_COLORS[1] and at(drawing, 300, 200) == PERSON_COLORS[1]
    assert at(drawing, 150, 200) == PERSON_COLORS[0]
    assert at(drawing, 200, 100) == PERSON_COLORS[0], 'where limbs cross'


def test_neither_people_nor_keypoints_of_low_score_are_drawn():
    hidden = [(100, 100, 0.01), (300, 100, 1), (300, 300, 1), 0.5]
    faint = [(50, 400, 1), (150, 400, 1), (250, 400, 1), 0.05]
    drawing = draw_skeletons(np.zeros((480, 480, 3), np.uint8), answer(hidden, faint))
    assert not drawing[100, 90:200].any() and not drawing[400].any()
    assert drawing[200, 300].any()


def test_small_images_are_enlarged_with_their_skeletons():
    drawing = draw_skeletons(
        np.zeros((60, 120, 3), np.uint8), answer([(30, 15, 1), (30, 45, 1), (60, 45, 1), 0.9])
    )
    assert drawing.shape == (240, 480, 3)
    assert at(drawing, 120, 120) == PERSON_COLORS[0] and not drawing[120, 60].any()


def test_an_image_without_people_is_drawn_as_it_is():
    image = np.full((480, 480, 3), 7, np.uint8)
    assert np.array_equal(draw_skeletons(image, answer()), cv2.resize(image, None, fx=1, fy=1))
