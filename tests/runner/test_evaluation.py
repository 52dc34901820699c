"""Evaluating a checkpoint: metrics, predictions, and the config that is left behind."""

import json
import pickle
from pathlib import Path

from pinet_mm import runner
from pinet_mm.datasets.metrics import BEFORE_TEST

import pytest
import torch
from mmengine.logging import MessageHub

from tests.helpers.toy_runs import PRETRAINED, SAMPLES, Toy, ToyDataset, parse, train, write_config


def test_test_writes_metrics_and_predictions_without_pretrained_weights(tmp_path, trained):
    out, dump = tmp_path / 'new' / 'metrics.json', tmp_path / 'new' / 'predictions.pkl'
    args = parse(
        'test',
        write_config(tmp_path, PRETRAINED),
        trained / 'epoch_3.pth',
        '--work-dir',
        tmp_path,
        '--out',
        out,
        '--dump',
        dump,
    )
    assert runner.test_config(args).model.backbone.init_cfg is None
    metrics = runner.test(args)

    assert json.loads(out.read_text()) == metrics
    errors = [prediction['error'] for prediction in pickle.loads(dump.read_bytes())]
    assert metrics['count'] == len(errors) == SAMPLES
    assert metrics['mean'] == pytest.approx(sum(errors) / SAMPLES)


def test_a_checkpoint_of_averaged_weights_is_tested_as_it_is(tmp_path):
    # With its hook at the test as well, MMEngine would exchange the average with a copy of its own,
    # whose layers another hook may have fused since.
    averaging = "custom_hooks = [dict(type='EMAHook', momentum=0.5, begin_iter=0)]"
    train(tmp_path, extra=averaging)
    saved = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)
    averaged, last = (saved[name] for name in ('state_dict', 'ema_state_dict'))
    assert not torch.equal(averaged['head.weight'], last['module.head.weight'])

    args = parse('test', write_config(tmp_path, averaging), tmp_path / 'epoch_3.pth')
    assert [hook.type for hook in runner.test_config(args).custom_hooks] == []
    toy = Toy(dict(type='ToyBackbone'))
    toy.load_state_dict(averaged)
    items = map(ToyDataset().__getitem__, range(SAMPLES))
    errors = [
        toy(**item, mode='predict')[0]['error']
        for item in [{name: value[None] for name, value in item.items()} for item in items]
    ]
    assert runner.test(args)['mean'] == pytest.approx(sum(errors) / SAMPLES)


def test_a_checkpoint_tells_how_little_it_was_trained(tmp_path, trained):
    options = write_config(tmp_path, PRETRAINED), trained / 'epoch_3.pth', '--work-dir', tmp_path
    runner.test(parse('test', *options))
    told = MessageHub.get_current_instance().get_info(BEFORE_TEST)
    assert told == 18  # three epochs of six batches


def test_test_keeps_the_config_of_the_training(tmp_path, trained):
    config = write_config(tmp_path, PRETRAINED)
    copy = tmp_path / 'work' / Path(config).name
    copy.parent.mkdir()
    copy.write_text('# left by the training')
    runner.test(parse('test', config, trained / 'epoch_3.pth', '--work-dir', copy.parent))
    assert copy.read_text() == '# left by the training'
    assert copy.with_name(f'test_{copy.name}').is_file()
