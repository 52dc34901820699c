"""Results of an earlier run in the same folder: they stay until this one has found something."""

import json

from pinet_mm.cli.telling import summary
from pinet_mm.inference import folders
from pinet_mm.inference.folders import infer

import cv2
import numpy as np
import pytest

from tests.helpers.videos import MODEL, predict


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Return the folder of results, that of an image, and one that holds no image."""
    monkeypatch.setattr(folders, 'predict', predict)
    for name in ('good', 'bad'):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / 'good' / 'b.png'), np.full((48, 64, 3), 60, np.uint8))
    for name in 'ac':
        (tmp_path / 'bad' / f'{name}.jpg').write_text('no image')
    return tmp_path / 'out', tmp_path / 'good', tmp_path / 'bad'


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize('left', [('json', 'jsonl'), ('json',), ('jsonl',)])
def test_a_run_that_can_read_nothing_leaves_an_earlier_one_alone(inputs, left):
    out, good, bad = inputs
    infer(MODEL, [good], out)
    for suffix in {'json', 'jsonl'} - {*left}:
        (out / f'predictions.{suffix}').unlink()
    before = contents(out)
    report = infer(MODEL, [bad], out)
    assert contents(out) == before
    assert report.unreadable == [str(bad / 'a.jpg'), str(bad / 'c.jpg')] and not report.images
    assert summary(report) == (
        f'no image could be read: what an earlier run wrote into {out} is left as it was'
    )


def test_a_model_that_fails_at_once_leaves_an_earlier_run_alone(inputs, monkeypatch):
    out, good, _ = inputs
    infer(MODEL, [good], out)
    before = contents(out)

    def fail(model, images, batch_size=8):
        raise RuntimeError('out of memory')
        yield

    monkeypatch.setattr(folders, 'predict', fail)
    with pytest.raises(RuntimeError, match='out of memory'):
        infer(MODEL, [good], out)
    assert contents(out) == before


def test_what_is_found_replaces_an_earlier_run_with_all_that_came_before(inputs):
    out, good, bad = inputs
    infer(MODEL, [good], out)
    report = infer(MODEL, [bad, good], out)
    lines = (out / 'predictions.jsonl').read_text().splitlines()
    entries = [json.loads(line) for line in lines[1:]]
    assert [each['file'][-5:] for each in entries] == ['a.jpg', 'c.jpg', 'b.png']
    assert json.loads(report.json.read_text())['unreadable'] == report.unreadable
    assert len(report.unreadable) == 2 and report.images == 1 and report.is_written


def test_without_an_earlier_run_all_that_cannot_be_read_is_noted(inputs):
    out, _, bad = inputs
    report = infer(MODEL, [bad], out)
    assert json.loads(report.json.read_text())['unreadable'] == report.unreadable
    assert report.is_written and len(report.unreadable) == 2
