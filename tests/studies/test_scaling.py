"""The benchmark over image sizes and people, its plot, and that of training steps."""

import cv2
import numpy as np
import pytest
import torch

from studies.benchmark import (
    memory,
    plot_scaling,
    scaling,
    scenes,
    training,
)
from tests.helpers.timings import SLIM, STAGES, made_up


def test_rows_of_scaling_by_hand():
    rows = made_up('batch', [1, 4]).rows
    assert rows[1] == dict.fromkeys(['input', 'backbone', 'branches', *STAGES], 2.0) | {
        'batch': 4,
        'all': 22,
        'per image': 5.5,
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
    # 1 + 2 + 1 + 7 stages; 33 ms of 8 images.
    assert heights[3] == [7, 3.5, 2.625]
    np.testing.assert_allclose(np.sum(heights, axis=0), [11, 5.5, 4.125])
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ['1', '4', '8']


def test_every_stage_is_in_one_group_of_the_plot():
    grouped = [stage for group in scaling.GROUPS.values() for stage in group]
    assert sorted(grouped) == sorted(['input', 'backbone', 'branches', *STAGES])


def test_people_are_found_in_images_of_any_size():
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
