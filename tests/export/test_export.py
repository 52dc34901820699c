"""The ONNX file finds whom PyTorch finds, at any size and batch, and runs without PyTorch."""

import contextlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

from pinet_mm import api, onnx_runner
from pinet_mm import export as package
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.errors import RunError
from pinet_mm.export import check as export_check
from pinet_mm.export import graph as export
from pinet_mm.export import module as exportable
from pinet_mm.export.half import store_half
from pinet_mm.method.fusion import fuse_poses
from pinet_mm.method.proposals import pool_maps

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.models.necks import fmap_proc_neck
from mmpose.registry import MODELS

from tests.helpers import toys

pytest.importorskip('onnxscript', reason='the export needs pip install onnx onnxscript onnxruntime')
import onnx  # noqa: E402
import onnxruntime  # noqa: E402

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / 'configs' / 'pinet_hrnet-slim_crowdsynth.py'
# w, h of pictures whose network inputs have several sizes; 192×128 is its own input.
SIZES = ((192, 128), (200, 100), (90, 141), (128, 128), (61, 61))
# Poses of a random network have little to do with each other; so some are fused all the same.
TEST_CFG = dict(
    paper=dict(flip_test=True, max_per_part=5, oks_thr=0.05, use_agreement=True),
    release=dict(max_per_part=4, oks_thr=0.05),
)
# With stages of stride 4 to 32 as HRNet's branches, but a third of its layers to trace.
BACKBONE = dict(type='ResNet', depth=18, stem_channels=8, base_channels=4, out_indices=range(4))


def crowd(*sizes):
    return [
        draw_crowd(CrowdSettings(size=size, persons=(3, 4)), seed=0, index=i)[0]
        for i, size in enumerate(sizes)
    ]


def write_model(folder, convention):
    """A config of the project with a narrow network, and weights that propose at random."""
    config = Config.fromfile(SHIPPED)
    config.codec.convention = convention
    config.model = toys.model_config('coco', test_cfg=TEST_CFG[convention])
    config.model.head.decoder = config.codec
    config.model.backbone = BACKBONE
    if convention == 'release':
        config.test_dataloader.dataset.pipeline[1] = dict(
            type='WholeCentreResize', input_size=(128, 128)
        )
    config.dump(folder / 'config.py')
    model = toys.build_in_mmpose(MODELS, config.model).eval()
    toys.awaken(model, torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'weights.pth')


def run_tool(name, *arguments):
    """Run a tool in this process and return what it prints."""
    said = io.StringIO()
    with (
        mock.patch.object(sys, 'argv', [name, *map(str, arguments)]),
        contextlib.redirect_stdout(said),
    ):
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
    return said.getvalue()


@pytest.fixture(scope='module', params=['paper', pytest.param('release', marks=pytest.mark.slow)])
def exported(request, tmp_path_factory):
    """A model, and the folder of the file that was written of it, one of them by the tool."""
    folder = tmp_path_factory.mktemp(request.param)
    write_model(folder, request.param)
    model = api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
    if request.param == 'release':
        export.export_onnx(model, folder / 'pinet.onnx', opset=18)
    else:
        (folder / 'said.txt').write_text(
            run_tool(
                'export_onnx.py',
                folder / 'config.py',
                folder / 'weights.pth',
                folder / 'pinet.onnx',
                '--max-poses',
                17,
                '--opset',
                20,
                '--size',
                160,
                96,
            )
        )
    return model, folder


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    write_model(folder, 'paper')
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')


def people(sample):
    """Keypoints, their scores, the persons' scores; best first."""
    found = sample.pred_instances
    order = np.argsort(-found.bbox_scores, kind='stable')
    return found.keypoints[order], found.keypoint_scores[order], found.bbox_scores[order]


def assert_same_people(found, wanted, atol=1e-2):
    assert len(found[0]) == len(wanted[0])
    if len(wanted[0]):
        order = toys.pair_up(found[0], wanted[0])
        np.testing.assert_allclose(found[0][order], wanted[0], atol=atol)
        for values, expected in zip(found[1:], wanted[1:]):
            np.testing.assert_allclose(values[order], expected, atol=1e-4)


# --- the file ------------------------------------------------------------------------------------


def test_the_file_is_valid_and_takes_pictures_of_any_size(exported):
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
    first, second, third = (folder / 'said.txt').read_text().splitlines()[-3:]
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
def test_persons_are_those_of_pytorch(exported, size, count):
    # Traced with two pictures of 160×96; these are their own network inputs.
    model, folder = exported
    pictures = crowd(*[size] * count)
    session = onnxruntime.InferenceSession(folder / 'pinet.onnx')
    rgb = np.stack(pictures)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    outputs = session.run(None, {'images': rgb})
    total = 0
    for sample, n, *found in zip(api.predict(model, pictures), outputs[3], *outputs[:3]):
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


def test_of_nearly_the_same_persons_the_distance_is_told(model):
    persons = next(api.predict(model, crowd((128, 128)))).pred_instances
    assert len(persons) > 1
    arrays = (
        persons.keypoints[::-1] + 0.5,
        persons.keypoint_scores[::-1] - 0.25,
        persons.bbox_scores[::-1],
    )
    assert export_check._distance(arrays, persons) == pytest.approx((0.5, 0.25), abs=1e-5)
    assert export_check._distance([each[1:] for each in arrays], persons) == (np.inf, np.inf)


# --- weights in half the size --------------------------------------------------------------------


@pytest.fixture(scope='module')
def light(tmp_path_factory):
    """A model with a backbone of timm whose weights float16 can hold, and its file in half size."""
    folder = tmp_path_factory.mktemp('light')
    config = Config.fromfile(SHIPPED)
    config.model = toys.model_config('coco', test_cfg=TEST_CFG['release'])
    config.model.head = toys.head_config('coco', channels=16)
    config.model.head.decoder = config.codec
    config.model.backbone = dict(type='TimmBackbone', model_name='tf_efficientnet_lite0')
    config.model.neck = dict(type='SeparableFPN', in_channels=(24, 40, 112, 320), out_channels=16)
    config.dump(folder / 'config.py')
    torch.manual_seed(0)
    model = toys.build_in_mmpose(MODELS, config.model).eval()
    toys.awaken(model, torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
    torch.save(dict(state_dict=model.half().state_dict(), meta={}), folder / 'weights.pth')
    said = run_tool(
        'export_onnx.py',
        folder / 'config.py',
        folder / 'weights.pth',
        folder / 'half.onnx',
        '--half-weights',
    )
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu'), folder, said


def test_weights_in_half_size_give_the_same_persons(light):
    model, folder, said = light
    whole = sum(value.numel() for value in model.parameters()) * 4
    assert (folder / 'half.onnx').stat().st_size < 0.65 * whole
    found = export_check.check_agreement(
        folder / 'half.onnx', model, export_check.draw_batches((128, 64))
    )
    assert sum(each.people for each in found) >= 5
    assert max(each.pixels for each in found) < 1e-3 and max(each.scores for each in found) < 1e-5
    assert 'half.onnx' in said and 'people that PyTorch finds' in said


def test_large_weights_are_of_float16_and_all_is_computed_in_float32(light):
    graph = onnx.load(light[1] / 'half.onnx').graph
    kinds = {each.name: each.data_type for each in graph.initializer}
    sizes = {each.name: np.prod(each.dims) for each in graph.initializer}
    assert max(sizes[name] for name in kinds if kinds[name] == onnx.TensorProto.FLOAT) <= 8192
    casts = {
        node.output[0]: node
        for node in graph.node
        if node.op_type == 'Cast' and kinds.get(node.input[0]) == onnx.TensorProto.FLOAT16
    }
    assert len(casts) == list(kinds.values()).count(onnx.TensorProto.FLOAT16) > 20
    assert all(node.attribute[0].i == onnx.TensorProto.FLOAT for node in casts.values())
    taken = {node.input[1] for node in graph.node if node.op_type == 'Conv'} & set(casts)
    assert 'model.backbone.net.blocks.6.0.conv_pw.weight' in taken


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


# --- the parts that a graph needs otherwise ------------------------------------------------------


class _Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def run_as_onnx(function, example, others, dynamic_shapes):
    """Export a function with an example, and run it on others."""
    program = torch.onnx.export(
        _Function(function),
        example,
        dynamo=True,
        opset_version=18,
        verbose=False,
        dynamic_shapes=dynamic_shapes,
        custom_translation_table={torch.ops.aten.sort.stable: export._sort_stable},
    )
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for inputs in others:
        yield session.run(
            None, {value.name: array.numpy() for value, array in zip(session.get_inputs(), inputs)}
        )


def test_the_window_of_peaks_follows_the_size_of_the_maps():
    # (H + W) / 2 of 200 pools 3×3, above it 5×5; 300 does so too, above it 7×7.
    sizes = ((20, 30), (200, 200), (201, 200), (300, 300), (300, 301))
    maps = [torch.rand(1, 2, *size) for size in sizes]
    sides = {2: torch.export.Dim('h', max=512), 3: torch.export.Dim('w', max=512)}
    outputs = run_as_onnx(
        exportable.pool_any_size, (torch.rand(1, 2, 40, 50),), [(each,) for each in maps], (sides,)
    )
    for each, (found,) in zip(maps, outputs):
        np.testing.assert_array_equal(found, pool_maps(each))


def test_equal_scores_keep_their_order():
    def poses(batch):
        generator = torch.Generator().manual_seed(batch)
        keypoints = torch.rand(batch, 8, 5, 2, generator=generator) * 20
        scores = torch.rand(batch, 8, 5, generator=generator)
        ranks = torch.rand(batch, 8, generator=generator).mul(2).round()
        return keypoints, scores, ranks, torch.rand(batch, 8, generator=generator) > 0.2

    def fuse(keypoints, keypoint_scores, ranks, valid):
        fused = fuse_poses(keypoints, keypoint_scores, torch.full((5,), 0.1), ranks, valid, 0.3)
        return fused.sources, fused.kept

    batches = [poses(batch) for batch in (1, 7)]
    outputs = run_as_onnx(fuse, poses(2), batches, ({0: torch.export.Dim('batch')},) * 4)
    for inputs, (sources, kept) in zip(batches, outputs):
        expected, wanted = fuse(*inputs)
        np.testing.assert_array_equal(kept, wanted)
        np.testing.assert_array_equal(sources[kept], expected[wanted])


@pytest.mark.parametrize('rows', [2, 15, 20])
@torch.no_grad()
def test_the_best_persons_fill_the_rows(model, rows):
    (picture,) = crowd((128, 128))
    wanted = people(next(api.predict(model, [picture])))
    n = min(rows, len(wanted[0]))
    assert 2 < len(wanted[0]) < 15
    image = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1).astype(np.float32))
    *found, count = exportable.ExportablePINet(model, rows)(image[None])
    assert count.tolist() == [n] and [len(each[0]) for each in found] == [rows] * 3
    for values, expected in zip(found, wanted):
        np.testing.assert_allclose(values[0, :n], expected[:n], atol=1e-3)
        assert not values[0, n:].any()


@torch.no_grad()
def test_what_writes_files_is_imported_from_the_package():
    assert package.export_onnx is export.export_onnx
    assert package.export_program is export.export_program
    assert package.ExportablePINet is exportable.ExportablePINet


def test_mmposes_resize_is_back_after_the_export():
    original = fmap_proc_neck.resize
    with pytest.raises(KeyError), export.sizes_of_the_graph():
        assert fmap_proc_neck.resize is not original
        raise KeyError
    assert fmap_proc_neck.resize is original


@torch.no_grad()
def test_networks_of_bgr_pictures_take_rgb_too(model, monkeypatch):
    monkeypatch.setattr(model.data_preprocessor, '_channel_conversion', False)
    (picture,) = crowd((128, 128))
    wanted = people(next(api.predict(model, [picture])))
    image = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1).astype(np.float32))
    keypoints, _, _, count = exportable.ExportablePINet(model)(image[None])
    np.testing.assert_allclose(keypoints[0, : count[0]], wanted[0], atol=1e-3)


def test_layers_that_fix_the_size_are_noticed(model, monkeypatch):
    # As MMPose's own resize does, and behind a convolution torch says nothing.
    monkeypatch.setattr(export, 'sizes_of_the_graph', contextlib.nullcontext)
    with pytest.raises(RunError, match='model works at 160×96 only, for one of its layers takes'):
        export.export_program(exportable.ExportablePINet(model).eval(), (160, 96))


# --- the runner ----------------------------------------------------------------------------------


def test_the_runner_resizes_pictures_as_the_test_pipeline_does(exported):
    model, folder = exported
    runner, pictures = onnx_runner.OnnxPoses(folder / 'pinet.onnx'), crowd(*SIZES)
    samples = list(api.predict(model, pictures))
    assert sum(len(sample.pred_instances) for sample in samples) >= 5
    for picture, sample in zip(pictures, samples):
        found = runner(picture)
        assert_same_people(
            [found['keypoints'], found['keypoint_scores'], found['scores']], people(sample)
        )
        frame, _ = onnx_runner.fit(picture.shape[1::-1], **runner.resize)
        assert frame.size_in == tuple(sample.metainfo['input_size'])
        np.testing.assert_array_equal(frame.scale_img, sample.metainfo['input_scale'])


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


def test_the_runner_needs_neither_torch_nor_mmpose(exported, tmp_path):
    model, folder = exported
    for name in ('torch', 'mmpose', 'mmengine', 'mmcv', 'pinet_mm'):
        (tmp_path / f'{name}.py').write_text(f'raise ImportError("no {name} here")')
    (picture,) = crowd(SIZES[1])
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    done = subprocess.run(
        [
            sys.executable,
            ROOT / 'pinet_mm' / 'onnx_runner.py',
            '--pose-thr=-inf',
            folder / 'pinet.onnx',
            tmp_path / 'a.png',
            tmp_path / 'gone.png',
        ],
        text=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(tmp_path)},
    )
    assert done.stderr.endswith(f'error: {tmp_path / "gone.png"} is no image that can be read\n')
    (record,) = map(json.loads, done.stdout.splitlines())
    wanted = people(next(api.predict(model, [picture])))
    assert record['file'] == str(tmp_path / 'a.png') and len(wanted[0])
    found = np.array([person['keypoints'] for person in record['persons']])
    assert_same_people(
        [
            found[..., :2],
            found[..., 2],
            np.array([person['score'] for person in record['persons']]),
        ],
        wanted,
    )


def test_files_of_others_are_refused(tmp_path):
    (tmp_path / 'text.onnx').write_text('no graph')
    with pytest.raises(RunError, match='text.onnx is no ONNX file that can be run: '):
        api.load_onnx(tmp_path / 'text.onnx')
    value = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    same = onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node('Identity', ['x'], ['y'])
    other = onnx.helper.make_model(
        onnx.helper.make_graph([node], 'g', [value], [same]),
        ir_version=10,
        opset_imports=[onnx.helper.make_opsetid('', 18)],
    )
    onnx.save(other, tmp_path / 'other.onnx')
    with pytest.raises(
        RunError,
        match=r'other.onnx must have been written by tools/export_onnx.py,'
        r' schema pinet_mm.onnx/1; found None',
    ):
        api.load_onnx(tmp_path / 'other.onnx')


# --- the tools -----------------------------------------------------------------------------------


def test_infer_takes_the_file_for_a_model(exported, tmp_path):
    model, folder = exported
    for i, picture in enumerate(crowd(*SIZES[:2])):
        cv2.imwrite(str(tmp_path / f'{i}.png'), picture)
    best = people(next(api.predict(model, [tmp_path / '0.png'])))[2]
    between = float(best[:2].mean())  # draws one person: colors go by order, which may differ
    run_tool(
        'infer.py',
        tmp_path / '0.png',
        tmp_path / '1.png',
        '--onnx',
        folder / 'pinet.onnx',
        '--out',
        tmp_path / 'onnx',
        '--pose-thr',
        between,
    )
    api.infer(model, [tmp_path / '0.png', tmp_path / '1.png'], tmp_path / 'torch', pose_thr=between)
    found, wanted = (
        json.loads((tmp_path / name / 'predictions.json').read_text()) for name in ('onnx', 'torch')
    )
    assert {**found, 'pictures': 0} == {**wanted, 'pictures': 0}
    for record, expected in zip(found['pictures'], wanted['pictures'], strict=True):
        assert {**record, 'persons': 0} == {**expected, 'persons': 0}
        arrays = [
            [
                np.array([np.ravel(person[name]) for person in each['persons']])
                for name in ('keypoints', 'bbox', 'score')
            ]
            for each in (record, expected)
        ]
        for values, others in zip(*arrays):
            np.testing.assert_allclose(values, others, atol=2e-2)
    one, two = (
        cv2.imread(str(tmp_path / name / '0.jpg')).astype(int) for name in ('onnx', 'torch')
    )
    assert np.abs(one - two).mean() < 1
    for option in (('--before-fusion',), ('--amp',), ('--compile',), ('--config', 'a.py')):
        with pytest.raises(SystemExit, match=f'error: {option[0]} has no effect on the file of'):
            run_tool('infer.py', tmp_path / '0.png', '--onnx', folder / 'pinet.onnx', *option)


def test_what_cannot_be_exported_is_said_in_one_line(model, tmp_path, monkeypatch):
    out = tmp_path / 'pinet.onnx'
    with pytest.raises(RunError, match='the opset must be between 18 and 23; found 17'):
        export.export_onnx(model, out, opset=17)
    with pytest.raises(RunError, match='multiples of 32; found 100×128'):
        export.export_onnx(model, out, size=(100, 128))
    with pytest.raises(RunError, match='max_poses must be at least 1; found 0'):
        export.export_onnx(model, out, max_poses=0)
    for setting, value, message in (
        ('scale_factors', (1, 0.5), 'multi-scale test cannot be exported: set '),
        ('max_per_part', 65, 'max_per_part must be at most 64, .*; found 65'),
    ):
        with monkeypatch.context() as patch, pytest.raises(RunError, match=message):
            patch.setitem(model.test_cfg, setting, value)
            export.export_onnx(model, out)
    with (
        monkeypatch.context() as patch,
        pytest.raises(
            RunError, match='the export needs onnx and onnxscript: pip install onnx onnxscript, '
        ),
    ):
        patch.setitem(sys.modules, 'onnx', None)
        patch.setitem(sys.modules, 'onnxscript', None)
        export.export_onnx(model, out)
    assert not out.exists()
    (tmp_path / 'page.pth').write_text('<html>')
    with pytest.raises(SystemExit, match='error: the checkpoint .*page.pth could not be had'):
        run_tool('export_onnx.py', SHIPPED, tmp_path / 'page.pth', out)


# --- a trained network ---------------------------------------------------------------------------


def test_the_shipped_network_finds_the_same_people(tmp_path):
    model = api.load(SHIPPED, device='cpu')
    export.export_onnx(model, tmp_path / 'pinet.onnx')
    found = export_check.check_agreement(
        tmp_path / 'pinet.onnx', model, export_check.draw_batches((128, 128))
    )
    assert sum(each.people for each in found) >= 5
    runner = api.load_onnx(tmp_path / 'pinet.onnx')
    clear = 0
    for picture in crowd((128, 128), (300, 200)):
        one, two = (people(next(api.predict(each, [picture]))) for each in (runner, model))
        assert_same_people(one, two)
        clear += (two[2] > 0.1).sum()
    assert clear >= 5


def test_the_shipped_file_names_no_path_of_the_machine_that_wrote_it():
    assert b'File "' not in (api.WEIGHTS / 'pinet_lite_photos.onnx').read_bytes()
