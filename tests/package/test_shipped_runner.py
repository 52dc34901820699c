"""The runner of ONNX files on the shipped file, and the demo's sheet of images."""

import json
from pathlib import Path
from types import SimpleNamespace

from pinet_mm import api, onnx_runner
from pinet_mm.inference import light

import cv2
import numpy as np
import pytest

from tests.helpers.shipped import DRAWN, DRAWN_LINE, run_tool
from tests.helpers.tools import load_tool


def test_the_onnx_file_that_is_missing_is_named(tmp_path, monkeypatch):
    name = f'{Path(api.SHIPPED).stem}.onnx'
    monkeypatch.setattr(light, 'SHIPPED', tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f'{name} does not exist: name a file that pin'):
        api.load_onnx()
    (tmp_path / name).write_text('no graph')
    with pytest.raises(api.RunError, match=f'{name} is no ONNX file that can be run'):
        api.load_onnx()


# --- the runner that can be copied ---------------------------------------------------------------


class NoNetwork:
    """In place of an exported file: one person of a keypoint, at the middle of the image."""

    score_kind = 'mean keypoint score'
    warning = None

    def __init__(self, path):
        self.path = path

    def __call__(self, image):
        middle = np.array([[image.shape[1::-1]]]) / 2
        return dict(keypoints=middle, keypoint_scores=np.full((1, 1), 0.25), scores=np.ones(1))


@pytest.mark.parametrize('named', [True, False])
def test_the_runner_takes_the_shipped_file_unless_another_is_named(
    named, crowd, tmp_path, capsys, monkeypatch
):
    file = tmp_path / 'pinet_lite_photos.onnx'
    file.touch()
    (tmp_path / 'models.json').write_text(
        json.dumps(dict(pinet_lite_photos=dict(knows='cats', terms='none', warning='no dogs')))
    )
    monkeypatch.setattr(onnx_runner, 'OnnxPoses', NoNetwork)
    monkeypatch.setattr(onnx_runner, 'SHIPPED', tmp_path / 'gone.onnx' if named else file)
    with pytest.raises(SystemExit, match='^0$'):
        onnx_runner.main(*[str(file)] * named, str(crowd))
    said = capsys.readouterr()
    assert json.loads(said.out) == dict(
        file=str(crowd), persons=[dict(score=1, keypoints=[[64, 64, 0.25]])]
    )
    assert said.err == 'model: pinet_lite_photos (cats; none)\nwarning: no dogs\n'


def test_the_runner_prints_people_from_a_score_on(crowd, tmp_path, capsys, monkeypatch):
    scores = np.array([0.9, 0.1, 0.0999, 0.004])

    class Proposals(NoNetwork):
        def __call__(self, image):
            keypoints = np.arange(8.0).reshape(4, 1, 2)
            return dict(keypoints=keypoints, keypoint_scores=scores[:, None], scores=scores)

    (tmp_path / 'a.onnx').touch()
    monkeypatch.setattr(onnx_runner, 'OnnxPoses', Proposals)
    for options, wanted in (([], 2), (['--pose-thr', '0.5'], 1), (['--pose-thr', '0'], 4)):
        with pytest.raises(SystemExit, match='^0$'):
            onnx_runner.main(*options, str(tmp_path / 'a.onnx'), str(crowd))
        (record,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert [person['score'] for person in record['persons']] == scores[:wanted].tolist()
    Proposals.score_kind = 'expected OKS'
    with pytest.raises(SystemExit, match='^0$'):
        onnx_runner.main(str(tmp_path / 'a.onnx'), str(crowd))
    assert [each['score'] for each in json.loads(capsys.readouterr().out)['persons']] == [0.9]
    with pytest.raises(SystemExit, match='0'):
        onnx_runner.main('--help')
    assert 'a line of JSON per image' in capsys.readouterr().out


def test_the_runner_says_in_a_line_what_is_wrong(crowd, tmp_path, monkeypatch, capsys):
    for arguments, problem in (((), 'are required: FILE'), (('model.onnx',), 'at least one IMAGE')):
        with pytest.raises(SystemExit, match='2'):
            onnx_runner.main(*arguments)
        said = capsys.readouterr().err
        assert said.startswith('usage: python onnx_runner.py [-h] [--pose-thr SCORE] [MODEL.onnx] ')
        assert problem in said
    monkeypatch.setattr(onnx_runner, 'SHIPPED', tmp_path / 'shipped.onnx')
    for arguments, name in (((), 'shipped'), ((str(tmp_path / 'gone.onnx'),), 'gone')):
        with pytest.raises(SystemExit, match=f'^error: .*/{name}.onnx does not exist: name as MO'):
            onnx_runner.main(*arguments, str(crowd))
    (tmp_path / 'text.onnx').write_text('no graph')
    with pytest.raises(SystemExit, match='^error: .*text.onnx is no ONNX file that can be run: '):
        onnx_runner.main(str(tmp_path / 'text.onnx'), str(crowd))


def test_a_terminal_obeys_no_name_that_the_runner_prints(tmp_path, monkeypatch, capsys):
    nasty, shown = '\x1b[31m\nerror: \udcff', r'\x1b[31m\nerror: \udcff'
    (tmp_path / f'{nasty}.onnx').write_text('no graph')
    for name in (f'{nasty}.onnx', f'gone{nasty}.onnx'):
        with pytest.raises(SystemExit) as leaving:
            onnx_runner.main(str(tmp_path / name), 'a.jpg')
        assert f'{tmp_path}/{name.replace(nasty, shown)} ' in leaving.value.code
        assert not set(leaving.value.code) & set('\n\x1b\udcff')
    model = SimpleNamespace(score_kind=onnx_runner.MEAN, warning=f'mind {nasty}')
    monkeypatch.setattr(onnx_runner, 'OnnxPoses', lambda _: model)
    with pytest.raises(SystemExit, match='1'):
        onnx_runner.main(str(tmp_path / f'{nasty}.onnx'), f'{nasty}.jpg')
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f'model: {tmp_path}/{shown}.onnx',
        f'warning: mind {shown}',
        f'error: {shown}.jpg cannot be read: No such file or directory',
    ]


# --- tools/demo.py -------------------------------------------------------------------------------


def test_the_demo_takes_the_photographs_that_are_installed(monkeypatch):
    tool = load_tool('demo')
    found = tool.find_photographs()
    assert 'grace_hopper.jpg' in [file.name for file in found]
    assert all(cv2.imread(str(file)) is not None for file in found)
    monkeypatch.setattr(tool, 'PHOTOGRAPHS', dict(no_such_package='a.jpg', matplotlib='gone.jpg'))
    with pytest.raises(FileNotFoundError, match='no photograph is at hand: install matplotlib or'):
        tool.find_photographs()


def test_the_demo_puts_photographs_and_crowds_on_one_sheet(crowd, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(api, 'SHIPPED', f'{DRAWN}.py')  # the quicker one
    run_tool('demo', monkeypatch, crowd, '--out', tmp_path)
    sheet = cv2.imread(str(tmp_path / 'demo.jpg'))
    names = [file.stem for file in load_tool('demo').find_photographs()]
    parts = [cv2.imread(str(tmp_path / 'photographs' / f'{name}.jpg')) for name in names]
    parts.append(cv2.imread(str(tmp_path / 'crowds' / 'crowd.jpg')))
    height, gaps = 600, 8 * (len(parts) - 1)
    widths = [height * part.shape[1] / part.shape[0] for part in parts]
    assert sheet.shape[0] == height and abs(sheet.shape[1] - sum(widths) - gaps) <= len(parts)
    # Each stands where it should, and nothing is padded in black.
    left = 0
    for part, width in zip(parts, widths):
        cell = sheet[:, round(left) + 4 : round(left + width) - 4].mean(axis=(0, 1))
        np.testing.assert_allclose(cell, part.mean(axis=(0, 1)), atol=4)
        left += width + 8
    assert capsys.readouterr().out.splitlines().count(DRAWN_LINE) == 2
    assert (tmp_path / 'photographs' / 'predictions.json').is_file()
    with pytest.raises(SystemExit, match='error: gone.png does not exist'):
        run_tool('demo', monkeypatch, 'gone.png', '--out', tmp_path)


def test_a_sheet_of_the_demo_that_opencv_does_not_write_is_an_error(crowd, tmp_path, monkeypatch):
    tool, image = load_tool('demo'), cv2.imread(str(crowd))
    monkeypatch.setattr(tool, 'draw', lambda *_, **__: [image])
    monkeypatch.setattr(cv2, 'imwrite', lambda *_: False)
    with pytest.raises(SystemExit, match='error: .*demo.jpg could not be written'):
        tool.main([str(crowd), '--out', str(tmp_path)])
