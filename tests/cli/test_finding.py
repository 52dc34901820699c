"""What `infer` makes of the options that it shares with `predict`."""

from types import SimpleNamespace

from pinet_mm import api
from pinet_mm.cli import infer

import pytest
import torch


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the models and `api.infer` were asked for; nothing is loaded or predicted."""
    asked = {}
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.png').touch()
    monkeypatch.setattr(torch, 'set_num_threads', lambda count: asked.update(torch=count))
    monkeypatch.setattr(api, 'load', lambda *_: SimpleNamespace(warning=''))
    monkeypatch.setattr(
        api,
        'load_onnx',
        lambda path, threads, *_: (
            asked.update(onnx=threads) or SimpleNamespace(resize=True, warning='')
        ),
    )
    monkeypatch.setattr(infer, 'announce', lambda *weights: None)
    monkeypatch.setattr(infer, 'tell', lambda *_: None)
    monkeypatch.setattr(api, 'infer', lambda *words: asked.update(options=words[-1]))
    return asked


def test_threads_reach_torch_and_onnx_runtime(asked, monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    infer.main(['a.png', '--threads', '3'])
    assert asked['torch'] == 3
    infer.main(['a.png', '--threads', '2', '--onnx', 'm.onnx'])
    assert (asked['torch'], asked['onnx']) == (2, 2)
    asked.clear()
    infer.main(['a.png', '--onnx', 'm.onnx'])
    assert asked['onnx'] == 0 and 'torch' not in asked, 'as many as they like'


def test_sheets_are_asked_for_and_not_of_an_exported_file(asked):
    infer.main(['a.png', '--explain'])
    assert asked['options'].explain
    infer.main(['a.png'])
    assert not asked['options'].explain
    with pytest.raises(SystemExit, match='--explain has no effect on the file of --onnx'):
        infer.main(['a.png', '--explain', '--onnx', 'm.onnx'])
    with pytest.raises(SystemExit) as ended:
        infer.main(['a.png', '--explain', '--before-fusion'])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    'words, said',
    [
        (['--pose-thr', '5'], 'argument --pose-thr: expected a score from 0 to 1; found 5'),
        (['--pose-thr', 'nan'], 'argument --pose-thr: expected a score from 0 to 1; found nan'),
        (['--keypoint-thr=-1'], 'argument --keypoint-thr: expected a score from 0 to 1; found -1'),
        (
            ['--track-start', 'low'],
            'argument --track-start: expected a score from 0 to 1; found low',
        ),
        (['--threads=-1'], 'argument --threads: expected a number from 0 on; found -1'),
        (['--start', 'nan'], 'argument --start: expected seconds from 0 on, or 1:30; found nan'),
        (['--end=-5'], 'argument --end: expected seconds from 0 on, or 1:30; found -5'),
        (['--start', '1:xx'], 'argument --start: expected seconds from 0 on, or 1:30; found 1:xx'),
        (['--every', '0'], 'argument --every: expected a number from 1 on; found 0'),
        (['--batch-size', '0'], 'argument --batch-size: expected a number from 1 on; found 0'),
    ],
)
def test_numbers_that_make_no_sense_are_refused_before_anything_runs(words, said, asked, capsys):
    with pytest.raises(SystemExit):
        infer.main(['a.png', *words])
    assert said in capsys.readouterr().err and not asked


@pytest.mark.parametrize('out', ['file', 'file/below'])
def test_a_file_is_no_folder_to_write_into(out, asked, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(SystemExit, match=f'^error: --out {out}: expected a folder; found a file$'):
        infer.main(['a.png', '--out', out])
    assert not asked


def test_the_ends_of_the_range_are_scores(asked):
    infer.main(['a.png', '--keypoint-thr', '0', '--pose-thr', '1'])
    assert asked['options'].keypoint_thr == 0
