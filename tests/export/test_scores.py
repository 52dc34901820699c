"""A score that comes with a checkpoint goes into the file, orders its fusion and ranks people."""

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.export import check as export_check
from pinet_mm.export import graph as export
from pinet_mm.method.scoring import PoseScore
from pinet_mm.onnx_runner import OnnxPoses

import numpy as np
import pytest
import torch

from tests.helpers.exports import assert_same_people, crowd, people, write_model
from tests.helpers.toys import scramble

pytest.importorskip('onnxscript', reason='the export needs pip install onnx onnxscript onnxruntime')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A config without a score, weights with one, and the file that was written of both."""
    folder = tmp_path_factory.mktemp('scores')
    write_model(folder, 'paper')
    weights = torch.load(folder / 'weights.pth')
    score = scramble(PoseScore(weights['state_dict']['head.score_branch.weight'].shape[1], 8), 1)
    weights['state_dict'].update(
        {f'head.refinement.score.{name}': value for name, value in score.state_dict().items()}
    )
    torch.save(weights, folder / 'scored.pth')
    export.export_onnx(load(folder), folder / 'pinet.onnx')
    return folder


def load(folder, **test_cfg):
    options = {f'model.test_cfg.{name}': value for name, value in test_cfg.items()}
    return api.load(folder / 'config.py', folder / 'scored.pth', 'cpu', options)


def test_the_file_finds_whom_pytorch_finds_with_the_same_scores(folder):
    model, runner = load(folder), api.load_onnx(folder / 'pinet.onnx')
    assert model.head.refinement.score.layers[1].out_features == 8
    expected, forward = [], model.head.refinement.score.forward
    model.head.refinement.score.forward = lambda given: (
        expected.append(forward(given)) or expected[-1]
    )
    model.test_cfg.use_agreement = False
    plain = load(folder, use_score=False)
    assert plain.head.refinement.score is None
    for image in crowd((128, 128), (300, 200)):
        with torch.no_grad():
            wanted = people(next(api.predict(model, [image])))
        other = people(next(api.predict(plain, [image])))
        assert len(wanted[2]) >= 3
        # Every score is the expected OKS of a proposal, whatever its keypoints score.
        assert np.isin(wanted[2], expected[-1].numpy()).all()
        assert not np.isin(other[2], expected[-1].numpy()).any()
    model.test_cfg.use_agreement = True  # as it was exported
    for image in crowd((128, 128), (300, 200)):
        one, two = (people(next(api.predict(each, [image]))) for each in (runner, model))
        assert_same_people(one, two)


def test_the_check_compares_scores(folder):
    batches = export_check.draw_batches((128, 128))
    found = export_check.check_agreement(folder / 'pinet.onnx', load(folder), batches)
    assert sum(each.people for each in found) >= 5
    with pytest.raises(RunError, match='must find what PyTorch finds'):
        export_check.check_agreement(folder / 'pinet.onnx', load(folder, use_score=False), batches)


def test_the_file_says_what_its_scores_are(folder):
    facts = OnnxPoses(folder / 'pinet.onnx').session.get_modelmeta().custom_metadata_map
    assert facts['score'] == 'expected OKS'
    assert export.describe(load(folder, use_refinement=False))['score'] == 'mean keypoint score'
    assert export.describe(load(folder, use_score=False))['score'] == 'mean keypoint score'
