"""Faster inference: half precision keeps the people, compilation keeps their keypoints."""

import copy
import warnings

from pinet_mm import api
from pinet_mm.errors import InputError, RunError
from pinet_mm.models import acceleration, estimator
from pinet_mm.models.acceleration import AccelerateHook, accelerate, half_precision
from pinet_mm.runner import settings

import numpy as np
import pytest
import torch
from mmengine.config import Config

from studies.benchmark.scenes import draw_images
from tests.helpers.finding import awake_model, find, noise, prepared
from tests.helpers.toys import plain_sample
from tests.helpers.uncertain import UNCERTAIN, build_uncertain


def compiled_by(model, monkeypatch, **options):
    """Accelerate a model with other options of `torch.compile` than its own."""
    compiled = torch.compile(estimator.find_poses, **options)
    monkeypatch.setattr(estimator, 'compiled_find_poses', lambda: compiled)
    return accelerate(model, compile=True)


@pytest.fixture(autouse=True)
def forget_compiled_code():
    yield
    torch._dynamo.reset()


# --- half precision ------------------------------------------------------------------------------


def test_half_precision_of_devices(bfloat16):
    assert half_precision(torch.device('cpu')) is torch.bfloat16
    assert half_precision(torch.device('cuda:1')) is torch.float16
    assert half_precision('mps') is half_precision('xpu') is torch.float16
    assert half_precision('hpu') is torch.bfloat16


@pytest.mark.parametrize('device', ['meta', 'vulkan'])
def test_devices_without_half_precision_are_named(device):
    with pytest.raises(
        InputError,
        match=f'half precision needs a device that torch.autocast knows; found {device}',
    ):
        half_precision(device)


def test_a_cpu_without_bfloat16_computes_in_float32(without_bfloat16):
    assert half_precision(torch.device('cpu')) is None
    model, images = awake_model(), [noise((64, 64), 1)]
    (expected,) = find(model, images)
    accelerate(model, amp=True)
    with warnings.catch_warnings(action='error'):  # of torch, of an autocast to float32
        (found,) = find(model, images)
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert model.input_dtype is None and model.head.refinement.product_dtype is None
    assert not [
        module for module in model.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)
    ]
    assert without_bfloat16 == [
        'half precision (--amp) is left out: this CPU has no bfloat16 that is faster than float32, '
        'in which all is computed'
    ]
    assert len(found) == len(expected) >= 1
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-3)


def test_a_size_that_fails_costs_no_fusion(without_bfloat16):
    model = awake_model()
    layers = [each for each in model.backbone.modules() if isinstance(each, torch.nn.BatchNorm2d)]

    def refuse(module, args, output):
        if args[0].shape[-1] < 128:
            raise RuntimeError('too small')

    model.backbone.register_forward_hook(refuse)
    accelerate(model, amp=True)
    left = [each for each in model.backbone.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert len(layers) > 20 and left == []


@pytest.mark.parametrize('available', [True, False])
@pytest.mark.parametrize('supported', [True, False])
def test_onednn_says_what_a_cpu_has(monkeypatch, available, supported):
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: available)
    monkeypatch.setattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', lambda: supported)
    assert acceleration.cpu_has_bfloat16() == (available and supported)


def test_only_the_backbone_is_in_half_precision(bfloat16):
    model = awake_model()
    assert accelerate(model, amp=True) is model
    dtypes = {
        name: {value.dtype for value in getattr(model, name).parameters()}
        for name in ('backbone', 'head')
    }
    assert dtypes == dict(backbone={torch.bfloat16}, head={torch.float32})
    assert not [
        module for module in model.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)
    ]
    maps = model.head.test_maps(model.extract_feat(torch.randn(1, 3, 64, 64)))
    assert {each.dtype for each in maps if each is not None} == {torch.float32}


def test_features_in_half_precision_are_the_rounded_ones(bfloat16):
    # bfloat16 has 8 binary digits: each of some 30 layers rounds by at most 1/256.
    model = awake_model()
    inputs = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = model.extract_feat(inputs)[-1]
        found = accelerate(model, amp=True).extract_feat(inputs)[-1]
    assert found.dtype is torch.bfloat16
    error = (found.float() - expected).norm() / expected.norm()
    assert 1e-4 < error < 0.03


@pytest.fixture(scope='module')
def shipped():
    """The drawn-crowd model, the same in half precision, and what both find in six drawn crowds."""
    images = draw_images(6, (128, 128), 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acceleration, 'cpu_has_bfloat16', lambda: True)
        models = [
            api.load('pinet_hrnet-slim_crowdsynth.py', device='cpu', amp=amp)
            for amp in (False, True)
        ]
    return [[sample.pred_instances for sample in api.predict(model, images)] for model in models]


def test_half_precision_finds_the_same_people(shipped):
    # People: a score above 0.1, as overlays have it. All of them, within pixels, and the median
    # keypoint within a quarter.
    distances, missed, persons = [], 0, 0
    for one, other in zip(*shipped):
        for person in one.keypoints[one.bbox_scores > 0.1]:
            offsets = np.linalg.norm(other.keypoints - person, axis=-1)
            best = np.median(offsets, axis=1).argmin()
            distances += [offsets[best]]
            persons, missed = persons + 1, missed + (np.median(offsets[best]) > 3)
    distances = np.concatenate(distances)
    print(
        f'median {np.median(distances):.3f} px, 95 % {np.quantile(distances, 0.95):.2f} px, '
        f'{persons} persons'
    )
    assert persons >= 12 and missed == 0
    assert 0 < np.median(distances) < 0.25


def test_only_a_pinet_is_tested_faster():
    cfg = Config(dict(model=dict(type='BottomupPoseEstimator')))
    with pytest.raises(RunError, match='test a PINet only; found the model BottomupPoseEstimator'):
        settings.accelerate(cfg, amp=True, compile=False)


def test_something_else_is_not_accelerated():
    with pytest.raises(ValueError, match='only a PINet can be accelerated; found Linear'):
        accelerate(torch.nn.Linear(1, 1), amp=True)


# --- compilation ---------------------------------------------------------------------------------


@pytest.mark.parametrize('test_cfg', [dict(), dict(flip_test=True, output_heatmaps=True)])
def test_the_tensor_part_is_one_graph(monkeypatch, test_cfg):
    # fullgraph raises where the graph would break; the eager backend runs what was traced.
    assert_one_graph(awake_model(test_cfg=dict(test_cfg, max_per_part=4)), monkeypatch)


def test_the_tensor_part_is_one_graph_with_all_options(monkeypatch):
    refinement = dict(UNCERTAIN, num_passes=2, context=(2, 4), score=dict(hidden=4))
    test_cfg = dict(flip_test=True, use_uncertainty=True, max_per_part=4)
    model, _ = build_uncertain(refinement=refinement, **test_cfg)
    assert_one_graph(model, monkeypatch)


def assert_one_graph(model, monkeypatch):
    images = [noise((64, 64), 1), noise((64, 64), 2)]
    expected = find(model, images)
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    compiled_by(model, monkeypatch, fullgraph=True, backend=backend)
    for one, other in zip(find(model, images), expected, strict=True):
        assert len(one) == len(other) >= 1
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
        np.testing.assert_allclose(one.keypoint_scores, other.keypoint_scores, atol=1e-5)
        np.testing.assert_allclose(one.bbox_scores, other.bbox_scores, atol=1e-5)
        if model.head.is_uncertain:
            np.testing.assert_allclose(one.keypoint_stds, other.keypoint_stds, atol=1e-3)
    assert len(graphs) == 1


def test_a_compiled_model_keeps_to_its_settings(monkeypatch):
    model = compiled_by(awake_model(test_cfg=dict(max_per_part=4)), monkeypatch, backend='eager')
    images = [noise((64, 64), 1)]
    (many,) = find(model, images)
    model.test_cfg = dict(max_per_part=1)
    (few,) = find(model, images)
    assert len(few) <= 3 < len(many)


def test_a_copy_of_a_compiled_model_runs_its_own_weights(monkeypatch):
    eager, images = awake_model(test_cfg=dict(max_per_part=4)), [noise((64, 64), 1)]
    compiled = compiled_by(copy.deepcopy(eager), monkeypatch, backend='eager')
    (before,) = find(compiled, images)
    other = copy.deepcopy(compiled)
    for model in (other, eager):
        model.head.score_branch.weight.data.mul_(0.5)
        model.head.score_branch.bias.data.mul_(0.5)
    for model, expected in ((compiled, before), (other, find(eager, images)[0])):
        (found,) = find(model, images)
        assert len(found) == len(expected) >= 1
        np.testing.assert_allclose(found.keypoint_scores, expected.keypoint_scores, atol=1e-5)
    assert not np.allclose(before.keypoint_scores, found.keypoint_scores, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize('amp', [False, True])
def test_compiled_is_eager(amp, bfloat16):
    model = awake_model(test_cfg=dict(flip_test=True, max_per_part=4))
    eager, compiled = (accelerate(copy.deepcopy(model), amp, way) for way in (False, True))
    images = [noise(shape, i) for i, shape in enumerate([(64, 64), (64, 96), (64, 64)])]
    if amp:
        # Compiled code rounds less often: whoever is found is found elsewhere by some pixels.
        inputs, _ = prepared(model, images[:1])
        samples = [plain_sample((64, 64))]
        assert len(compiled.predict(inputs, samples)[0].pred_instances) >= 1
        return
    for one, other in zip(find(compiled, images), find(eager, images), strict=True):
        assert len(one) == len(other) >= 1
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
        np.testing.assert_allclose(one.keypoint_scores, other.keypoint_scores, atol=1e-5)


# --- where it is asked for -----------------------------------------------------------------------


class FakeRunner:
    def __init__(self, model):
        self.model = model


def test_the_hook_accelerates_before_a_test(bfloat16):
    model = awake_model()
    hook = AccelerateHook(amp=True)
    hook.before_val(FakeRunner(model))
    assert model.input_dtype is None
    hook.before_test(FakeRunner(model))
    assert model.input_dtype is torch.bfloat16 and not model.compiled
    AccelerateHook(compile=True).before_test(FakeRunner(model))
    assert model.compiled


def test_options_become_the_hook():
    cfg = Config(dict(model=dict(type='PINet'), custom_hooks=[dict(type='SyncBuffersHook')]))
    settings.accelerate(cfg, amp=True, compile=False)
    assert [hook['type'] for hook in cfg.custom_hooks] == ['SyncBuffersHook', 'AccelerateHook']
    assert (cfg.custom_hooks[1].amp, cfg.custom_hooks[1].compile) == (True, False)
