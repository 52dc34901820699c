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
    monkeypatch.setattr(api, 'load', lambda *_: None)
    monkeypatch.setattr(
        api,
        'load_onnx',
        lambda path, threads, *_: asked.update(onnx=threads) or SimpleNamespace(resize=True),
    )
    monkeypatch.setattr(infer, 'announce', lambda weights: None)
    monkeypatch.setattr(infer, 'tell', lambda report, pose_thr: None)
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
