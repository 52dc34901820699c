"""A file that looks at several scales finds whom PyTorch finds, where sides are rounded up too."""

from pinet_mm import api
from pinet_mm.export import check
from pinet_mm.export.graph import note_on_rows

import numpy as np
import pytest

from tests.helpers.exports import assert_same_people, crowd, people, write_model

onnx = pytest.importorskip('onnx', reason='the export needs pip install onnx')
onnxruntime = pytest.importorskip('onnxruntime', reason='the file needs onnxruntime')
pytest.importorskip('onnxscript', reason='the export needs pip install onnxscript')


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    from pinet_mm.export.graph import export_onnx

    folder = tmp_path_factory.mktemp('scales')
    write_model(folder, 'paper')
    model = api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
    settings = dict(scale_factors=(0.5, 1), flip_test=False, max_per_part=4)
    model.test_cfg = dict(model.test_cfg, **settings)
    export_onnx(model, folder / 'pinet.onnx')
    return model, folder / 'pinet.onnx'


# Half of 192 is no multiple of 64, half of 128 is.
@pytest.mark.parametrize('size, count', [((192, 128), 2), ((128, 320), 1)])
def test_people_of_both_scales_are_those_of_pytorch(exported, size, count):
    model, path = exported
    images = crowd(*[size] * count)
    rgb = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    outputs = onnxruntime.InferenceSession(path).run(None, {'images': rgb})
    for sample, n, *found in zip(api.predict(model, images), outputs[3], *outputs[:3]):
        assert n > 4 and outputs[0].shape[1] == 2 * 4 * 3  # scales, proposals, parts
        assert_same_people([values[:n] for values in found], people(sample))


def test_backbones_of_both_scales_share_their_weights(exported):
    model, path = exported
    check.check_file(path)
    graph = onnx.load(path).graph
    convolutions = [node for node in graph.node if node.op_type == 'Conv']
    weights = {node.input[1] for node in convolutions}
    assert len(convolutions) == 2 * len(weights) > 20


def test_rows_of_all_scales_are_counted(exported):
    assert note_on_rows(exported[0], 24) is None
    assert 'without the option it has 24 rows' in note_on_rows(exported[0], 23)
