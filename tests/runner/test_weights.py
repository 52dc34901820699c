"""Which weights a run starts from, and what is said if they are missing or do not fit."""

from types import SimpleNamespace

from pinet_mm import runner
from pinet_mm.checkpoints import read_checkpoint
from pinet_mm.errors import CheckpointError, RunError
from pinet_mm.runner.weights import prepare_start

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers.tools import run_tool
from tests.helpers.toy_runs import NOWHERE, PRETRAINED, parse, train, weights, write_config
from tests.helpers.toys import build_in_mmpose, model_config


def test_unreachable_pretrained_weights_are_explained(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    message = run_tool(
        monkeypatch, 'train', write_config(tmp_path, PRETRAINED), '--work-dir', tmp_path
    )
    assert message.startswith(
        'error: model.backbone cannot start from its pretrained weights: the checkpoint '
        f'{NOWHERE} cannot be read: Connection refused; give a local '
    )
    assert '--cfg-options model.backbone.init_cfg.checkpoint=/path/to/hrnet_w32.pth' in message
    assert '--cfg-options model.backbone.init_cfg=None' in message
    assert '\n' not in message


def test_damaged_pretrained_weights_are_explained(tmp_path):
    path = tmp_path / 'weights.pth'
    path.write_text('<html>login</html>')
    message = f'model.backbone cannot start .*: the checkpoint {path} cannot be read: '
    with pytest.raises(CheckpointError, match=message) as error:
        train(
            tmp_path,
            '--cfg-options',
            f'model.backbone.init_cfg.checkpoint={path}',
            extra=PRETRAINED,
        )
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('start', ['local copy', 'random weights'])
def test_the_advice_helps(tmp_path, start):
    path = tmp_path / 'local.pth'
    torch.save({'linear.weight': torch.full((4, 3), 7.0), 'linear.bias': torch.zeros(4)}, path)
    option = {'local copy': f'init_cfg.checkpoint={path}', 'random weights': 'init_cfg=None'}[start]
    train(tmp_path, '--cfg-options', f'model.backbone.{option}', extra=PRETRAINED)
    mean = weights(tmp_path / 'epoch_3.pth')['backbone.linear.weight'].mean().item()
    assert mean == pytest.approx(7 if start == 'local copy' else 0.1, abs=0.3)


def test_unreachable_checkpoint_is_explained(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    message = run_tool(monkeypatch, 'test', write_config(tmp_path), NOWHERE, '--work-dir', tmp_path)
    assert message.startswith(f'error: the checkpoint {NOWHERE} cannot be read: Connection refused')


@pytest.mark.parametrize(
    'content, reason',
    [
        (
            b'<html>login</html>',
            'it is no checkpoint, or holds more than tensors, numbers and text',
        ),
        (b'', 'it is cut off'),
        (b'PK\x03\x04aaaa', 'PytorchStreamReader failed reading zip archive: not a ZIP archive'),
    ],
)
def test_the_reason_is_given_without_torchs_advice(content, reason, tmp_path):
    path = tmp_path / 'damaged.pth'
    path.write_bytes(content)
    with pytest.raises(runner.RunError) as error:
        read_checkpoint(path)
    assert str(error.value) == f'the checkpoint {path} cannot be read: {reason}'


def test_checkpoint_of_another_model_is_refused(tmp_path):
    torch.save(
        {'state_dict': {'module.backbone.linear.weight': torch.zeros(4, 3)}}, tmp_path / 'other.pth'
    )
    args = parse('test', write_config(tmp_path), tmp_path / 'other.pth', '--work-dir', tmp_path)
    with pytest.raises(CheckpointError, match='other.pth does not fit the network') as error:
        runner.test(args)
    missing = ['backbone.linear.bias', 'head.weight', 'head.bias']
    missing += ['idle.running_mean', 'idle.running_var']
    assert str(error.value).splitlines()[1:-1] == [f'  missing {key}' for key in missing]


def test_a_checkpoint_is_read_once(tmp_path, trained, monkeypatch):
    read, load = [], torch.load
    monkeypatch.setattr(torch, 'load', lambda path, **more: read.append(path) or load(path, **more))
    path = trained / 'epoch_3.pth'
    runner.test(parse('test', write_config(tmp_path), path, '--work-dir', tmp_path))
    assert read == [path]


def test_a_checkpoint_that_brings_nothing_starts_no_training(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'head.weight': torch.zeros(3, 4), 'other.weight': torch.zeros(1)}, path)
    message = (
        f'{path} holds nothing that the model can start from: none of its 2 weights has name and '
        "shape of one of the model's 7; its first is head.weight"
    )
    with pytest.raises(CheckpointError, match=message):
        train(tmp_path, '--cfg-options', f'load_from={path}')
    message = r'(?s)missing backbone.linear.weight.*head.weight has the shape \(3, 4\), expected'
    with pytest.raises(CheckpointError, match=message):
        train(tmp_path, '--resume', path)
    assert not (tmp_path / 'epoch_1.pth').exists()


def test_a_training_starts_from_what_fits_of_a_checkpoint(tmp_path, trained):
    # A head of another width on the same backbone; a learning rate of 0 keeps what was loaded.
    extra = (
        f"load_from = '{trained / 'epoch_3.pth'}'\nmodel = dict(wide=True)\n"
        'optim_wrapper = dict(optimizer=dict(lr=0.0))'
    )
    train(tmp_path, extra=extra)
    found, start = weights(tmp_path / 'epoch_3.pth'), weights(trained / 'epoch_3.pth')
    assert torch.equal(found['backbone.linear.weight'], start['backbone.linear.weight'])
    assert found['head.weight'].shape == (2, 4)


@pytest.mark.parametrize('odd', ['nan', 'inf'])
def test_weights_that_are_not_finite_are_refused(tmp_path, trained, odd):
    broken = weights(trained / 'epoch_3.pth')
    broken['head.weight'][0, 0] = float(odd)
    torch.save(broken, tmp_path / 'broken.pth')
    with pytest.raises(CheckpointError, match='head.weight holds numbers that are not finite'):
        runner.test(parse('test', write_config(tmp_path), tmp_path / 'broken.pth'))


def test_a_score_is_trained_on_a_model_whose_weights_are_all_there(tmp_path):
    config = model_config()
    config['head']['refinement'].update(score=dict(hidden=4), uncertainty=True)
    model = build_in_mmpose(MODELS, config)
    state = model.state_dict()
    late = ('head.refinement.score.', 'head.refinement.uncertainty.')
    base = {key: each for key, each in state.items() if not key.startswith(late)}
    hooks = []
    cfg = Config(dict(load_from=None))
    runner_of = SimpleNamespace(model=model, cfg=cfg, register_hook=hooks.append)
    with pytest.raises(RunError, match='trained and frozen: name its checkpoint, --cfg-options l'):
        prepare_start(runner_of)
    runner_of.cfg.load_from = str(tmp_path / 'base.pth')
    torch.save(base, runner_of.cfg.load_from)
    prepare_start(runner_of)
    # Whatever score was loaded, it is learned anew.
    score, (fresh,) = model.head.refinement.score, hooks
    torch.nn.init.ones_(score.layers[1].weight)
    score.norm.num_batches_tracked += 976
    score.norm.running_mean += 3
    fresh.before_train(runner_of)
    assert score.norm.num_batches_tracked == 0 and not score.norm.running_mean.any()
    assert score.layers[1].weight.unique().numel() > 20
    del base['head.part_branch.bias']
    torch.save(base, runner_of.cfg.load_from)
    with pytest.raises(CheckpointError, match=r'missing head\.part_branch\.bias'):
        prepare_start(runner_of)
