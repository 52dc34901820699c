"""The benchmark: clocks and tables by hand, and that what it races does the same work."""

import json
import runpy
import sys
from pathlib import Path

from pinet_mm import api
from pinet_mm.errors import RunError
from pinet_mm.models.codec import PINetCodec

import cv2
import numpy as np
import pytest
import torch

from studies import benchmark, naive
from studies.benchmark import (
    bench_decode,
    bench_encode,
    decode,
    images,
    memory,
    peers,
    plot_scaling,
    scaling,
    scenes,
    stages,
    timing,
    to_text,
    training,
)
from studies.benchmark.report import Table, section, write_report
from tests.helpers.toys import LAYOUTS, answer_with

ROOT = Path(__file__).parents[2]
SLIM = 'pinet_hrnet-slim_crowdsynth.py'
STAGES = ['average', 'peaks', 'gather', 'sampling', 'refinement', 'scoring', 'fusion', 'packing']


class Clock:
    """A clock that moves only when somebody works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        """A function that takes `seconds`, one after the other, then the last of them."""
        seconds = list(seconds)

        def function(*_):
            self.now += seconds.pop(0) if len(seconds) > 1 else seconds[0]

        return function


def test_the_median_turn_counts():
    # Two calls come before the turns: one that loads, one that tells how many a turn needs.
    clock = Clock()
    slow = clock.work([9, 9, 1, 2, 5, 3, 90])
    assert timing.call_times(dict(slow=slow), repeats=5, clock=clock) == dict(slow=3000)


def test_fast_functions_are_averaged_over_a_turn():
    clock, calls = Clock(), []
    work = clock.work([1 / 128])
    times = timing.call_times(dict(fast=lambda: calls.append(work())), 3, 1 / 8, clock)
    assert times == dict(fast=1000 / 128) and len(calls) == 2 + 3 * 16


def test_functions_take_turns():
    order = []
    timing.call_times({name: lambda name=name: order.append(name) for name in 'ab'}, 2, least=0)
    assert ''.join(order) == 'aabb' + 'abab'


def test_every_stage_has_its_own_median():
    clock = Clock()
    chain = dict(first=clock.work([1, 2, 30]), last=clock.work([50, 7, 6]))
    assert timing.chain_times(dict(it=chain), 3, clock) == dict(it=dict(first=2000, last=7000))


def test_stages_hand_on_their_results():
    assert timing.run_chain(dict(one=lambda value: [value], two=lambda value: [*value, 2])) == [
        None,
        2,
    ]


@pytest.mark.parametrize('function', [timing.call_times, timing.chain_times])
def test_no_repeats(function):
    with pytest.raises(ValueError, match='repeats must be at least 1; found 0'):
        function({}, repeats=0)


def test_one_thread_is_timed_by_the_processor(monkeypatch):
    for threads, clock in ((1, timing.time.process_time), (2, timing.time.perf_counter)):
        monkeypatch.setattr(torch, 'get_num_threads', lambda threads=threads: threads)
        assert timing.clock_of('cpu') is clock


# --- reports -------------------------------------------------------------------------------------


def test_table_by_hand():
    rows = [dict(persons=2, ms=1.23456), dict(persons=30, ms=321.7), dict(persons=None, ms=0.5)]
    assert to_text(rows) == (
        '| persons | ms |\n|-----------|-------|\n| 2 | 1.23 |\n| 30 | 322 |\n| – | 0.500 |'
    )


def test_a_report_by_hand(tmp_path):
    machine = dict(date='2026-01-02', versions=dict(torch='9', numpy='8'))
    table = Table('decode', 'Title', 'Note.', [dict(a=1, b=None)])
    text, data = write_report(tmp_path / 'new', machine, [table, table])
    assert (text.name, data.name) == ('benchmark.md', 'benchmark.json')
    assert text.read_text() == (
        '# Benchmark\n\n- date: 2026-01-02\n- versions: torch 9, numpy 8\n\n'
        + '\n'.join([section(table)] * 2)
    )
    assert section(table) == '## Title\n\nNote.\n\n| a | b |\n|-----|-----|\n| 1 | – |\n'
    rows = dict(part='decode', title='Title', note='Note.', rows=[dict(a=1, b=None)])
    assert json.loads(data.read_text()) == dict(
        schema='pinet_mm.benchmark/1', machine=machine, tables=[rows, rows]
    )


def test_a_machine_tells_what_figures_depend_on():
    machine = benchmark.describe_machine('cpu')
    assert machine['device'] == 'cpu' and machine['threads'] == torch.get_num_threads()
    assert machine['hardware'] and machine['date'].startswith('20')
    # The installed package's version may lack the name of the build, +cpu or +cu130.
    assert torch.__version__.startswith(machine['versions']['torch'])
    assert {'cores', 'load_average', 'python', 'system'} < set(machine)


# --- encoding ------------------------------------------------------------------------------------


def test_naive_loops_and_codec_encode_the_same():
    crowd = scenes.random_crowd(5, 14, (256, 256))
    assert crowd[0].min() >= 0 and crowd[0].max() < 256 and crowd[1].all()
    codec = PINetCodec((256, 256), (64, 64), LAYOUTS['crowdpose']())
    wanted = naive.encode(*crowd, codec.layout.parts, (64, 64), 4)
    for name, maps in codec.encode(*crowd).items():
        np.testing.assert_allclose(maps, wanted[name], rtol=1e-6, atol=1e-5, err_msg=name)


def test_a_row_of_encoding():
    (table,) = bench_encode(persons=[1], repeats=1)
    (row,) = table.rows
    assert list(row) == [
        'persons',
        'naive',
        'SPR',
        'whole',
        'sparse',
        'release, whole',
        'naive / whole',
        'naive / sparse',
    ]
    assert row['naive / whole'] == row['naive'] / row['whole']
    assert row['naive / sparse'] == row['naive'] / row['sparse'] > 1


# --- decoding ------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def scene():
    made = decode.Scene(persons=4, channels=8, layers=1, input_size=128)
    torch.nn.init.normal_(made.head.refinement.predictor[-1].weight, std=0.5)
    return made


@torch.no_grad()
def test_stages_loops_and_head_find_the_same(scene):
    (persons,) = timing.run_chain(scene.stages().chain())
    by_loops = timing.run_chain(scene.loops().chain())
    (whole,) = scene.heads()['PINet with refinement, from maps']()
    (plain,) = scene.heads()['PINet without refinement, from maps']()
    assert len(persons) == len(by_loops) == len(whole) >= 10
    assert len(plain) != len(whole) or np.abs(plain.keypoints - whole.keypoints).max() > 1
    for i, person in enumerate(by_loops):
        for name in ('keypoints', 'keypoint_scores'):
            np.testing.assert_allclose(persons[name][i], person[name], atol=1e-3, err_msg=name)
            assert np.array_equal(persons[name][i], whole[name][i])
        np.testing.assert_allclose(persons.bbox_scores[i], person['score'], atol=1e-5)


@torch.no_grad()
def test_the_network_of_a_scene_finds_its_crowd(scene):
    (found,) = scene.heads()['PINet without refinement, from maps']()
    crowd, *_ = scenes.random_crowd(4, 17, scene.size)
    distance = np.abs(found.keypoints[:, None] - crowd).max(axis=(2, 3))
    assert distance.min(axis=0).max() < 1e-2
    best = np.argsort(-found.bbox_scores)[:4]
    assert sorted(distance[best].argmin(axis=1)) == [0, 1, 2, 3]


@torch.no_grad()
def test_a_crowds_maps_lie_in_memory_as_the_heads_do(scene):
    features = scene.maps.features
    assert features.is_contiguous(memory_format=torch.channels_last)
    heatmaps, offsets = scene.head([features])
    assert [maps.stride() for maps in (heatmaps, offsets)] == [
        maps.stride() for maps in (scene.maps.heatmaps, scene.maps.offsets)
    ]


@torch.no_grad()
def test_every_part_has_all_the_proposals(scene):
    maps = scenes.crowd_maps(scene.codec, 1, pictures=3)
    assert [each.shape[0] for each in maps] == [6, 6, 6]
    decoding = stages.DecodingStages(scene.head, scene.settings, maps, torch.full((3, 2), 4.0))
    decoding.average()
    decoding.peaks()
    assert decoding.centers.valid.shape == (3, 90) and decoding.centers.valid.all()
    # Mirrored back, the other view is the plain one.
    torch.testing.assert_close(decoding.heatmaps, maps.heatmaps[:3])


@torch.no_grad()
def test_the_heads_of_mmpose_find_persons(scene):
    found = {name: peers.count(head()) for name, head in scene.heads().items()}
    assert found['CID, from features'] == found["CID, from every person's maps"] == 4
    assert found['DEKR, from maps'] >= 4
    assert 'DEKR, from features' not in found or peers.why_no_dekr() is None


def test_dekr_answers_with_its_codec(scene):
    # Far persons, both views alike: DEKR's decoding finds them where they are.
    heatmaps, offsets = (maps.cpu() for maps in scene.maps[1:])
    crowd, *_ = scenes.random_crowd(4, 17, scene.size)
    (plain, _), k = scene._dekr_maps(), 17
    assert torch.equal(plain[0], heatmaps[:1, : k + 1])
    poses, _ = peers.DEKRDecoding(scene.size).decoder.decode(plain[0][0], plain[1][0])
    distance = np.abs(poses.numpy()[:, None] - crowd).max(axis=(2, 3)).min(axis=0)
    assert offsets.shape[1] == 6 * k and distance.max() < 1e-2


def test_the_missing_operators_are_the_reason(monkeypatch):
    for found, reason in ((True, None), (False, peers.NO_DEKR)):
        monkeypatch.setattr(peers, 'mmcv_has_operators', lambda found=found: found)
        assert peers.why_no_dekr() == reason
        assert ('full mmcv' in decode._head_note()) == (not found)


def test_rows_of_decoding_by_hand():
    own = dict.fromkeys(STAGES, 1.0) | dict(refinement=10.0, fusion=3.0)
    rows = {row['stage']: row for row in decode._stage_rows(own, dict.fromkeys(STAGES, 50.0))}
    assert list(rows) == [*STAGES, 'all', 'all but refinement']
    assert rows['fusion'] == {
        'stage': 'fusion',
        'ms': 3,
        'plain loops, ms': 50,
        'loops / ms': 50 / 3,
    }
    assert (rows['all']['ms'], rows['all but refinement']['ms']) == (19, 9)
    assert rows['all but refinement']['loops / ms'] == 350 / 9
    times = {
        decode.OWN['maps']: 2.0,
        decode.OWN['features']: 10.0,
        'DEKR, from maps': 3.0,
        'CID, from features': 50.0,
        "CID, from every person's maps": 4.0,
    }
    rows = decode._head_rows(times, dict.fromkeys(times, 7))
    assert [row['ratio'] for row in rows] == [1, 1, 1.5, 5, 2]
    assert {row['persons'] for row in rows} == {7}


@pytest.mark.parametrize('name', ['cid_hrnet-slim_ablation.py', 'pinet_hrnet_coco_release.py'])
def test_decoding_is_measured_of_heads_that_the_loops_follow(name):
    with pytest.raises(RunError, match=f'by the convention of the paper; found {name}'):
        decode.Scene(2, name, channels=8, layers=1, input_size=128)


def test_decoding_takes_the_head_of_other_configs():
    scene = decode.Scene(2, 'pinet_hrnet_crowdpose.py', channels=8, layers=1, input_size=128)
    assert scene.maps.heatmaps.shape == (2, 14 + 3, 32, 32)
    persons = timing.run_chain(scene.stages().chain())
    assert persons[0].keypoints.shape[1:] == (14, 2)


def test_tables_of_decoding():
    first, second = bench_decode(2, repeats=1, channels=8, layers=1, input_size=128)
    assert '90 proposals, 2 views, 17 keypoints, 32×32 maps, C = 8' in first.note
    assert [row['stage'] for row in first.rows][:8] == STAGES
    assert len(second.rows) >= 5 and all(row['ms'] > 0 for row in second.rows)


# --- networks ------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def model():
    return scenes.load_model(SLIM)


@pytest.mark.parametrize('flip_test', [False, True])
@torch.no_grad()
def test_the_stages_of_a_test_are_the_estimator(model, monkeypatch, flip_test):
    monkeypatch.setattr(model, 'test_cfg', dict(model.test_cfg, flip_test=flip_test))
    maps = scenes.crowd_maps(scenes.codec_of_size(model.cfg.codec, (128, 128)), 3, 2, 1 + flip_test)
    pictures = scenes.draw_pictures(2, (128, 128), 2)
    pipeline = model.cfg.test_dataloader.dataset.pipeline
    found = timing.run_chain(stages.TestStages(model, pipeline, pictures, maps).chain())
    head = model.head
    for name in ('forward', 'test_maps'):
        monkeypatch.setattr(head, name, getattr(head, name))  # taken back at the end
    answer_with(head, maps.heatmaps, maps.offsets)
    wanted = [sample.pred_instances for sample in api.predict(model, pictures, 2)]
    for one, other in zip(found, wanted, strict=True):
        assert len(one) == len(other) >= 3
        for name in ('keypoints', 'keypoint_scores', 'bbox_scores'):
            np.testing.assert_allclose(one[name], other[name], atol=1e-3)


def test_every_mode_finds_the_same(model, bfloat16):
    pictures = scenes.draw_pictures(2, (128, 128), 2)
    wanted = [sample.pred_instances for sample in api.predict(model, pictures)]
    assert len(wanted[0]) > 5
    for mode in images.modes():
        found = images.prepare(model, mode)(pictures, 2)
        if not mode.amp:
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.05)
        else:
            # Peaks with next to no score are anywhere: bfloat16 finds others, but not fewer.
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
    pictures = scenes.draw_pictures(1, (128, 128), 2)
    functions, note = images._onnx_functions(model, pictures)
    whole, quantized = (
        functions['PINet', f'{mode}, ONNX Runtime on the CPU', 1]()[0] for mode in ('fp32', 'int8')
    )
    (wanted,) = [sample.pred_instances for sample in api.predict(model, pictures)]
    assert len(functions) == 2 and not note
    assert len(whole) == len(wanted) >= 3
    scores = [persons.bbox_scores.max() for persons in (whole, quantized, wanted)]
    assert scores[0] == pytest.approx(scores[2], abs=1e-5)
    assert scores[1] == pytest.approx(scores[2], abs=0.05) and scores[1] != scores[0]


@torch.no_grad()
def test_cid_has_the_backbone_of_the_model(model, bfloat16):
    peer = peers.cid_like(model, persons=3)
    inputs = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(
        peer.extract_feat(inputs)[-1], model.extract_feat(inputs)[-1], atol=1e-4, rtol=0
    )
    assert peer.test_cfg['flip_test'] and model.test_cfg['flip_test']
    for mode in images.modes():
        (persons,) = images.prepare(peer, mode)(scenes.draw_pictures(1, (128, 128), 2), 1)
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
        'ms an image': 25,
        'images/s': 40,
        'speed-up': 2,
        'passes': 0.625,
        'persons': 1,
    }
    assert [row['speed-up'] for row in rows] == [1, 2, 1.25]
    assert [row['persons'] for row in rows] == [1.5, 1, None]


# --- scaling -------------------------------------------------------------------------------------


def made_up(axis, values, batch=1):
    cases = [
        scaling.Case('c', None, 'cpu')._replace(batch=batch, **{axis: value})
        if axis != 'batch'
        else scaling.Case('c', None, 'cpu', batch=value)
        for value in values
    ]
    times = [
        dict.fromkeys(['input', 'backbone', 'branches', *STAGES], float(i + 1))
        for i in range(len(cases))
    ]
    rows = scaling._rows(axis, cases, times, [100.0 * (i + 1) for i in range(len(cases))])
    return Table('scaling', f'Cost by {axis}', '', rows)


def test_rows_of_scaling_by_hand():
    rows = made_up('batch', [1, 4]).rows
    assert rows[1] == dict.fromkeys(['input', 'backbone', 'branches', *STAGES], 2.0) | {
        'batch': 4,
        'all': 22,
        'a picture': 5.5,
        'ratio': 0.5,
        'peak MB': 200,
    }
    assert list(rows[0])[0] == 'batch' and rows[0]['ratio'] == 1


def test_the_plot_stacks_the_stages(tmp_path):
    figure = plot_scaling(
        [made_up('persons', [1, 100]), made_up('batch', [1, 4, 8])], tmp_path / 'new' / 'plot.png'
    )
    panels = figure.axes[:2]
    assert cv2.imread(str(tmp_path / 'new' / 'plot.png')).shape[1] > 600
    assert [panel.get_xlabel() for panel in panels] == ['persons', 'batch']
    heights = [[bar.get_height() for bar in bars] for bars in panels[1].containers]
    # 1 + 2 + 1 + 7 stages; 33 ms of 8 pictures.
    assert heights[3] == [7, 3.5, 2.625]
    np.testing.assert_allclose(np.sum(heights, axis=0), [11, 5.5, 4.125])
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ['1', '4', '8']


def test_every_stage_is_in_one_group_of_the_plot():
    grouped = [stage for group in scaling.GROUPS.values() for stage in group]
    assert sorted(grouped) == sorted(['input', 'backbone', 'branches', *STAGES])


def test_persons_are_found_in_pictures_of_any_size():
    found = scaling.run_case(scaling.Case(SLIM, None, 'cpu', persons=3, size=192, batch=2))
    crowd, *_ = scenes.random_crowd(3, 17, (192, 192))
    assert len(found) == 2
    for persons in found:
        assert (persons.bbox_scores > 0.1).sum() >= 3 and len(persons) > 3
        assert persons.keypoints.shape[1:] == crowd.shape[1:]


def test_tables_of_scaling(monkeypatch):
    monkeypatch.setattr(
        scaling,
        'peak_memory',
        memory.contextmanager(lambda device: iter([lambda function, case: 10.0 * case.persons])),
    )
    first, second = scaling.bench_scaling(SLIM, persons=[1, 2], sizes=[], batches=[2], repeats=1)
    assert [row['persons'] for row in first.rows] == [1, 2]
    assert [row['peak MB'] for row in first.rows] == [10, 20]
    assert [(row['batch'], row['peak MB']) for row in second.rows] == [(2, 100)]
    assert 'persons 10 and batch 1' not in first.note and 'size 128 and batch 1' in first.note


def test_sizes_that_no_network_takes():
    with pytest.raises(ValueError, match=r'sizes must be multiples of 64; found \[64, 100\]'):
        scaling.bench_scaling(SLIM, sizes=(64, 100))


# --- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize('amp', [False, True])
def test_the_stages_of_training_are_a_step(amp, bfloat16):
    stage = training.TrainingStages(training.TrainingCase(SLIM, batch=2, amp=amp))
    before = stage.model.head.score_branch.weight.detach().clone()
    for name in training.STAGES[:4]:
        getattr(stage, name)()
    assert str(stage.feats[-1].dtype).endswith('bfloat16' if amp else 'float32')
    assert stage.feats[-1].is_contiguous(memory_format=torch.channels_last)  # as in training
    with stage.wrapper.optim_context(stage.model):
        wanted = stage.model(stage.inputs, stage.samples, 'loss')
    assert set(stage.found) == set(wanted) == {'loss_heatmap', 'loss_offset', 'loss_refine'}
    for name, loss in wanted.items():
        torch.testing.assert_close(stage.found[name], loss)
    stage.backward()
    assert all(value.grad is not None for value in stage.model.parameters())
    stage.optimizer()
    assert not torch.equal(stage.model.head.score_branch.weight, before)


def test_rows_of_training_by_hand():
    times = dict.fromkeys(training.STAGES, 10.0) | dict(data=50.0, backward=100.0)
    row = training._row(training.TrainingCase('c', batch=4, amp=True), times, 7.0)
    assert row == dict.fromkeys(training.STAGES, 2.5) | {
        'precision': 'mixed',
        'batch': 4,
        'data': 12.5,
        'backward': 25,
        'all': 47.5,
        'images/s': 4000 / 190,
        'without data, images/s': 4000 / 140,
        'peak MB': 7,
    }


def test_a_table_of_training(monkeypatch, bfloat16):
    monkeypatch.setattr(
        training,
        'peak_memory',
        memory.contextmanager(lambda device: iter([lambda function, case: 10.0 * case.batch])),
    )
    (table,) = training.bench_training(SLIM, batches=[2], repeats=1)
    assert [(row['precision'], row['batch'], row['peak MB']) for row in table.rows] == [
        ('fp32', 2, 20),
        ('mixed', 2, 20),
    ]
    assert all(row[name] > 0 for row in table.rows for name in training.STAGES)


def fill(megabytes):
    return np.ones(megabytes * memory.MB, np.uint8).sum()


@pytest.mark.slow
def test_peak_memory_is_that_of_the_call_alone():
    block = fill(500)  # what this process does is not in it
    with memory.peak_memory('cpu') as peak:
        small, large, again = (peak(fill, megabytes) for megabytes in (1, 301, 1))
    assert block and large - small == pytest.approx(300, abs=10)
    assert again == pytest.approx(small, abs=10)


def test_resident_memory_grows_with_what_is_used():
    before = memory.resident(fill, 1)
    assert memory.resident(fill, int(before) + 100) >= before + 90


# --- the tool ------------------------------------------------------------------------------------


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools' / 'benchmark.py'), run_name='__main__')


def test_the_tool_prints_and_writes(tmp_path, monkeypatch, capsys):
    run_tool(monkeypatch, 'encode', '--persons', 1, '--repeats', 1, '--out', tmp_path)
    (table,) = json.loads((tmp_path / 'benchmark.json').read_text())['tables']
    assert [row['persons'] for row in table['rows']] == [1]
    assert to_text(table['rows']) in capsys.readouterr().out
    assert not (tmp_path / 'scaling.png').exists()


def test_the_tool_runs_all_parts(tmp_path, monkeypatch, capsys):
    given = {}

    def pretend(part, tables):
        def bench(**options):
            given[part] = options
            return tables

        monkeypatch.setattr(f'studies.benchmark.{part}.bench_{part}', bench)

    for part in ('encode', 'decode'):
        pretend(part, [Table(part, f'Of {part}', '', [dict(a=1)])])
    monkeypatch.setattr(
        'studies.benchmark.images.bench_images',
        lambda config, **options: [Table('images', f'Of {config} {options}', '', [dict(a=1)])],
    )
    pretend('scaling', [made_up('persons', [1, 100])])
    pretend('training', [Table('training', 'Of training', '', [dict(a=1)])])
    monkeypatch.chdir(tmp_path)
    run_tool(monkeypatch, 'all', '--device', 'cpu', '--persons', 1, 100)
    folder = tmp_path / 'work_dirs' / 'benchmark'
    assert {path.name for path in folder.iterdir()} == {
        'benchmark.md',
        'benchmark.json',
        'scaling.png',
    }
    titles = [
        table['title'] for table in json.loads((folder / 'benchmark.json').read_text())['tables']
    ]
    common = dict(device='cpu', compiled=False)
    assert titles == [
        'Of encode',
        'Of decode',
        f'Of {SLIM} {common}',
        f'Of pinet_lite_photos.py {common}',
        f'Of pinet_hrnet_coco.py {dict(batches=[1], repeats=3, **common)}',
        'Cost by persons',
        'Of training',
    ]
    assert given['encode'] == dict(persons=[1, 100]) and given['decode'] == dict(device='cpu')
    assert given['scaling'] == dict(config=SLIM, persons=[1, 100], device='cpu')
    assert given['training'] == dict(config=SLIM, device='cpu')
    printed = capsys.readouterr().out
    assert all(f'## {title}' in printed for title in titles)


def test_the_tool_ends_with_one_line(monkeypatch):
    with pytest.raises(SystemExit, match='^error: repeats must be at least 1; found 0$'):
        run_tool(monkeypatch, 'encode', '--repeats', 0)
    with pytest.raises(SystemExit, match='^error: nowhere.py is no config file; tried '):
        run_tool(monkeypatch, 'images', 'nowhere.py')


@pytest.mark.parametrize('part', ['encode', 'decode', 'training'])
def test_weights_that_would_not_be_used_are_refused(monkeypatch, part):
    with pytest.raises(SystemExit, match=f'error: {part} takes no CHECKPOINT, .*; found a.pth'):
        run_tool(monkeypatch, part, SLIM, 'a.pth')
