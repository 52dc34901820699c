"""The ONNX file finds whom PyTorch finds, at any size and batch, and runs without PyTorch."""

import json
import re
import sys

from pinet_mm import api, onnx_runner
from pinet_mm import export as package
from pinet_mm.errors import RunError
from pinet_mm.export import check as export_check
from pinet_mm.export import graph as export
from pinet_mm.export import module as exportable
from pinet_mm.method.fusion import PoseFusion

import numpy as np
import pytest
import torch

from tests.helpers import toys

pytest.importorskip('onnxscript', reason='the export needs pip install onnx onnxscript onnxruntime')
import onnx  # noqa: E402
import onnxruntime  # noqa: E402

from tests.helpers.exports import SHIPPED, assert_same_people, crowd, people, run_tool

# --- the file ------------------------------------------------------------------------------------


def test_the_file_is_valid_and_takes_images_of_any_size(exported):
    model, folder = exported
    export_check.check_file(folder / 'pinet.onnx')
    written = onnx.load(folder / 'pinet.onnx')
    graph = written.graph
    sides = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    # Twelve proposals, and what the tool was asked for; it has its own opset.
    rows, opset = (17, 20) if (folder / 'said.txt').exists() else (12, 18)
    assert sides == dict(
        images=['batch', 3, 'height', 'width'],
        count=['batch'],
        keypoints=['batch', rows, 17, 2],
        scores=['batch', rows],
        keypoint_scores=['batch', rows, 17],
    )
    assert [each.version for each in written.opset_import if not each.domain] == [opset]


def test_the_tool_tells_how_its_file_agrees(exported):
    _, folder = exported
    if not (folder / 'said.txt').exists():
        pytest.skip('this file was not written by the tool')
    *stages, first, second, third = (folder / 'said.txt').read_text().splitlines()
    assert stages[-2:] == [
        'tracing the network and writing the file',
        'comparing it with PyTorch on drawn crowds',
    ]
    assert first.startswith(f'{folder / "pinet.onnx"}: ')
    assert first.endswith(' MB, passes onnx.checker')
    found = [
        re.fullmatch(
            r'(.*): the (\d+) people that PyTorch finds, keypoints within (.*) px, '
            'scores within (.*)',
            line,
        ).groups()
        for line in (second, third)
    ]
    assert [each[0] for each in found] == ['1 × 128×192', '3 × 256×128']
    assert sum(int(each[1]) for each in found) >= 5
    assert max(float(value) for each in found for value in each[2:]) < 1e-2


@pytest.mark.parametrize('size, count', [((192, 128), 3), ((128, 128), 1), ((128, 320), 2)])
def test_people_are_those_of_pytorch(exported, size, count):
    # Traced with two images of 160×96; these are their own network inputs.
    model, folder = exported
    images = crowd(*[size] * count)
    session = onnxruntime.InferenceSession(folder / 'pinet.onnx')
    rgb = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    outputs = session.run(None, {'images': rgb})
    total = 0
    for sample, n, *found in zip(api.predict(model, images), outputs[3], *outputs[:3]):
        assert_same_people([values[:n] for values in found], people(sample))
        assert not any(values[n:].any() for values in found)
        assert (np.diff(found[2][:n]) <= 0).all()
        total += n
    assert total >= 5


def test_the_check_tells_agreement_from_disagreement(exported, model):
    own, folder = exported
    batches = export_check.draw_batches((128, 64))
    assert [batch.shape for batch in batches] == [(1, 128, 128, 3), (3, 64, 256, 3)]
    found = export_check.check_agreement(folder / 'pinet.onnx', own, batches)
    assert [each.images for each in found] == [1, 3] and found[1].size == (256, 64)
    assert sum(each.people for each in found) >= 5
    assert max(each.pixels for each in found) < 1e-2
    other = toys.build_model('coco', test_cfg=dict(own.test_cfg))
    with pytest.raises(RunError, match=r'pinet.onnx must find what PyTorch finds, .* Agreement\('):
        export_check.check_agreement(folder / 'pinet.onnx', other, batches)


class Runner:
    """In place of ONNX Runtime: what PyTorch finds, and the scores of one output changed."""

    def __init__(self, model, output, by):
        self.session, self.module = self, exportable.ExportablePINet(model)
        self.output, self.by = output, by

    @torch.no_grad()
    def run(self, names, inputs):
        found = [each.numpy() for each in self.module(torch.from_numpy(inputs['images']))]
        found[names.index(self.output)] += np.float32(self.by)
        return found


@pytest.mark.parametrize('output', ['keypoint_scores', 'scores'])
@pytest.mark.parametrize('by', [0, 1e-4, 0.01, -1, np.nan])
def test_scores_must_agree_as_keypoints_do(model, monkeypatch, output, by):
    monkeypatch.setattr(export_check, 'OnnxPoses', lambda path: Runner(model, output, by))
    batches = export_check.draw_batches((128, 64))
    if by in (0, 1e-4):
        for found in export_check.check_agreement('pinet.onnx', model, batches):
            assert found.scores == pytest.approx(by, abs=1e-5) and found.pixels < 1e-3
        return
    with pytest.raises(
        RunError,
        match='pinet.onnx must find what PyTorch finds, keypoints within 0.01 px and scores '
        r'within 0.001; found Agreement\(images=1, .*, scores=',
    ):
        export_check.check_agreement('pinet.onnx', model, batches)


def test_of_nearly_the_same_people_the_distance_is_told(model):
    persons = next(api.predict(model, crowd((128, 128)))).pred_instances
    assert len(persons) > 1
    arrays = (
        persons.keypoints[::-1] + 0.5,
        persons.keypoint_scores[::-1] - 0.25,
        persons.bbox_scores[::-1],
    )
    assert export_check._distance(arrays, persons) == pytest.approx((0.5, 0.25), abs=1e-5)
    assert export_check._distance([each[1:] for each in arrays], persons) == (np.inf, np.inf)


@torch.no_grad()
def test_what_writes_files_is_imported_from_the_package():
    assert package.export_onnx is export.export_onnx
    assert package.export_program is export.export_program
    assert package.ExportablePINet is exportable.ExportablePINet


def test_the_file_says_what_a_user_needs(exported):
    model, folder = exported
    runner = onnx_runner.OnnxPoses(folder / 'pinet.onnx')
    facts = runner.session.get_modelmeta().custom_metadata_map
    assert facts['schema'] == 'pinet_mm.onnx/1' and facts['config'] == 'config.py'
    assert runner.resize['size'] == [128, 128] and runner.resize['multiple'] == 64
    assert runner.dataset_meta['keypoint_id2name'][0] == 'nose'
    assert runner.dataset_meta['keypoint_name2id']['right_ankle'] == 16
    assert list(map(tuple, runner.dataset_meta['skeleton_links'])) == list(
        map(tuple, model.dataset_meta['skeleton_links'])
    )


def test_what_cannot_be_exported_is_said_in_one_line(model, tmp_path, monkeypatch):
    out = tmp_path / 'pinet.onnx'
    with pytest.raises(RunError, match='the opset must be between 18 and 23; found 17'):
        export.export_onnx(model, out, opset=17)
    with pytest.raises(RunError, match='multiples of 32; found 100×128'):
        export.export_onnx(model, out, size=(100, 128))
    with pytest.raises(RunError, match='max_poses must be at least 1; found 0'):
        export.export_onnx(model, out, max_poses=0)
    message = 'max_per_part must be at most 64, .*; found 65'
    with monkeypatch.context() as patch, pytest.raises(RunError, match=message):
        patch.setitem(model.test_cfg, 'max_per_part', 65)
        export.export_onnx(model, out)
    with (
        monkeypatch.context() as patch,
        pytest.raises(
            RunError, match=r"the export needs onnx and onnxscript: pip install '/.*\[export\]'$"
        ),
    ):
        patch.setitem(sys.modules, 'onnx', None)
        patch.setitem(sys.modules, 'onnxscript', None)
        export.export_onnx(model, out)
    assert not out.exists()
    (tmp_path / 'page.pth').write_text('<html>')
    with pytest.raises(SystemExit, match='error: the checkpoint .*page.pth cannot be read'):
        run_tool('export_onnx.py', SHIPPED, tmp_path / 'page.pth', out)


def test_the_shipped_file_names_no_path_of_the_machine_that_wrote_it():
    assert b'File "' not in (api.WEIGHTS / 'pinet_lite_photos.onnx').read_bytes()


def test_the_poses_before_fusion_can_be_made_outputs(exported, monkeypatch):
    fused, forward = [], PoseFusion.forward

    def record(fusion, *given):
        fused.append(given)
        return forward(fusion, *given)

    monkeypatch.setattr(PoseFusion, 'forward', record)
    model, folder = exported
    written = onnx.load(folder / 'pinet.onnx')
    written.graph.output.extend(onnx.ValueInfoProto(name=name) for name in export.PROPOSALS)
    session = onnxruntime.InferenceSession(written.SerializeToString())
    (image,) = crowd((128, 192))
    list(api.predict(model, [image]))  # its own network input
    ((wanted, wanted_scores, _, wanted_valid, *_),) = fused
    rgb = image[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    poses, scores, valid = session.run(export.PROPOSALS, {'images': rgb})
    np.testing.assert_array_equal(valid, wanted_valid)
    assert valid.sum() >= 5
    np.testing.assert_allclose(poses[valid], wanted[wanted_valid], atol=1e-2)
    np.testing.assert_allclose(scores[valid], wanted_scores[wanted_valid], atol=1e-4)
    parts = json.loads(session.get_modelmeta().custom_metadata_map['parts'])
    assert parts == dict(zip(model.head.layout.part_names, map(list, model.head.layout.parts)))
