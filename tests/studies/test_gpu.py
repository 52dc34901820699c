"""The checks and the benchmark of a GPU: their logic on the CPU; on CUDA, if there is any, all."""

import copy
import itertools
import json
import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from pinet_mm import api
from pinet_mm.method import fusion, proposals
from pinet_mm.models.acceleration import accelerate
from pinet_mm.models.norms import fuse_norms

import numpy as np
import pytest
import torch

from studies import gpu
from studies.benchmark import gpu as speed
from studies.benchmark import gpu_cases, gpu_tables
from studies.benchmark.budget import OutOfTime, time_limit
from studies.benchmark.scenes import draw_pictures
from studies.gpu import functions, graphs, models, others, running, scenes, training, values
from studies.gpu.running import Finding, LeftOut, Place
from tests.helpers.toys import build_model

ROOT = Path(__file__).parents[2]
CPU = Place(torch.device('cpu'), small=True)
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')


def verdicts(rows):
    return [row['verdict'] for row in rows]


# --- running -------------------------------------------------------------------------------------


def test_a_finding_is_judged_by_its_limit():
    assert Finding('a', 1.0, 1.0).verdict() == 'ok'
    assert Finding('a', 1.1, 1.0).verdict() == 'FAILED'
    assert Finding('a', float('nan'), 1.0).verdict() == 'FAILED'
    assert Finding('a', 'text').verdict() == 'seen'


def test_an_error_in_a_check_is_a_row_and_the_next_one_runs():
    def broken(place):
        yield Finding('first', 0.0, 0)
        raise RuntimeError('no kernel image')

    def absent(place):
        raise LeftOut('no such card')
        yield

    told = []
    rows = running.run_checks(
        dict(a=broken, b=absent, c=lambda place: iter([Finding('x', 0.0, 0)])), CPU, 60, told.append
    )
    assert verdicts(rows) == ['ok', 'FAILED', 'left out', 'ok'] and told == rows
    assert rows[1]['unit'] == 'RuntimeError: no kernel image'
    assert rows[2]['unit'] == 'no such card'
    assert running.failed(rows) and not running.failed(rows[2:])


def test_the_budget_stops_a_check_and_leaves_out_the_others():
    def slow(place):
        yield Finding('first', 0.0, 0)
        time.sleep(10)

    start = time.monotonic()
    rows = running.run_checks(dict(a=slow, b=slow), CPU, 0.2)
    assert time.monotonic() - start < 5
    assert verdicts(rows) == ['ok', 'left out', 'left out']
    assert rows[1]['unit'] == 'stopped at the end of the budget'
    assert rows[2]['unit'] == 'the budget of 0.2 s was used up'


def test_a_time_limit_ends_with_its_block():
    with pytest.raises(OutOfTime), time_limit(0.01):
        time.sleep(5)
    with time_limit(0.05):
        pass
    time.sleep(0.1)


def test_exact_products_leave_tf32_and_bring_it_back():
    before = torch.backends.cudnn.allow_tf32
    with running.exact_products():
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


# --- checks find what is wrong -------------------------------------------------------------------


def second_call(function, change):
    """Change what a function returns from its second call on: the first one is the CPU's."""
    calls = []

    def call(*args, **options):
        calls.append(args)
        found = function(*args, **options)
        return change(found) if len(calls) > 1 else found

    return call


def rows_of(check, count=None):
    """Run a check on the CPU, or its first findings alone."""

    def first(place):
        return itertools.islice(check(place), count)

    return running.run_checks(dict(check=first), CPU, 600)


@pytest.fixture
def small_training(monkeypatch):
    """Let the checks of training take a narrow network of the same parts."""
    monkeypatch.setattr(
        training, 'load_model', lambda config, device: build_model(size=(64, 64)).to(device)
    )


def test_functions_agree_on_one_device_and_a_planted_error_shows(monkeypatch):
    assert set(verdicts(rows_of(functions.check_functions))) == {'ok'}
    monkeypatch.setattr(
        proposals, 'read_offsets', second_call(proposals.read_offsets, lambda found: found + 1e-6)
    )
    wrong = [row for row in rows_of(functions.check_functions) if row['verdict'] != 'ok']
    assert [row['what'] for row in wrong] == ['read_offsets']


def test_decoding_agrees_and_a_planted_error_shows(monkeypatch):
    assert set(verdicts(rows_of(values.check_decoding))) == {'ok'}

    def move(fused):
        return fused._replace(keypoints=fused.keypoints + 0.01)

    monkeypatch.setattr(values, '_decode', second_call(values._decode, move))
    wrong = [row for row in rows_of(values.check_decoding) if row['verdict'] == 'FAILED']
    assert wrong and all('keypoints' in row['what'] for row in wrong)
    assert wrong[0]['value'] == pytest.approx(0.01 * 2**0.5, rel=0.01)


def test_losses_agree_and_planted_errors_show(monkeypatch):
    def corrupt(found):
        losses, gradients = found
        gradients = dict(gradients, features=gradients['features'] * 1.1)
        gradients['score_branch.weight'] = None
        return {name: loss * 1.001 for name, loss in losses.items()}, gradients

    assert set(verdicts(rows_of(values.check_losses))) == {'ok'}
    monkeypatch.setattr(values, '_learn', second_call(values._learn, corrupt))
    rows = rows_of(values.check_losses, 3)
    assert verdicts(rows) == ['FAILED'] * 3
    assert rows[1]['unit'] == 'score_branch.weight' and 'worst features' in rows[2]['unit']


def test_models_agree_and_a_planted_error_shows(monkeypatch):
    rows = rows_of(models.check_models)
    assert set(verdicts(rows)) == {'ok'} and int(rows[0]['unit'].split()[1]) > 5

    def lose(fused):
        kept = fused.kept.clone()
        kept[fused.scores == fused.scores[kept].max()] = False
        return fused._replace(kept=kept)

    monkeypatch.setattr(models, 'find', second_call(models.find, lose))
    rows = rows_of(models.check_models, 1)
    assert rows[0]['what'].endswith('fp32: persons missing') and rows[0]['verdict'] == 'FAILED'


def test_training_checks_pass_and_a_parameter_without_gradient_shows(small_training, monkeypatch):
    rows = rows_of(training.check_amp)
    assert set(verdicts(rows)) == {'ok'}

    class Part(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))

    def losses_of(model, data, wrapper):
        return dict(loss=model.used.sum() * data)

    part = Part()
    monkeypatch.setattr(training, 'losses_of', losses_of)
    wrapper = training._wrap(part, type='OptimWrapper')
    rows = list(training._train('part', part, 1.0, wrapper))
    assert [row.verdict() for row in rows] == ['ok', 'FAILED', 'ok'] and rows[1].unit == 'idle'
    rows = list(training._train('part', part, float('inf'), wrapper))
    assert rows[0].verdict() == 'FAILED' and rows[0].unit == 'loss'


def test_one_process_of_a_distributed_training(small_training):
    rows = rows_of(training.check_distributed)
    assert set(verdicts(rows)) == {'ok', 'seen'}
    assert not torch.distributed.is_initialized()


def test_persons_are_paired_and_counted():
    wanted = np.random.default_rng(0).uniform(0, 100, (4, 5, 2))
    found = wanted[[2, 0, 1]] + (0.3, 0.4)
    distance = scenes.compare_persons([found], [wanted], 100.0)
    assert (distance.wanted, distance.missing) == (4, 1)
    assert distance.quantile(0.5) == pytest.approx(0.5)
    nobody = scenes.compare_persons([np.zeros((0, 5, 2))], [wanted[:0]], 100.0)
    assert nobody.missing == 0
    assert np.isnan(nobody.quantile(1)) and np.isnan(nobody.lost), 'no limit may let this pass'


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
    images = np.stack(draw_pictures(1, (256, 256), 4))[..., ::-1].transpose(0, 3, 1, 2)
    path = api.WEIGHTS / 'pinet_lite_photos.onnx'
    return others.run_onnx(path, images.astype(np.float32), 'CPUExecutionProvider')


def test_providers_are_compared_by_persons_and_scores(outputs):
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


def test_another_provider_than_the_one_that_is_checked_is_refused():
    onnxruntime = pytest.importorskip('onnxruntime')
    if 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
        pytest.skip('this ONNX Runtime has what it is to lack')
    path, images = api.WEIGHTS / 'pinet_lite_photos.onnx', np.zeros((1, 3, 64, 64), np.float32)
    with pytest.raises(RuntimeError, match=r"run on CUDAExec.*; it took \['CPUExecutionProvider'"):
        others.run_onnx(path, images, 'CUDAExecutionProvider')


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


def test_graphs_are_compared_with_eager_persons(monkeypatch):
    class Stale(Eager):
        def __call__(self, *inputs):
            fused, maps = self.finder(*inputs)
            return type(fused)(*(each.flip(0) for each in fused)), maps

    monkeypatch.setattr(graphs, '_need_cuda', lambda place: None)
    shipped = models.load_shipped(count=2)
    monkeypatch.setattr(graphs, 'load_shipped', lambda count: shipped)
    for kind, expected in ((Eager, 'ok'), (Stale, 'FAILED')):
        monkeypatch.setattr(graphs, 'GraphedFinder', kind)
        finding = next(graphs.check_graphs(CPU))
        assert finding.verdict() == expected


# --- what the checks rely on ---------------------------------------------------------------------


@pytest.mark.parametrize('shape', [(4, 90), (3, 2, 17), (7,), (2, 1)])
@pytest.mark.parametrize('density', [0.02, 0.1, 0.5, 0.9])
def test_matching_without_questions_settles_the_same(shape, density):
    generator = torch.Generator().manual_seed(0)
    match = (torch.rand(*shape, shape[-1], generator=generator) < density).triu(1).float()
    valid = (torch.rand(shape, generator=generator) < 0.8).float()
    assert torch.equal(fusion._settle_unasked(match, valid), fusion._settle(match, valid))


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


# --- the benchmark -------------------------------------------------------------------------------

TINY = speed.SLIM._replace(name='tiny', side=64)
GONE = speed.LIGHT._replace(name='gone', config='pinet_gone.py')


@pytest.fixture(scope='module')
def tables():
    # A narrow network: a CPU without bfloat16 imitates it, ten times as slow as float32.
    with pytest.MonkeyPatch.context() as patch:
        for module in (speed, gpu_cases):
            patch.setattr(
                module, 'build_model', lambda network, device: build_model(size=(network.side,) * 2)
            )
        found = speed.bench_gpu(600, 'cpu', (GONE, TINY), (1,))
    return {table.title: table.rows for table in found}


def test_the_benchmark_builds_a_config_at_its_size():
    model = gpu_cases.build_model(TINY, 'cpu')
    assert tuple(model.head.codec.input_size) == (64, 64)
    inputs = gpu_cases.make_inputs(model, 1)
    assert inputs.images.shape == (1, 3, 64, 64)
    found = gpu_cases.finder_of(model, gpu_cases.Case(TINY, 'fp32', 1), inputs)
    with torch.no_grad():
        fused, _ = found()
    assert fused.keypoints.shape[-2:] == (model.head.codec.layout.num_keypoints, 2)


def test_the_benchmark_measures_every_precision(tables):
    rows = tables[speed.IMAGES]
    assert {row['precision'] for row in rows} == set(gpu_cases.PRECISIONS)
    assert {row['layout'] for row in rows} == {'NCHW', 'NHWC'}
    assert all(row['images/s'] == pytest.approx(1000 / row['ms']) for row in rows)
    assert {row['precision'] for row in tables[speed.TRAINING]} == {'bf16', 'fp16', 'fp32 TF32'}
    assert all(row['rest, ms'] < row['ms'] for row in tables[speed.SHARE])
    assert [row['what'] for row in tables[speed.HOST]][-1] == 'whole test_step, uint8 to persons'
    assert tables[speed.KERNELS][-1]['kernel'] == 'all'


def test_what_the_benchmark_leaves_out_is_listed(monkeypatch):
    told = []
    tables = speed.bench_gpu(0, 'cpu', (GONE, TINY), (1,), told.append)
    assert [table.title for table in tables] == ['Goals', 'Left out']
    assert len(told) == len(tables[1].rows)
    assert {row['reason'] for row in tables[1].rows} == {'the budget was used up'}
    bench = speed.GPUBenchmark('cpu', (GONE, TINY), (1,))
    assert bench.missing == [GONE] and bench.networks == [TINY]


def test_an_error_leaves_out_a_step_and_its_reason_is_told():
    def broken():
        yield dict(a=1.0)
        raise RuntimeError('out of memory')

    rows = []
    reason = speed._run(speed.Step('a', speed.IMAGES, broken), 5, rows, lambda text: None)
    assert (reason, rows) == ('RuntimeError: out of memory', [dict(a=1.0)])


def test_goals_take_the_best_rows():
    def row(precision, batch, found):
        return dict(
            network=speed.WIDE.name, precision=precision, batch=batch, **{'images/s': found}
        )

    rows = [
        row('fp32', 1, 50.0),
        row('bf16', 16, 300.0),
        row('bf16', 16, 400.0),
        row('fp16', 8, 450.0),
    ]
    shares = [{'network': speed.WIDE.name, 'share of the rest': share} for share in (0.1, 0.04)]
    assert [goal['found'] for goal in gpu_tables.goals(rows, shares)] == [8.0, 450.0, None, 0.04]


def test_the_best_layout_is_taken_for_the_other_batches():
    bench = speed.GPUBenchmark('cpu', (TINY,), (1,))
    case = gpu_cases.Case(TINY, 'fp16', 4)
    assert bench._settled(case).channels_last and not bench._settled(case).tuned
    bench.best['tiny', 'bf16'] = (False, True)
    assert bench._settled(case)[-2:] == (False, True)
    assert bench._settled(case._replace(precision='fp32'))[-2:] == (False, False)


# --- the tools -----------------------------------------------------------------------------------


def run_tool(monkeypatch, tool, *arguments):
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')
    return ended.value.code


def test_the_check_prints_and_writes(tmp_path, monkeypatch, capsys):
    path = tmp_path / 'out' / 'check.json'
    arguments = ('--device', 'cpu', '--only', 'environment', 'waiting', '--out', path)
    assert run_tool(monkeypatch, 'gpu_check.py', *arguments) == 0
    rows = json.loads(path.read_text())
    assert [row['check'] for row in rows] == ['environment', 'environment', 'waiting']
    assert '| waiting | all | left out |' in path.with_suffix('.md').read_text()
    assert 'cpu is no CUDA device' in capsys.readouterr().out

    monkeypatch.setitem(gpu.CHECKS, 'waiting', lambda place: iter([Finding('x', 2.0, 1.0)]))
    assert run_tool(monkeypatch, 'gpu_check.py', *arguments) == 1
    assert '1 FAILED' in capsys.readouterr().out


def test_the_check_refuses_what_it_does_not_know(monkeypatch):
    assert 'there are no checks' in run_tool(monkeypatch, 'gpu_check.py', '--only', 'nothing')
    if not torch.cuda.is_available():
        assert 'no CUDA device' in run_tool(monkeypatch, 'gpu_check.py')


# --- on a GPU ------------------------------------------------------------------------------------


@cuda
@pytest.mark.parametrize('name', [name for name in gpu.CHECKS if name != 'compilation'])
def test_the_checks_pass_on_cuda(name):
    rows = running.run_checks({name: gpu.CHECKS[name]}, Place(torch.device('cuda:0'), True), 300)
    assert [gpu.line(row) for row in rows if row['verdict'] == running.FAILED] == []


@cuda
def test_the_benchmark_runs_on_cuda():
    tables = speed.bench_gpu(60, 'cuda:0', (TINY,), (1,))
    assert {'Goals', speed.IMAGES, speed.SHARE} <= {table.title for table in tables}
