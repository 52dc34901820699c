"""What the package says of the models that it ships: files, facts, lines."""

import json
import logging
from pathlib import Path

from pinet_mm import api, onnx_runner
from pinet_mm.inference.nobody import explain_nobody

import cv2
import numpy as np
import pytest

from tests.helpers.shipped import DRAWN, DRAWN_LINE, PHOTOS, run_tool
from tests.helpers.tools import load_tool

ROOT = Path(__file__).parents[2]
MODELS = json.loads((api.WEIGHTS / 'models.json').read_text())
WARNING = 'these weights have never seen a photograph: pinet_lite_photos, the default, has'
PHOTOS_LINE = (
    'model: pinet_lite_photos (photographs; 17 COCO keypoints; research use, see LICENSE-weights)'
)
SIZES = '--short-side 192 for people who fill the image, 640 for people who are small in it'
EMPTY = f'probably nobody is there; if somebody is, try {SIZES}'

# --- the default model ---------------------------------------------------------------------------


def test_the_default_is_the_model_of_photographs():
    assert api.SHIPPED == f'{PHOTOS}.py'
    assert api.shipped_weights(api.SHIPPED) == api.WEIGHTS / f'{PHOTOS}.pth'
    assert onnx_runner.SHIPPED == api.WEIGHTS / f'{PHOTOS}.onnx'


def test_infer_runs_the_default_on_a_photograph(tmp_path, capsys, monkeypatch):
    photograph = load_tool('demo').find_photographs()[0]
    run_tool('infer', monkeypatch, photograph, '--out', tmp_path, '--pose-thr', '1', '--all-poses')
    said = capsys.readouterr()
    assert said.out.splitlines().count(PHOTOS_LINE) == 1 and 'warning: ' not in said.err
    assert 'nobody scores 1 or more in the image (best score there 0.' in said.out
    (record,) = json.loads((tmp_path / 'predictions.json').read_text())['images']
    assert record['persons'][0]['score'] > 0


# --- facts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'file',
    sorted(path for path in api.WEIGHTS.iterdir() if path.suffix in ('.pth', '.onnx')),
    ids=lambda path: path.name,
)
def test_every_file_of_weights_is_described(file):
    assert file.stem in MODELS and api.config_path(file.stem).is_file()


def test_every_description_has_its_fields_and_terms():
    terms = (api.WEIGHTS / 'LICENSE-weights').read_text()
    for name, card in MODELS.items():
        assert {'knows', 'terms'} <= card.keys() <= {'knows', 'terms', 'warning'}
        assert f'{name}.pth' in terms and '17 COCO keypoints' in card['knows']


def test_only_the_drawn_model_warns():
    assert {name for name, card in MODELS.items() if 'warning' in card} == {DRAWN}
    assert api.describe(api.WEIGHTS / f'{DRAWN}.pth') == (DRAWN_LINE, WARNING)
    for suffix in ('pth', 'onnx'):
        assert api.describe(api.WEIGHTS / f'{PHOTOS}.{suffix}') == (PHOTOS_LINE, '')


def test_weights_of_others_are_named_without_claims(tmp_path):
    # Of the same name as shipped ones, but in another folder.
    own = tmp_path / f'{DRAWN}.pth'
    assert api.describe(own) == (f'model: {own}', '')
    assert api.describe(api.WEIGHTS / 'epoch_4.pth') == (
        f'model: {api.WEIGHTS / "epoch_4.pth"}',
        '',
    )
    assert api.describe('https://x.org/a.pth')[1] == ''


@pytest.mark.parametrize('text', ['[1]', '{"PHOTOS": {}}', '{"PHOTOS": 5}', 'no JSON'])
def test_a_strangers_list_of_models_beside_weights_is_not_read(text, tmp_path, monkeypatch):
    (tmp_path / 'models.json').write_text(text.replace('PHOTOS', PHOTOS))
    monkeypatch.chdir(tmp_path)
    for own in (tmp_path / f'{PHOTOS}.pth', f'{PHOTOS}.pth', 'a.onnx'):
        assert api.describe(own) == (f'model: {own}', '')
    monkeypatch.chdir(api.WEIGHTS)
    assert api.describe(f'{PHOTOS}.pth') == (PHOTOS_LINE, '')


# --- tools/infer.py ------------------------------------------------------------------------------


@pytest.mark.parametrize('config', [DRAWN, ROOT / 'configs' / f'{DRAWN}.py'])
def test_infer_names_the_model_once_and_warns_of_drawn_people(
    config, crowd, tmp_path, capsys, monkeypatch
):
    run_tool('infer', monkeypatch, crowd, '--config', config, '--out', tmp_path)
    said = capsys.readouterr()
    assert said.out.splitlines().count(DRAWN_LINE) == 1
    assert said.err.splitlines().count(f'warning: {WARNING}') == 1
    assert 'nobody scores' not in said.out, 'the crowd has persons above the threshold'


def test_infer_names_weights_that_are_given(crowd, tmp_path, capsys, monkeypatch):
    shipped, own = api.WEIGHTS / f'{DRAWN}.pth', tmp_path / 'own.pth'
    own.symlink_to(shipped)
    for weights, line, warning in ((shipped, DRAWN_LINE, True), (own, f'model: {own}', False)):
        run_tool(
            'infer',
            monkeypatch,
            crowd,
            '--config',
            DRAWN,
            '--checkpoint',
            weights,
            '--out',
            tmp_path / 'poses',
        )
        said = capsys.readouterr()
        assert line in said.out.splitlines() and ('warning: ' in said.err) == warning


def test_infer_says_where_nobody_is_found(crowd, tmp_path, capsys, monkeypatch):
    cv2.imwrite(str(tmp_path / 'gray.png'), np.full((128, 128, 3), 128, np.uint8))
    run_tool(
        'infer',
        monkeypatch,
        crowd,
        tmp_path / 'gray.png',
        '--all-poses',
        '--config',
        DRAWN,
        '--out',
        tmp_path / 'poses',
    )
    images = json.loads((tmp_path / 'poses' / 'predictions.json').read_text())['images']
    best = [max((person['score'] for person in each['persons']), default=0) for each in images]
    assert best[0] >= 0.1 > best[1]
    (said,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith('nobody'))
    assert said.startswith(
        f'nobody scores 0.1 or more in 1 of 2 images (best score there {best[1]:.3f}): '
    )


@pytest.mark.parametrize(
    'scores, expected',
    [
        ([], ''),
        ([0.1, 0.9], ''),
        (
            [0.0789, 0.5, 0.02],
            'nobody scores 0.1 or more in 2 of 3 images (best score there 0.079): '
            f'--pose-thr 0.07 draws some; or {SIZES}\n',
        ),
        ([0.0], f'nobody scores 0.1 or more in the image (best score there 0.000): {EMPTY}\n'),
        # What scores so little is hardly ever somebody.
        ([0.0249], f'nobody scores 0.1 or more in the image (best score there 0.025): {EMPTY}\n'),
    ],
    ids=['no image', 'all found', 'some found', 'score 0', 'low score'],
)
def test_the_line_on_nobody(scores, expected):
    assert explain_nobody(scores, 0.1) == expected


@pytest.mark.parametrize(
    'tried, expected',
    [
        (192, '--short-side 640 for people who are small in it'),
        (640, '--short-side 192 for people who fill the image'),
        (384, SIZES),
    ],
)
def test_the_line_does_not_suggest_what_was_tried(tried, expected):
    assert explain_nobody([0.05], 0.1, tried).endswith(f' draws some; or {expected}\n')


def test_the_threshold_that_the_line_suggests_draws_the_best():
    for score in np.arange(0.13, 0.5, 0.0007).tolist():
        words = explain_nobody([score], 0.5).split()
        assert score - 0.0101 < float(words[words.index('--pose-thr') + 1]) <= score


# --- from Python ---------------------------------------------------------------------------------


def test_load_says_what_it_loaded_to_the_log_alone(caplog, capsys):
    with caplog.at_level(logging.INFO, 'pinet_mm.api'):
        api.load(DRAWN, device='cpu')
    assert [record.getMessage() for record in caplog.records if record.name == 'pinet_mm.api'] == [
        DRAWN_LINE,
        WARNING,
    ]
    assert [record.levelname for record in caplog.records if record.name == 'pinet_mm.api'] == [
        'INFO',
        'WARNING',
    ]
    said = capsys.readouterr()
    assert 'model: ' not in said.out + said.err


def test_reports_hold_the_best_score_of_each_image(crowd, tmp_path):
    model = api.load(DRAWN, device='cpu')
    report = api.infer(model, [crowd], tmp_path)
    (sample,) = api.predict(model, [crowd])
    assert report.best_scores == [pytest.approx(sample.pred_instances.bbox_scores.max(), abs=1e-4)]
    model.test_cfg['part_thr'] = 1e3
    assert api.infer(model, [crowd], tmp_path).best_scores == [0]


def test_the_shipped_onnx_file_finds_whom_the_default_model_finds():
    pytest.importorskip('onnxruntime')
    assert onnx_runner.SHIPPED.stat().st_size <= 14e6
    photograph = load_tool('demo').find_photographs()[0]
    one, other = (
        next(api.predict(model, [photograph])).pred_instances
        for model in (api.load_onnx(), api.load(device='cpu'))
    )
    assert api.load_onnx().dataset_meta['keypoint_id2name'][16] == 'right_ankle'
    best, same = one.bbox_scores.argmax(), other.bbox_scores.argmax()
    assert one.bbox_scores[best] == pytest.approx(other.bbox_scores[same], abs=5e-3)
    np.testing.assert_allclose(one.keypoints[best], other.keypoints[same], atol=1)
