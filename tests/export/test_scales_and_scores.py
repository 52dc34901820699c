"""A file that looks at several scales, with the score that came with the checkpoint.

It finds whom PyTorch finds, and the score orders fusion and ranks people.
"""

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.export import check as export_check
from pinet_mm.export import graph as export
from pinet_mm.onnx_runner import OnnxPoses

import numpy as np
import pytest
import torch

from tests.helpers.exports import assert_same_people, crowd, people

onnx = pytest.importorskip('onnx', reason='the export needs pip install onnx')
onnxruntime = pytest.importorskip('onnxruntime', reason='the file needs onnxruntime')
pytest.importorskip('onnxscript', reason='the export needs pip install onnxscript')


def load(folder, **test_cfg):
    options = {f'model.test_cfg.{name}': value for name, value in test_cfg.items()}
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu', options)


def test_the_file_finds_whom_pytorch_finds_with_the_same_scores(light):
    model, runner = load(light), api.load_onnx(light / 'pinet.onnx')
    assert model.head.refinement.score.layers[1].out_features == 8
    expected, forward = [], model.head.refinement.score.forward
    model.head.refinement.score.forward = lambda given: (
        expected.append(forward(given)) or expected[-1]
    )
    model.test_cfg.use_agreement = False
    plain = load(light, use_score=False)
    assert plain.head.refinement.score is None
    for image in crowd((128, 128), (300, 200)):
        expected.clear()
        wanted = people(next(api.predict(model, [image])))
        other = people(next(api.predict(plain, [image])))
        assert len(wanted[2]) >= 3
        # Every score is the expected OKS of a proposal, whatever its keypoints score.
        of_proposals = torch.cat(expected, dim=1).numpy()  # of both scales
        assert np.isin(wanted[2], of_proposals).all()
        assert not np.isin(other[2], of_proposals).any()
    model.test_cfg.use_agreement = True  # as it was exported
    for image in crowd((128, 128), (300, 200)):
        one, two = (people(next(api.predict(each, [image]))) for each in (runner, model))
        assert_same_people(one, two)


def test_the_check_compares_scores(light):
    batches = export_check.draw_batches((128, 128))
    found = export_check.check_agreement(light / 'pinet.onnx', load(light), batches)
    assert sum(each.people for each in found) >= 5
    with pytest.raises(RunError, match='must find what PyTorch finds'):
        export_check.check_agreement(light / 'pinet.onnx', load(light, use_score=False), batches)


def test_the_file_says_what_its_scores_are(light):
    facts = OnnxPoses(light / 'pinet.onnx').session.get_modelmeta().custom_metadata_map
    assert facts['score'] == 'expected OKS'
    plain = load(light, use_refinement=False, use_uncertainty=False)
    assert export.describe(plain)['score'] == 'mean keypoint score'
    assert export.describe(load(light, use_score=False))['score'] == 'mean keypoint score'


# Half of 192 is no multiple of 64, half of 128 is.
@pytest.mark.parametrize('size, count', [((192, 128), 2), ((128, 320), 1)])
def test_people_of_both_scales_are_those_of_pytorch(light, size, count):
    images = crowd(*[size] * count)
    rgb = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    outputs = onnxruntime.InferenceSession(light / 'pinet.onnx').run(None, {'images': rgb})
    for sample, n, *found in zip(api.predict(load(light), images), outputs[3], *outputs[:3]):
        assert n > 3 and outputs[0].shape[1] == 2 * 4 * 3  # scales, proposals, parts
        assert_same_people([values[:n] for values in found], people(sample))


def test_backbones_of_both_scales_share_their_weights(light):
    export_check.check_file(light / 'pinet.onnx')
    graph = onnx.load(light / 'pinet.onnx').graph
    convolutions = [node for node in graph.node if node.op_type == 'Conv']
    weights = {node.input[1] for node in convolutions}
    assert len(convolutions) == 2 * len(weights) > 20


def test_rows_of_all_scales_are_counted(light):
    assert export.note_on_rows(load(light), 24) is None
    assert 'without the option it has 24 rows' in export.note_on_rows(load(light), 23)
