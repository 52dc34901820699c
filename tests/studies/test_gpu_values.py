"""How the checks of a GPU compare: people, providers, graphs, overflows, precisions."""

import copy
from contextlib import nullcontext
from types import SimpleNamespace

from pinet_mm import api
from pinet_mm.method import fusion
from pinet_mm.models.acceleration import accelerate
from pinet_mm.models.norms import fuse_norms

import numpy as np
import pytest
import torch

from studies.benchmark.scenes import draw_images
from studies.gpu import graphs, models, others, people, running, scenes, training
from studies.gpu.running import Finding, Place
from tests.helpers.gpus import CPU, rows_of, verdicts
from tests.helpers.toys import build_model


def test_people_are_paired_and_counted():
    wanted = np.random.default_rng(0).uniform(0, 100, (4, 5, 2))
    found = wanted[[2, 0, 1]] + (0.3, 0.4)
    distance = scenes.compare_persons([found], [wanted], 100.0)
    assert (distance.wanted, distance.missing) == (4, 1)
    assert distance.quantile(0.5) == pytest.approx(0.5)
    nobody = scenes.compare_persons([np.zeros((0, 5, 2))], [wanted[:0]], 100.0)
    assert nobody.missing == 0
    assert np.isnan(nobody.quantile(1)) and np.isnan(nobody.lost), 'no limit may let this pass'


@pytest.fixture
def fused():
    """Six poses of two images, of which the last is no person."""
    generator = torch.Generator().manual_seed(0)
    keypoints, numbers = (torch.rand(2, 6, 5, n, generator=generator) for n in (2, 3))
    kept = torch.arange(6).expand(2, 6) < 5
    scores, stds, sources = numbers.unbind(-1)
    return fusion.FusedPoses(100 * keypoints, scores, scores.mean(-1), kept, sources, stds)


def wrong_of(found, wanted):
    rows = people.compare_fused('a', found, wanted, 100.0, 1e-3)
    return {row.what.removeprefix('a: '): row.value for row in rows if row.verdict() != 'ok'}


@pytest.mark.parametrize(
    'field, said',
    [('keypoint_scores', 'keypoint scores'), ('scores', 'scores'), ('stds', 'deviations')],
)
def test_scores_and_deviations_are_those_of_the_same_person(fused, field, said):
    # In another order the same people are found.
    found = fusion.FusedPoses(*(values[:, [3, 1, 5, 0, 2, 4]] for values in fused))
    assert wrong_of(found, fused) == {}
    found = found._replace(**{field: getattr(found, field) + 0.01})
    assert wrong_of(found, fused) == pytest.approx({said: 0.01}, rel=1e-3)


def test_a_person_too_many_is_one_wrong(fused):
    more = fused._replace(kept=torch.ones_like(fused.kept))
    assert wrong_of(more, fused) == {'people missing or too many': 2 / 10}


def test_a_check_with_nobody_to_compare_fails(monkeypatch):
    def nobody(model, images, **options):
        fused = find(model, images, **options)
        return fused._replace(kept=torch.zeros_like(fused.kept))

    find = models.find
    monkeypatch.setattr(models, 'find', nobody)
    for check in (models.check_models, models.check_batches):
        rows = rows_of(check)
        assert set(verdicts(rows)) == {'FAILED'}
        assert rows[0]['unit'] == 'nobody is there to compare'


def test_tf32_is_as_before_after_a_check(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    # As on a GPU, where one of the variants computes with TF32.
    place = Place(SimpleNamespace(type='cuda'), small=True)
    monkeypatch.setattr(torch.nn.Module, 'to', lambda module, *_, **__: module)
    monkeypatch.setattr(models, 'accelerate', lambda model, amp: model)
    kinds = {name: products for name, _, products in models._variants(torch.nn.Identity(), place)}
    assert [name for name, kind in kinds.items() if kind is running.exact_products] == ['fp32']
    for products in kinds.values():
        with products():
            assert torch.backends.cudnn.allow_tf32 == (products is running.default_products)
            assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32


def test_float32_trains_without_tf32(monkeypatch):
    flags = {}

    def train(name, model, data, wrapper, steps=1):
        flags[name] = (torch.backends.cudnn.allow_tf32, steps)
        yield Finding(name, 0, 0)

    monkeypatch.setattr(training, 'MODELS', {'': build_model})
    monkeypatch.setattr(training, '_train', train)
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', True)
    rows_of(training.check_amp)
    rows_of(training.check_distributed)
    assert flags == {'fp32': (False, 1), 'bf16': (True, 1), 'DDP, one process': (False, 1)}
    assert torch.backends.cudnn.allow_tf32


class Overflow(torch.autograd.Function):
    """A number whose gradients are what is asked for."""

    @staticmethod
    def forward(context, weight, gradient):
        context.gradient = gradient
        return weight.sum()

    @staticmethod
    def backward(context, _):
        return torch.full((1, 1), context.gradient), None


def test_only_several_steps_may_overflow_at_first(monkeypatch):
    part = torch.nn.Linear(1, 1, bias=False)
    wrapper = training._wrap(part, type='OptimWrapper')
    monkeypatch.setattr(wrapper, 'step', lambda: None)  # as a scaler skips it
    for steps, verdict in ((1, 'FAILED'), (2, 'ok')):
        gradients = iter([float('inf'), 1.0])
        monkeypatch.setattr(
            training,
            'losses_of',
            lambda model, *_, gradients=gradients: dict(
                loss=Overflow.apply(model.weight, next(gradients))
            ),
        )
        rows = list(training._train('part', part, None, wrapper, steps))
        assert [row.verdict() for row in rows] == ['ok', verdict, 'ok']


# --- ONNX Runtime --------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def outputs():
    """What the shipped file finds in a drawn crowd."""
    pytest.importorskip('onnxruntime')
    images = np.stack(draw_images(1, (256, 256), 4))[..., ::-1].transpose(0, 3, 1, 2)
    path = api.WEIGHTS / 'pinet_lite_photos.onnx'
    return others.run_onnx(path, images.astype(np.float32), 'CPUExecutionProvider')


def test_providers_are_compared_by_people_and_scores(outputs):
    def verdicts_of(found, wanted=outputs):
        return [finding.verdict() for finding in others.compare_outputs(found, wanted, 256)]

    assert verdicts_of(outputs) == ['ok'] * 4
    moved = outputs._replace(keypoints=outputs.keypoints + 0.1)
    assert verdicts_of(moved) == ['ok', 'FAILED', 'ok', 'ok']
    assert verdicts_of(outputs._replace(scores=outputs.scores + 0.01))[3] == 'FAILED'
    other = outputs._replace(keypoint_scores=outputs.keypoint_scores * 1.1)
    assert verdicts_of(other)[2] == 'FAILED'
    nobody = outputs._replace(count=np.array([0]))
    assert verdicts_of(nobody)[0] == 'FAILED'
    assert verdicts_of(nobody, nobody)[:2] == ['FAILED', 'FAILED']


def test_checks_that_need_cuda_say_so():
    for check in (graphs.check_graphs, graphs.check_syncs):
        (row,) = rows_of(check)
        assert (row['verdict'], row['unit']) == ('left out', 'cpu is no CUDA device')


class Eager:
    """In place of a CUDA graph."""

    def __init__(self, finder, *inputs):
        self.finder = finder

    def __call__(self, *inputs):
        return self.finder(*inputs)


def test_graphs_are_compared_with_eager_people(monkeypatch):
    class Stale(Eager):
        def __call__(self, *inputs):
            fused, maps = self.finder(*inputs)
            return type(fused)(*(each.flip(0) for each in fused.given)), maps

    monkeypatch.setattr(graphs, '_need_cuda', lambda place: None)
    shipped = models.load_shipped(count=2)
    monkeypatch.setattr(graphs, 'load_shipped', lambda count: shipped)
    for kind, expected in ((Eager, 'ok'), (Stale, 'FAILED')):
        monkeypatch.setattr(graphs, 'GraphedFinder', kind)
        finding = next(graphs.check_graphs(CPU))
        assert finding.verdict() == expected


# --- what the checks rely on ---------------------------------------------------------------------


def test_with_all_options_no_number_of_a_device_is_read(monkeypatch):
    # Tensors on the device `meta` have no numbers: what waits for one, or mixes devices, raises.
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())  # it knows no `meta`
    shipped = models.load_pinet2(2)
    fused = models.find(shipped.model.to('meta'), shipped.images)
    assert {values.device.type for values in fused} == {'meta'}


def test_half_precision_can_be_named():
    for dtype in (torch.float16, torch.bfloat16):
        model = accelerate(build_model(), dtype)
        assert model.input_dtype == model.head.refinement.product_dtype == dtype
        assert next(model.backbone.parameters()).dtype == dtype
    with pytest.raises(ValueError, match='amp must be True, False, .*; found torch.float64'):
        accelerate(build_model(), torch.float64)


def test_norms_with_an_activation_keep_it():
    class NormAct(torch.nn.BatchNorm2d):
        def __init__(self, channels):
            super().__init__(channels)
            self.act = torch.nn.ReLU6()

        def forward(self, x):
            return self.act(super().forward(x))

    torch.manual_seed(0)
    block = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        NormAct(4),
        torch.nn.Conv2d(4, 5, 1),
        torch.nn.BatchNorm2d(5),
        NormAct(5),
    ).eval()
    for norm in (block[1], block[3], block[4]):
        torch.nn.init.uniform_(norm.running_mean, -1, 1)
    folded = copy.deepcopy(block)
    images = 5 * torch.randn(2, 3, 8, 8)
    assert fuse_norms(folded, lambda: folded(images)) == 2
    torch.testing.assert_close(folded(images), block(images))
    assert [type(each).__name__ for each in folded] == [
        'Conv2d',
        'ReLU6',
        'Conv2d',
        'Identity',
        'NormAct',
    ]


def test_another_provider_than_the_one_that_is_checked_is_refused():
    onnxruntime = pytest.importorskip('onnxruntime')
    if 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
        pytest.skip('this ONNX Runtime has what it is to lack')
    path, images = api.WEIGHTS / 'pinet_lite_photos.onnx', np.zeros((1, 3, 64, 64), np.float32)
    with pytest.raises(RuntimeError, match=r"run on CUDAExec.*; it took \['CPUExecutionProvider'"):
        others.run_onnx(path, images, 'CUDAExecutionProvider')
