"""Folders of frames with `--track`: people keep their ids in the JSON."""

import json
from types import SimpleNamespace

from pinet_mm.cli.finding import make_options
from pinet_mm.cli.infer import make_parser
from pinet_mm.inference import folders
from pinet_mm.inference.folders import infer
from pinet_mm.inference.results import PoseResult

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample

from tests.helpers import toys

META = parse_pose_metainfo(toys.five_metainfo())
SHAPE = np.array([[20.0, 0], [0, 30], [40, 30], [10, 80], [30, 80]])


def _people(places, scores):
    count = len(places)
    return InstanceData(
        keypoints=np.array([SHAPE + place for place in places]).reshape(count, 5, 2),
        keypoint_scores=np.full((count, 5), 0.9),
        keypoints_visible=np.full((count, 5), 0.9),
        bbox_scores=np.array(scores, float),
    )


def _found_in(image):
    """Who is on the left walks to the right, scores less and less, and comes first or second."""
    step = int(image[0, 0, 0])
    people = _people([(60 + step, 60), (300, 60)], [0.9 - step / 100, 0.6])
    metainfo = dict(ori_shape=image.shape[:2])
    return PoseResult.of(PoseDataSample(pred_instances=people, metainfo=metainfo), META)


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(folders, 'predict', lambda model, images, size: map(_found_in, images))
    return SimpleNamespace(dataset_meta=META)


def _write_frames(folder, steps):
    folder.mkdir()
    for number, step in enumerate(steps):
        cv2.imwrite(str(folder / f'{number}.png'), np.full((200, 480, 3), step, np.uint8))


def test_ids_stay_with_people_and_begin_anew_in_each_folder(model, tmp_path):
    _write_frames(tmp_path / 'a', [0, 10, 20, 40])
    _write_frames(tmp_path / 'b', [40])
    options = make_options(make_parser().parse_args(['a', '--track']), '')
    infer(model, [tmp_path / 'a', tmp_path / 'b'], tmp_path / 'out', options=options)
    images = json.loads((tmp_path / 'out/predictions.json').read_text())['images']
    # by their place: the best comes first, which changes in the last frame
    ids = [{person['bbox'][0] > 250: person['id'] for person in each['persons']} for each in images]
    assert ids == [{False: 1, True: 2}] * 4 + [{False: 2, True: 1}]
    plain = infer(model, [tmp_path / 'a'], tmp_path / 'plain')
    assert 'id' not in json.loads(plain.json.read_text())['images'][0]['persons'][0]
