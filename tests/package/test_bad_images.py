"""Bad images among good ones, through API, tool, MMPose's inferencer and the runner of ONNX."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from pinet_mm import api, onnx_runner
from pinet_mm.errors import InputError

import pytest
from mmpose.apis import MMPoseInferencer

from tests.helpers.bad_images import bad_images, odd_images
from tests.helpers.tools import ROOT


@pytest.fixture(scope='module')
def mixed(folder, tmp_path_factory):
    """A folder of five good images, all odd and all bad ones, and the paths of the bad ones."""
    path = tmp_path_factory.mktemp('mixed')
    for i, good in enumerate(sorted((folder / 'inputs').rglob('*.png'))):
        (path / f'good_{i}.png').write_bytes(good.read_bytes())
    for i, content in enumerate(odd_images().values()):
        (path / f'odd_{i}.png').write_bytes(content)
    Path(os.fsdecode(os.fsencode(path) + b'/odd_\xff.png')).write_bytes(content)
    bad = [path / f'bad_{i}.png' for i, _ in enumerate(bad_images())]
    for file, content in zip(bad, bad_images().values()):
        file.write_bytes(content)
    return path, sorted(map(str, bad))


def test_the_good_images_are_as_without_the_bad_ones(mixed, folder, model, tmp_path):
    path, bad = mixed
    report = api.infer(model, [path], tmp_path / 'out', batch_size=4)
    assert sorted(report.unreadable) == bad
    document = json.loads(report.json.read_text())
    good = [each for each in document['images'] if '/good_' in each['file']]
    assert len(document['images']) == 5 + len(odd_images()) + 1 and len(good) == 5
    alone = api.infer(model, [Path(each['file']) for each in good], tmp_path / 'alone')
    wanted = json.loads(alone.json.read_text())['images']
    assert [each['persons'] for each in good] == [each['persons'] for each in wanted]


def test_the_tool_names_them_and_says_so_with_its_status(mixed, tmp_path):
    path, bad = mixed
    words = (path, '--out', tmp_path / 'out', '--device', 'cpu', '--short-side', 64)
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'infer.py', *map(str, words)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    *lines, last = done.stderr.splitlines()
    assert last.startswith(f'error: {len(bad)} inputs cannot be read: ')
    assert sum(file in last for file in bad) == 20 and last.endswith(f' and {len(bad) - 20} more')
    assert all(any(line.startswith(f'{file} ') for line in lines) for file in bad)


def test_the_runner_goes_on_after_a_bad_file(mixed, capsys, monkeypatch):
    path, bad = mixed
    small = api.load_onnx(short_side=64)
    monkeypatch.setattr(onnx_runner, 'OnnxPoses', lambda _: small)
    files = sorted(str(file) for file in path.iterdir())
    with pytest.raises(SystemExit) as leaving:
        onnx_runner.main(*files)
    assert leaving.value.code == 1
    out, err = capsys.readouterr()
    read = [json.loads(line)['file'] for line in out.splitlines()]
    errors = [line for line in err.splitlines() if line.startswith('error: ')]
    assert sorted(read + bad) == files
    assert len(errors) == len(bad)
    assert all(any(line.startswith(f'error: {file} ') for line in errors) for file in bad)


def test_mmposes_inferencer_refuses_them(mixed, folder):
    path, bad = mixed
    inferencer = MMPoseInferencer(
        pose2d=str(folder / 'config.py'), device='cpu', pose2d_weights=str(folder / 'weights.pth')
    )
    for file in bad:
        with pytest.raises(InputError, match=file):
            next(inferencer(file))
    assert next(inferencer(str(path / 'odd_0.png')))['predictions']


def test_images_are_decoded_with_opencv_5(monkeypatch):
    levels = []
    logging = SimpleNamespace(setLogLevel=lambda level: levels.append(level) or 3)
    monkeypatch.delattr(onnx_runner.cv2, 'setLogLevel')
    monkeypatch.setattr(onnx_runner.cv2.utils, 'logging', logging, raising=False)
    content = (ROOT / 'docs' / 'comparison.jpg').read_bytes()
    assert onnx_runner.decode_image(content, 'comparison.jpg').ndim == 3
    assert levels == [0, 3]
