"""The checks of a GPU agree on one device, and errors planted in it show."""

from pinet_mm.method import proposals

import pytest
import torch

from studies.gpu import functions, models, training, values
from tests.helpers import uncertain
from tests.helpers.gpus import rows_of, verdicts
from tests.helpers.toys import build_model

# --- checks find what is wrong -------------------------------------------------------------------


def second_call(function, change):
    """Change what a function returns from its second call on: the first one is the CPU's."""
    calls = []

    def call(*args, **options):
        calls.append(args)
        found = function(*args, **options)
        return change(found) if len(calls) > 1 else found

    return call


@pytest.fixture
def small_training(monkeypatch):
    """Let the checks of training take narrow networks of the same parts."""
    pinet2 = dict(uncertain.UNCERTAIN, num_passes=2, context=(2, 4))
    kinds = (
        lambda: build_model(size=(64, 64)),
        lambda: uncertain.build_model(refinement=pinet2)[0],
        lambda: uncertain.build_model(refinement=dict(pinet2, score=dict(hidden=4)))[0],
    )
    monkeypatch.setattr(training, 'MODELS', dict(zip(training.MODELS, kinds, strict=True)))


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
    assert rows[0]['what'].endswith('fp32: people missing') and rows[0]['verdict'] == 'FAILED'


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


def test_a_score_learns_from_poses_of_random_images():
    model = models.pinet2_model().train()
    wrapper = training._wrap(model, type='OptimWrapper')
    rows = list(training._train('score', model, training.training_data(model, 1), wrapper))
    assert [row.verdict() for row in rows] == ['ok'] * 3 and model.head.memory.count > 5


def test_one_process_of_a_distributed_training(small_training):
    rows = rows_of(training.check_distributed)
    assert set(verdicts(rows)) == {'ok', 'seen'}
    assert not torch.distributed.is_initialized()
