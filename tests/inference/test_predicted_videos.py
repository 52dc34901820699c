"""The path of a video is as good as its frames: `predict` reads them one by one."""

import itertools
import logging
from fractions import Fraction

from pinet_mm import api
from pinet_mm.errors import InputError
from pinet_mm.inference import light
from pinet_mm.inference.prediction import LOOKAHEAD
from pinet_mm.inference.sources import given
from pinet_mm.inference.sources.videos import Frame
from pinet_mm.inference.tracking import track
from pinet_mm.onnx_runner import OnnxPoses

import numpy as np
import pytest

from tests.helpers.videos import META, STEP, found_in, write_video

pytest.importorskip('av')


class Exported(OnnxPoses):
    """Says the gray value of an image as an exported model would say a pose."""

    def __init__(self):
        self.dataset_meta = META

    def __call__(self, image):
        people = found_in(image).pred_instances
        found = {name: people[name] for name in ('keypoints', 'keypoint_scores')}
        return dict(found, scores=people.bbox_scores)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp('video')
    return write_video(folder / 'a.MP4', frames=6, rate=Fraction(25))


@pytest.fixture(scope='module')
def network():
    """A PINet that is asked for nothing but its pipeline; its people are those of the samples."""
    model = api.load('pinet_hrnet-slim_crowdsynth.py', device='cpu')

    def test_step(batch):
        for sample in batch['data_samples']:
            sample.pred_instances = found_in(np.zeros((48, 64, 3))).pred_instances
        return batch['data_samples']

    model.test_step = test_step
    return model


def predict_light(images):
    return light.predict(Exported(), images)


def predict_onnx(images):
    return api.predict(Exported(), images)


@pytest.mark.parametrize('predict', [predict_light, predict_onnx])
def test_frames_have_their_number_and_time(predict, video):
    for images in (video, str(video), [video]):
        results = list(predict(images))
        assert [result.frame for result in results] == list(range(6))
        assert {result.file for result in results} == {str(video)}
        for i, result in enumerate(results):
            assert result.metainfo['seconds'] == pytest.approx(i / 25)
            assert result.keypoints[0, 0, 0] == pytest.approx(STEP * i, abs=STEP / 3)
            assert result.size == (64, 48)
    first, *_, last = predict([video, np.full((48, 64, 3), 200, np.uint8)])
    assert (first.frame, last.frame, last.file) == (0, None, '')
    assert last.keypoints[0, 0, 0] == 200


def test_a_network_gets_the_frames_too(network, video):
    results = list(api.predict(network, video, batch_size=4))
    assert [result.frame for result in results] == list(range(6))
    assert [result.metainfo['seconds'] for result in results] == [i / 25 for i in range(6)]
    assert {result.file for result in results} == {str(video)}
    records = [result.to_record() for result in results]
    assert [record['frame'] for record in records] == list(range(6))


def test_people_of_a_video_are_tracked_as_it_is_read(video):
    assert [result.ids.tolist() for result in track(predict_light(video))] == [[1]] * 6


def endless(given_frames):
    def read_video(path):
        for i in itertools.count():
            given_frames.append(i)
            yield Frame(i, i / 25, np.full((48, 64, 3), i % 256, np.uint8))

    return read_video


def test_a_video_is_read_no_further_than_it_is_needed(network, monkeypatch):
    frames = []
    monkeypatch.setattr(given, 'read_video', endless(frames))
    assert len(list(itertools.islice(predict_light('a.mp4'), 5))) == 5 == len(frames)
    for batch_size in (1, 2):
        frames.clear()
        results = itertools.islice(api.predict(network, 'a.mp4', batch_size), 20)
        assert [result.frame for result in results] == list(range(20))
        assert len(frames) < 20 + LOOKAHEAD * batch_size


def test_frames_that_cannot_be_decoded_are_left_out_with_a_warning(monkeypatch, caplog):
    image = np.zeros((48, 64, 3), np.uint8)
    frames = [Frame(0, 0.0, image), Frame(1, 0.04, None), Frame(2, 0.08, image)]
    monkeypatch.setattr(given, 'read_video', lambda path: iter(frames))
    with caplog.at_level(logging.WARNING):
        assert [result.frame for result in predict_light('a.mp4')] == [0, 2]
    assert caplog.messages == ['a.mp4 frame 1 cannot be decoded']


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / 'a.mp4').write_text('no video')
    with pytest.raises(InputError, match='a.mp4 is no video that can be read'):
        next(predict_light(tmp_path / 'a.mp4'))
