"""Which weights a run starts from, and what is said if they are missing or do not fit."""

from pinet_mm import runner
from pinet_mm.runner.weights import fetch

import pytest
import torch
from torch import nn

from tests.helpers.tools import run_tool
from tests.helpers.toy_runs import NOWHERE, PRETRAINED, parse, train, weights, write_config


def test_unreachable_pretrained_weights_are_explained(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    message = run_tool(
        monkeypatch, 'train', write_config(tmp_path, PRETRAINED), '--work-dir', tmp_path
    )
    assert message.startswith(f'error: the pretrained weights {NOWHERE} of model.backbone ')
    assert 'Connection refused' in message
    assert '--cfg-options model.backbone.init_cfg.checkpoint=/path/to/hrnet_w32.pth' in message
    assert '--cfg-options model.backbone.init_cfg=None' in message
    assert '\n' not in message


def test_damaged_pretrained_weights_are_explained(tmp_path):
    path = tmp_path / 'weights.pth'
    path.write_text('<html>login</html>')
    with pytest.raises(runner.RunError, match=f'{path} of model.backbone could not be') as error:
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
    assert message.startswith(f'error: the checkpoint {NOWHERE} could not be had')


@pytest.mark.parametrize(
    'content, reason',
    [
        (b'<html>login</html>', 'Weights only load failed'),
        (b'', 'EOFError'),
        (b'PK\x03\x04aaaa', 'PytorchStreamReader failed reading zip archive: not a ZIP archive'),
    ],
)
def test_the_reason_is_given_without_torchs_advice(content, reason, tmp_path):
    path = tmp_path / 'damaged.pth'
    path.write_bytes(content)
    with pytest.raises(runner.RunError) as error:
        fetch(str(path), 'the checkpoint', 'is it whole?')
    assert str(error.value) == f'the checkpoint could not be had ({reason}): is it whole?'


def test_checkpoint_of_another_model_is_refused(tmp_path):
    torch.save(
        {'state_dict': {'module.backbone.linear.weight': torch.zeros(4, 3)}}, tmp_path / 'other.pth'
    )
    with pytest.raises(runner.RunError, match='lacks 5 of the 6 weights .* backbone.linear.bias'):
        runner.test(
            parse('test', write_config(tmp_path), tmp_path / 'other.pth', '--work-dir', tmp_path)
        )


def test_weights_of_another_shape_are_refused():
    model = nn.Linear(2, 3)
    runner.weights.require_all_weights(model, nn.Linear(2, 3).state_dict(), 'good.pth')
    with pytest.raises(runner.RunError, match=r'weight has the shape \(3, 1\), the model \(3, 2\)'):
        runner.weights.require_all_weights(model, nn.Linear(1, 3).state_dict(), 'other.pth')
