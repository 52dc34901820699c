"""A refinement of several passes that reads averaged maps, in the file and in a compiled graph."""

from pinet_mm import api
from pinet_mm.models import estimator
from pinet_mm.models.acceleration import accelerate

import numpy as np
import pytest
import torch

from tests.helpers.exports import REFINING, assert_same_people, crowd, people, write_model


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('refining')
    write_model(folder, 'paper', **REFINING)
    return folder


def load(folder):
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')


def test_the_file_finds_whom_pytorch_finds(light):
    pytest.importorskip('onnxscript', reason='the export needs onnx, onnxscript, onnxruntime')
    model, runner = load(light), api.load_onnx(light / 'pinet.onnx')
    assert model.test_cfg['use_uncertainty']
    assert model.head.refinement.num_passes == 2 and model.head.refinement.context == (2, 5)
    for image in crowd((128, 128), (300, 200)):
        found, wanted = (next(api.predict(each, [image])) for each in (runner, model))
        assert len(wanted.scores) >= 3
        assert_same_people(people(found), people(wanted))
        # The config does not mention the uncertainty: the weights bring it.
        assert wanted.pred_instances.keypoint_stds.shape == wanted.keypoint_scores.shape


def test_a_compiled_graph_finds_the_same(folder, monkeypatch):
    images, plain, compiled = crowd((128, 128)), load(folder), load(folder)
    for model in (plain, compiled):
        model.test_cfg = dict(model.test_cfg, use_uncertainty=True)
    whole = torch.compile(estimator.find_poses, fullgraph=True, backend='eager')
    monkeypatch.setattr(estimator, 'compiled_find_poses', lambda: whole)
    accelerate(compiled, compile=True)
    found, wanted = (next(api.predict(each, images)) for each in (compiled, plain))
    assert_same_people(people(found), people(wanted))
    stds = [each.pred_instances.keypoint_stds for each in (found, wanted)]
    assert stds[0].shape == wanted.pred_instances.keypoint_scores.shape
    np.testing.assert_allclose(*stds, rtol=1e-4)
