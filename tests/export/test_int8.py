"""The ONNX file of a trained network and its 8-bit sibling: they find the same people."""

import logging
import shutil
from unittest import mock

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.errors import RunError
from pinet_mm.export import check as export_check
from pinet_mm.onnx_runner import SCHEMA

import cv2
import numpy as np
import pytest

from tests.helpers.exports import ROOT, SHIPPED, assert_same_people, crowd, people, run_tool

pytest.importorskip('onnxscript', reason='the export needs pip install onnx onnxscript onnxruntime')
from pinet_mm.export import int8 as quantization  # noqa: E402

import onnx  # noqa: E402

WEIGHTS = ROOT / 'pinet_mm' / 'weights' / 'pinet_hrnet-slim_crowdsynth.pth'
CROWD = CrowdSettings(size=(128, 128), persons=(3, 4), height=(0.7, 1.0))


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Folder with images, the shipped model's 8-bit file and the whole one, and what was said."""
    folder = tmp_path_factory.mktemp('int8')
    (folder / 'images').mkdir()
    for i in range(8):
        image = draw_crowd(CROWD, seed=3, index=i, split='test')[0]
        cv2.imwrite(str(folder / 'images' / f'{i}.png'), image)
    write = quantization.export_onnx

    def export_onnx(model, path, **options):
        written = write(model, path, **options)
        shutil.copy(path, folder / 'whole.onnx')
        return written

    with mock.patch.object(quantization, 'export_onnx', export_onnx):
        said = run_tool(
            'export_onnx.py', SHIPPED, WEIGHTS, folder / 'pinet.onnx', '--int8', folder / 'images'
        )
    return folder, said


def test_the_whole_file_finds_the_same_people(written):
    model, runner = api.load(SHIPPED, device='cpu'), api.load_onnx(written[0] / 'whole.onnx')
    found = export_check.check_agreement(
        written[0] / 'whole.onnx', model, export_check.draw_batches((128, 128))
    )
    assert sum(each.people for each in found) >= 5
    clear = 0
    for image in crowd((128, 128), (300, 200)):
        one, two = (people(next(api.predict(each, [image]))) for each in (runner, model))
        assert_same_people(one, two)
        clear += (two[2] > 0.1).sum()
    assert clear >= 5


def test_the_tool_says_how_the_file_fares(written):
    folder, said = written
    *_, size, found = said.splitlines()
    assert 'Please consider' not in said
    assert 'before quantization: ' in said and 'that PyTorch finds, keypoints within' in said
    assert size == (
        f'{folder / "pinet.onnx"}: 8 bits, '
        f'{(folder / "pinet.onnx").stat().st_size / 1e6:.1f} MB, passes onnx.checker'
    )
    assert found.startswith('on these 8 images, ')
    again, _, all_of_them, *_ = found.split(', ')[1].split()
    assert int(all_of_them) >= 10 and int(again) >= 0.9 * int(all_of_them)
    distance = float(found.split('median keypoint ')[1].split()[0])
    assert 0 < distance < 1  # px; 0 would be the file that is not quantized


def test_backbone_and_neck_are_of_8_bits_and_the_head_is_not(written):
    graph = onnx.load(written[0] / 'pinet.onnx').graph
    makers = {name: node for node in graph.node for name in node.output}
    kinds = {each.name: each.data_type for each in graph.initializer}
    values = {each.name: onnx.numpy_helper.to_array(each).astype(int) for each in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == 'Conv']
    assert len(convolutions) > 70  # the head has none: its branches are products
    for node in convolutions:
        weight, inputs = (makers[name] for name in (node.input[1], node.input[0]))
        assert (weight.op_type, inputs.op_type) == ('DequantizeLinear',) * 2
        assert kinds[weight.input[0]] == onnx.TensorProto.INT8
        # 7 bits: sums of two products with 255 stay within 16 bits, on every CPU.
        assert 32 < np.abs(values[weight.input[0]]).max() <= 64
    # What is rounded leads to the features, themselves included, and nothing after them is.
    before, left = set(), [name for name in makers if name.startswith('features')]
    while left:
        name = left.pop()
        if name in makers and name not in before:
            before.add(name)
            left += makers[name].input
    assert all(node.output[0] in before for node in graph.node if node.op_type == 'QuantizeLinear')


def test_what_scales_the_image_keeps_its_precision():
    nodes = [
        onnx.helper.make_node('Add', ['at', 'half'], ['grid'], 'moves'),
        onnx.helper.make_node('GridSample', ['images', 'grid'], ['smaller'], 'scales'),
        onnx.helper.make_node('Conv', ['images', 'w'], ['features_0'], 'first'),
        onnx.helper.make_node('Conv', ['smaller', 'w'], ['features_1'], 'second'),
        onnx.helper.make_node('Relu', ['features_1'], ['keypoints'], 'head'),
    ]
    graph = onnx.helper.make_graph(nodes, 'two scales', [], [])
    assert sorted(quantization.before_head(graph)) == ['first', 'second']


def test_the_runner_takes_the_file_as_any_other(written):
    folder, _ = written
    model, runner = api.load(SHIPPED, device='cpu'), api.load_onnx(folder / 'pinet.onnx')
    assert runner.session.get_modelmeta().custom_metadata_map['schema'] == SCHEMA
    assert np.array_equal(*(each.dataset_meta['skeleton_links'] for each in (runner, model)))
    # Images that it was not calibrated on, of another input size too; the surest person of each.
    images = [draw_crowd(CROWD, seed=4, index=i, split='test')[0] for i in range(3)]
    images.append(cv2.resize(images[0], (300, 200)))
    for one, two in zip(*(api.predict(each, images) for each in (runner, model))):
        best = two.pred_instances.keypoints[two.pred_instances.bbox_scores.argmax()]
        distance = np.linalg.norm(one.pred_instances.keypoints - best, axis=-1)
        assert np.median(distance, axis=-1).min() < 0.01 * max(two.ori_shape)


def test_images_that_are_not_there_are_named_before_anything_is_written(written, tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'no.jpg').write_text('no image')
    for name, message in (
        ('empty', 'empty holds no image'),
        ('away.jpg', 'does not exist'),
        ('no.jpg', 'no.jpg is no image that can be read'),
    ):
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            run_tool(
                'export_onnx.py', SHIPPED, WEIGHTS, tmp_path / 'out.onnx', '--int8', tmp_path / name
            )
    assert not (tmp_path / 'out.onnx').exists()


def test_advice_is_hidden_and_nothing_else(caplog):
    with quantization._without_advice():
        for start in ('Please consider', 'Please consider to run'):
            logging.warning('%s pre-processing before quantization. See', start)
        logging.warning('another')
    logging.warning('pre-processing before quantization')
    assert [record.getMessage() for record in caplog.records] == [
        'another',
        'pre-processing before quantization',
    ]


@pytest.mark.parametrize(
    'count, wanted',
    [(3, [0, 1, 2]), (64, list(range(64))), (128, list(range(0, 128, 2))), (65, list(range(64)))],
)
def test_at_most_so_many_images_are_taken_from_everywhere(monkeypatch, tmp_path, count, wanted):
    read = []
    monkeypatch.setattr(quantization, 'find_images', lambda _: list(range(count)))
    monkeypatch.setattr(quantization, 'read_image', read.append)
    for name in ('export_onnx', 'check', 'quantize_onnx', 'check_quantized'):
        monkeypatch.setattr(quantization, name, lambda *_, **__: '')
    quantization.export_int8(None, tmp_path / 'out.onnx', [])
    assert read == wanted


def test_half_weights_are_not_combined_with_8_bits(tmp_path):
    with pytest.raises(RunError, match='in 8 bits or in float16, not in both'):
        quantization.export_int8(None, tmp_path / 'out.onnx', [], half_weights=True)


def test_every_person_is_found_again_once():
    def answer(*rows):
        """Squares of 100 px at x, with a score each."""
        square = np.array([[0, 0], [100, 0], [0, 100], [100, 100.0]])
        return dict(
            keypoints=np.array([square + [x, 0] for x, _ in rows]).reshape(-1, 4, 2),
            scores=np.array([score for _, score in rows]),
        )

    # OKS is exp(-d² / 800): 0.61 at 20 px, 0.32 at 30 px.
    sigmas = [0.1] * 4
    wanted = answer((0, 0.9), (8, 0.8), (500, 0.3), (900, 0.05))
    count, distances = export_check.pair_clear(answer((5, 0.1), (530, 0.9)), wanted, sigmas)
    assert count == 3  # one is not clear; one pose cannot be two people; one is too far away
    np.testing.assert_allclose(distances, [[3.0] * 4])
    found = answer((520, 0.1), (12, 0.0), (1, 0.0))
    count, distances = export_check.pair_clear(found, wanted, sigmas)
    assert count == 3
    np.testing.assert_allclose(distances, [[1.0] * 4, [4.0] * 4, [20.0] * 4])
    assert export_check.pair_clear(answer(), wanted, sigmas)[1].shape == (0, 4)
    assert export_check.pair_clear(wanted, answer(), sigmas)[0] == 0


def test_files_that_no_export_wrote_are_refused(tmp_path):
    graph = onnx.helper.make_graph([], 'empty', [], [])
    with pytest.raises(RunError, match='was it written by tools/export_onnx.py'):
        quantization.before_head(graph)
    onnx.save(onnx.helper.make_model(graph), tmp_path / 'other.onnx')
    with pytest.raises(ValueError, match='other.onnx .*tools/export_onnx.py|other.onnx is no ONNX'):
        quantization.quantize_onnx(
            tmp_path / 'other.onnx', tmp_path / 'out.onnx', [np.zeros((64, 64, 3), np.uint8)]
        )
    with pytest.raises(RunError, match='quantization needs images; found none'):
        quantization.quantize_onnx(tmp_path / 'other.onnx', tmp_path / 'out.onnx', [])
    assert not (tmp_path / 'out.onnx').exists()
