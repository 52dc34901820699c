"""Weights in half size: the same people, and what float16 cannot hold."""

from pinet_mm import api
from pinet_mm.export import check as export_check
from pinet_mm.export.half import store_half

import numpy as np
import pytest
import torch

from tests.helpers import toys

pytest.importorskip('onnxscript', reason='the export needs pip install onnx onnxscript onnxruntime')
import onnx  # noqa: E402
import onnxruntime  # noqa: E402

# --- weights in half the size --------------------------------------------------------------------


def test_weights_in_half_size_give_the_same_people(light):
    model = api.load(light / 'config.py', light / 'weights.pth', 'cpu')
    whole = sum(value.numel() for value in model.parameters()) * 4
    assert (light / 'pinet.onnx').stat().st_size < 0.65 * whole
    found = export_check.check_agreement(
        light / 'pinet.onnx', model, export_check.draw_batches((128, 64))
    )
    assert sum(each.people for each in found) >= 5
    assert max(each.pixels for each in found) < 1e-3 and max(each.scores for each in found) < 1e-5
    said = (light / 'said.txt').read_text()
    assert 'pinet.onnx' in said and 'people that PyTorch finds' in said


def test_large_weights_are_of_float16_and_all_is_computed_in_float32(light):
    graph = onnx.load(light / 'pinet.onnx').graph
    kinds = {each.name: each.data_type for each in graph.initializer}
    sizes = {each.name: np.prod(each.dims) for each in graph.initializer}
    assert max(sizes[name] for name in kinds if kinds[name] == onnx.TensorProto.FLOAT) <= 8192
    casts = {
        node.output[0]: node
        for node in graph.node
        if node.op_type == 'Cast' and kinds.get(node.input[0]) == onnx.TensorProto.FLOAT16
    }
    assert len(casts) == list(kinds.values()).count(onnx.TensorProto.FLOAT16) > 10
    assert all(node.attribute[0].i == onnx.TensorProto.FLOAT for node in casts.values())
    taken = {node.input[1] for node in graph.node if node.op_type == 'Conv'} & set(casts)
    assert 'model.backbone.net.layer4.0.conv1.weight' in taken


def write_layers(path, weight, half):
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(128, 128, 1, bias=False), torch.nn.BatchNorm2d(128)
    ).eval()
    toys.scramble(layers)
    layers[0].weight.data = weight
    images = torch.randn(1, 128, 8, 8, generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(layers, (images,), dynamo=True, optimize=False, verbose=False)
    if half:
        store_half(program.model.graph)
    program.optimize()
    program.save(str(path), external_data=False)
    return onnxruntime.InferenceSession(path).run(
        None, {program.model.graph.inputs[0].name: images.numpy()}
    )[0]


@pytest.mark.parametrize('exact', [True, False])
def test_only_the_rounding_of_weights_shows(tmp_path, exact):
    weight = torch.randn(128, 128, 1, 1, generator=torch.Generator().manual_seed(1))
    weight = weight.half().float() if exact else weight
    found, expected = (
        write_layers(tmp_path / f'{half}.onnx', weight, half) for half in (True, False)
    )
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error < 1e-6 if exact else 1e-5 < error < 1e-3
    sizes = [(tmp_path / f'{half}.onnx').stat().st_size for half in (True, False)]
    assert sizes[0] < 0.6 * sizes[1]


def test_weights_that_float16_cannot_hold_are_named(tmp_path):
    with pytest.raises(ValueError, match='0.weight has values that float16 cannot hold'):
        write_layers(tmp_path / 'large.onnx', torch.full((128, 128, 1, 1), 1e5), True)
