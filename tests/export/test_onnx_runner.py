"""The runner of ONNX files: images of any size, without PyTorch and MMPose, and its errors."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

from pinet_mm import api, onnx_runner
from pinet_mm.cli import predict
from pinet_mm.errors import RunError

import cv2
import numpy as np
import pytest

pytest.importorskip('onnxscript', reason='the export needs pip install onnx onnxscript onnxruntime')
import onnx  # noqa: E402

from tests.helpers.exports import assert_same_people, crowd, people, run_tool

ROOT = Path(__file__).parents[2]
# w, h of images whose network inputs have several sizes; 192×128 is its own input.
SIZES = ((192, 128), (200, 100), (90, 141), (128, 128), (61, 61))

# --- the runner ----------------------------------------------------------------------------------


def test_the_runner_resizes_images_as_the_test_pipeline_does(exported):
    model, folder = exported
    runner, images = onnx_runner.OnnxPoses(folder / 'pinet.onnx'), crowd(*SIZES)
    samples = list(api.predict(model, images))
    assert sum(len(sample.pred_instances) for sample in samples) >= 5
    for image, sample in zip(images, samples):
        found = runner(image)
        assert_same_people(
            [found['keypoints'], found['keypoint_scores'], found['scores']], people(sample)
        )
        frame, _ = onnx_runner.fit(image.shape[1::-1], **runner.resize)
        assert frame.size_in == tuple(sample.metainfo['input_size'])
        np.testing.assert_array_equal(frame.scale_img, sample.metainfo['input_scale'])


def test_the_runner_needs_neither_torch_nor_mmpose(exported, tmp_path):
    model, folder = exported
    for name in ('torch', 'mmpose', 'mmengine', 'mmcv', 'pinet_mm'):
        (tmp_path / f'{name}.py').write_text(f'raise ImportError("no {name} here")')
    (image,) = crowd(SIZES[1])
    cv2.imwrite(str(tmp_path / 'a.png'), image)
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
    assert done.returncode == 1
    gone = f'{tmp_path / "gone.png"} cannot be read: No such file or directory'
    assert done.stderr.endswith(f'error: {gone}\n')
    (record,) = map(json.loads, done.stdout.splitlines())
    wanted = people(next(api.predict(model, [image])))
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


NAMES = dict.fromkeys(range(17), 'a')


@pytest.mark.parametrize(
    'name, value',
    [
        ('resize', '['),
        ('resize', '"os.system"'),
        ('resize', '{"kind": "BottomupResize", "size": [0, 0], "multiple": 0}'),
        ('resize', '{"kind": "BottomupResize", "size": [131072, 131072], "multiple": 32}'),
        ('resize', '{"kind": "os.system", "size": [64, 64], "multiple": 32}'),
        ('dataset_meta', '{"keypoint_id2name": {"0": "nose"}, "skeleton_links": []}'),
        ('dataset_meta', json.dumps(dict(keypoint_id2name=NAMES, skeleton_links=[[0, 99]]))),
        ('dataset_meta', '5'),
        ('dataset_meta', '{}'),
    ],
)
def test_made_up_facts_are_refused_in_a_line(name, value, tmp_path):
    model = onnx.load(onnx_runner.SHIPPED)
    next(each for each in model.metadata_props if each.key == name).value = value
    onnx.save(model, tmp_path / 'a.onnx')
    with pytest.raises(RunError, match='a.onnx must have .* found it damaged: ') as error:
        api.load_onnx(tmp_path / 'a.onnx')
    assert '\n' not in str(error.value)


def test_a_file_that_does_not_say_how_to_resize_is_refused_where_images_are_resized(tmp_path):
    model, path = onnx.load(onnx_runner.SHIPPED), tmp_path / 'a.onnx'
    next(each for each in model.metadata_props if each.key == 'resize').value = '{}'
    onnx.save(model, path)
    assert api.load_onnx(path, threads=1).resize == {}
    message = f'^{path} does not say how to resize images: the test pipeline of its config has'
    for load in (api.load_onnx, predict.load_model):
        with pytest.raises(RunError, match=message):
            load(path, 1, short_side=128)
    with pytest.raises(RunError, match=message):
        predict.load_model(path, 1)


# --- the tools -----------------------------------------------------------------------------------


def test_infer_takes_the_file_for_a_model(exported, tmp_path):
    model, folder = exported
    for i, image in enumerate(crowd(*SIZES[:2])):
        cv2.imwrite(str(tmp_path / f'{i}.png'), image)
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
    assert {**found, 'images': 0} == {**wanted, 'images': 0}
    for record, expected in zip(found['images'], wanted['images'], strict=True):
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


def test_an_image_that_fills_all_rows_is_told(exported, monkeypatch):
    """With `--max-poses 17`, of an image with 17 people or more."""
    runner = onnx_runner.OnnxPoses(exported[1] / 'pinet.onnx')
    found = np.ones((1, 17, 5, 2)), np.ones((1, 17, 5)), np.ones((1, 17))
    for count, told in ((16, 0), (17, 1)):
        answer = (*found, np.array([count]))
        session = SimpleNamespace(run=lambda *_, answer=answer: answer)
        monkeypatch.setattr(runner, 'session', session)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            assert len(runner(crowd(SIZES[0])[0])['scores']) == count
        assert [str(each.message) for each in caught] == told * [
            '17 people, and maybe more: the file has no more rows'
        ]
