"""The benchmark of whole images: every way to run a model finds the same people."""

from pinet_mm import api
from pinet_mm.errors import RunError

import numpy as np
import pytest
import torch

from studies.benchmark import (
    baselines,
    images,
    scenes,
    stages,
    timing,
)
from tests.helpers.timings import SLIM
from tests.helpers.toys import answer_with

# --- networks ------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def model():
    return scenes.load_model(SLIM)


@pytest.mark.parametrize('flip_test', [False, True])
@torch.no_grad()
def test_the_stages_of_a_test_are_the_estimator(model, monkeypatch, flip_test):
    monkeypatch.setattr(model, 'test_cfg', dict(model.test_cfg, flip_test=flip_test))
    maps = scenes.crowd_maps(scenes.codec_of_size(model.cfg.codec, (128, 128)), 3, 2, 1 + flip_test)
    crowds = scenes.draw_images(2, (128, 128), 2)
    pipeline = model.cfg.test_dataloader.dataset.pipeline
    found = timing.run_chain(stages.InferenceStages(model, pipeline, crowds, maps).chain())
    head = model.head
    for name in ('forward', 'test_maps'):
        monkeypatch.setattr(head, name, getattr(head, name))  # taken back at the end
    answer_with(head, maps.heatmaps, maps.offsets)
    wanted = [sample.pred_instances for sample in api.predict(model, crowds, 2)]
    for one, other in zip(found, wanted, strict=True):
        assert len(one) == len(other) >= 3
        for name in ('keypoints', 'keypoint_scores', 'bbox_scores'):
            np.testing.assert_allclose(one[name], other[name], atol=1e-3)


def test_every_mode_finds_the_same(model, bfloat16):
    crowds = scenes.draw_images(2, (128, 128), 2)
    wanted = [sample.pred_instances for sample in api.predict(model, crowds)]
    assert len(wanted[0]) > 5
    for mode in images.modes():
        found = images.prepare(model, mode)(crowds, 2)
        if not mode.amp:
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.05)
        else:
            # Peaks that score next to 0 lie anywhere: bfloat16 finds others, but not fewer.
            assert [len(one) for one in found] == pytest.approx(
                [len(one) for one in wanted], rel=0.3
            )
    assert model.input_dtype is None, 'the model stays as it is'


def test_names_of_modes(bfloat16):
    names = [mode.name('cpu') for mode in images.modes(compiled=True)]
    assert names == ['fp32', 'bfloat16', 'fp32, compiled', 'bfloat16, compiled']
    assert [mode.name('cuda') for mode in images.modes('cuda')] == ['fp32', 'float16']
    assert images.why_no_half('cpu') == images.why_no_half('cuda') == ''


def test_modes_of_a_cpu_without_bfloat16(without_bfloat16):
    names = [mode.name('cpu') for mode in images.modes(compiled=True)]
    assert names == ['fp32', 'fp32, compiled']
    assert [mode.name('cuda') for mode in images.modes('cuda')] == ['fp32', 'float16']
    assert images.why_no_half('cpu').endswith('left out: this CPU has no bfloat16.')
    assert images.why_no_half('cuda') == ''


def test_onnx_is_left_out_with_its_reason(model, monkeypatch):
    def export_onnx(*_):
        raise RunError('the export needs onnx')

    monkeypatch.setattr(images, 'export_onnx', export_onnx)
    assert images._onnx_functions(model, []) == (
        {},
        ' ONNX Runtime is left out: the export needs onnx.',
    )


@pytest.mark.slow
def test_onnx_finds_the_same(model):
    crowds = scenes.draw_images(1, (128, 128), 2)
    functions, note = images._onnx_functions(model, crowds)
    whole, quantized = (
        functions['PINet', f'{mode}, ONNX Runtime on the CPU', 1]()[0] for mode in ('fp32', 'int8')
    )
    (wanted,) = [sample.pred_instances for sample in api.predict(model, crowds)]
    assert len(functions) == 2 and not note
    assert len(whole) == len(wanted) >= 3
    scores = [persons.bbox_scores.max() for persons in (whole, quantized, wanted)]
    assert scores[0] == pytest.approx(scores[2], abs=1e-5)
    assert scores[1] == pytest.approx(scores[2], abs=0.05) and scores[1] != scores[0]


@torch.no_grad()
def test_cid_has_the_backbone_of_the_model(model, bfloat16):
    baseline = baselines.cid_like(model, persons=3)
    inputs = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(
        baseline.extract_feat(inputs)[-1], model.extract_feat(inputs)[-1], atol=1e-4, rtol=0
    )
    assert baseline.test_cfg['flip_test'] and model.test_cfg['flip_test']
    for mode in images.modes():
        (persons,) = images.prepare(baseline, mode)(scenes.draw_images(1, (128, 128), 2), 1)
        assert len(persons) == 3


def test_rows_of_images_by_hand():
    times = {
        ('PINet', 'fp32', 2): 100.0,
        ('PINet', 'fp32', 4): 100.0,
        ('backbone', 'fp32', 1): 40.0,
    }
    found = {
        ('PINet', 'fp32', 2): [[1], [1, 2]],
        ('PINet', 'fp32', 4): [[1]] * 4,
        ('backbone', 'fp32', 1): None,
    }
    rows = images._rows(times, found)
    assert rows[1] == {
        'network': 'PINet',
        'mode': 'fp32',
        'batch': 4,
        'ms per image': 25,
        'images/s': 40,
        'speed-up': 2,
        'passes': 0.625,
        'persons': 1,
    }
    assert [row['speed-up'] for row in rows] == [1, 2, 1.25]
    assert [row['persons'] for row in rows] == [1.5, 1, None]
