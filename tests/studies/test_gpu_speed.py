"""The benchmark of a GPU: its logic on the CPU."""

from types import SimpleNamespace

from pinet_mm.configs import read_config
from pinet_mm.errors import InputError

import pytest
import torch

from studies.benchmark import gpu as speed
from studies.benchmark import gpu_cases, gpu_tables, steps
from tests.helpers.gpus import GONE, TINY


def test_the_benchmark_builds_a_config_at_its_size():
    model = gpu_cases.build_model(TINY, 'cpu')
    assert tuple(model.head.codec.input_size) == (64, 64)
    inputs = gpu_cases.make_inputs(model, 1)
    assert inputs.images.shape == (1, 3, 64, 64)
    found = gpu_cases.finder_of(model, gpu_cases.Case(TINY, 'fp32', 1), inputs)
    with torch.no_grad():
        fused, _ = found()
    assert fused.keypoints.shape[-2:] == (model.head.codec.layout.num_keypoints, 2)


def test_the_light_network_is_measured_at_one_scale_and_as_it_is_shipped():
    light = gpu_cases.build_model(gpu_tables.LIGHT, 'cpu').test_cfg
    shipped = gpu_cases.build_model(gpu_tables.AS_SHIPPED, 'cpu').test_cfg
    assert (light.flip_test, tuple(light.scale_factors)) == (False, (1,))
    # What the row of that name says is what the config says.
    assert dict(shipped) == dict(read_config(gpu_tables.AS_SHIPPED.config).model.test_cfg)


def test_the_benchmark_measures_every_precision(tables):
    rows = tables[speed.IMAGES]
    assert {row['precision'] for row in rows} == set(gpu_cases.PRECISIONS)
    assert {row['layout'] for row in rows} == {'NCHW', 'NHWC'}
    assert all(row['images/s'] == pytest.approx(1000 / row['ms']) for row in rows)
    assert {row['precision'] for row in tables[speed.TRAINING]} == {'bf16', 'fp16', 'fp32 TF32'}
    assert all(row['rest, ms'] < row['ms'] for row in tables[speed.SHARE])
    assert [row['what'] for row in tables[speed.HOST]][-1] == 'whole test_step, uint8 to people'
    assert tables[speed.KERNELS][-1]['kernel'] == 'all'
    kept = tables[speed.KEEPING]
    assert {row['way'] for row in kept} == {'rounds', 'blocks'} and all(
        row['equal'] for row in kept
    )


def test_what_the_benchmark_leaves_out_is_listed(monkeypatch):
    told = []
    tables = speed.bench_gpu(0, 'cpu', (GONE, TINY), (1,), told.append)
    assert [table.title for table in tables] == ['Goals', 'Left out']
    assert len(told) == len(tables[1].rows)
    assert {row['reason'] for row in tables[1].rows} == {'the budget was used up'}
    bench = speed.GPUBenchmark('cpu', (GONE, TINY), (1,))
    assert bench.missing == [GONE] and bench.networks == [TINY]


def test_steps_are_chosen_by_words_of_their_names_and_follow_the_words():
    names = [
        table['step']
        for table in speed.bench_gpu(0, 'cpu', (TINY,), (1,), only=('host', 'kernels'))[-1].rows
    ]
    assert names == [f'host part of {TINY.name}', f'kernels of {TINY.name}']


def test_a_word_of_no_step_is_refused():
    message = rf"^no step has 'speed of W48' in its name; there are: .*kernels of {TINY.name}"
    with pytest.raises(InputError, match=message):
        speed.bench_gpu(0, 'cpu', (TINY,), (1,), only=('kernels', 'speed of W48'))


def test_one_network_is_measured_first_by_every_batch():
    bench = speed.GPUBenchmark('cuda:0', batches=list(speed.BATCHES))
    words = ('layouts of light 256²', 'speed of light 256², bf16')
    first, *names = dict.fromkeys(step.name for step in steps.choose(bench.steps(), words))
    assert first == 'layouts of light 256², bf16, batch 64, eager'
    assert sorted(names) == sorted(
        f'speed of light 256², bf16, batch {batch}, {way}'
        for way in ('eager', 'CUDA graph', 'compiled')
        for batch in (1, 2, 4, 8, 16, 32, 64)
    )


def test_every_batch_is_compiled(monkeypatch):
    compiled = []

    def backend(graph, _):
        compiled.append(graph)
        return graph.forward

    find = torch.compile(lambda model, images, *_: images + 1, dynamic=False, backend=backend)
    monkeypatch.setattr(gpu_cases, 'compiled_find_poses', lambda: find)
    model = SimpleNamespace(head=SimpleNamespace(check_settings=dict), test_cfg={})
    for batch in range(1, 11):
        inputs = gpu_cases.Inputs(torch.zeros(batch, 3), torch.zeros(batch, 2))
        gpu_cases.finder_of(model, gpu_cases.Case(TINY, 'fp32', batch, 'compiled'), inputs)()
    assert len(compiled) == 10


def test_an_error_leaves_out_a_step_and_its_reason_is_told():
    def broken():
        yield dict(a=1.0)
        raise RuntimeError('out of memory')

    rows = []
    reason = steps.run_step(steps.Step('a', speed.IMAGES, broken), 5, rows, lambda text: None)
    here = broken.__code__.co_firstlineno + 2
    assert reason == f'RuntimeError: out of memory [studies/test_gpu_speed.py:{here}]'
    assert rows == [dict(a=1.0)]


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
