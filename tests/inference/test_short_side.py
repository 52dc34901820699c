"""Another size of network input than the model's own, in both runtimes."""

from pinet_mm import api
from pinet_mm.cli import predict as command
from pinet_mm.datasets import pipelines
from pinet_mm.errors import RunError

import numpy as np
import pytest

from tests.helpers.tools import load_tool


@pytest.fixture(scope='module')
def portrait():
    return load_tool('demo').find_photographs()[0]


def best(model, portrait):
    (result,) = api.predict(model, portrait)
    return result


def test_both_runtimes_find_the_same_person_at_another_short_side(portrait):
    by_torch = best(api.load(short_side=192), portrait)
    by_onnx = best(api.load_onnx(short_side=192), portrait)
    assert min(by_torch.metainfo['input_size']) == 192
    assert by_onnx.scores[0] == pytest.approx(by_torch.scores[0], abs=1e-4)
    assert np.abs(by_onnx.keypoints[0] - by_torch.keypoints[0]).max() < 0.05


def test_the_input_of_an_exported_model_has_the_short_side_and_the_images_proportions():
    model = api.load_onnx(short_side=128)
    frame, rgb = model.to_input(np.zeros((100, 300, 3), np.uint8))
    assert (frame.size_in, rgb.shape) == ((384, 128), (1, 3, 128, 384))


def test_who_fills_the_image_scores_higher_at_a_smaller_input(portrait):
    scores = [best(api.load_onnx(short_side=side), portrait).scores[0] for side in (192, None)]
    assert scores[0] > scores[1]


@pytest.mark.parametrize('text', ['0', '63', '4097', '192.5', '-192', 'large'])
def test_a_short_side_is_a_number_of_pixels(text, capsys):
    with pytest.raises(SystemExit):
        command.main(['photo.jpg', f'--short-side={text}'])
    assert f'expected pixels from 64 to 4096; found {text}' in capsys.readouterr().err


def test_a_pipeline_without_a_resize_is_refused():
    steps = [dict(type='LoadImage'), dict(type='PackPoseInputs')]
    with pytest.raises(RunError, match='no step of the test pipeline resizes'):
        pipelines.set_short_side(steps, 192)
    steps.insert(1, dict(type='BottomupResize', input_size=(448, 448), resize_mode='expand'))
    pipelines.set_short_side(steps, 192)
    assert steps[1] == dict(type='BottomupResize', input_size=(192, 192), resize_mode='expand')
