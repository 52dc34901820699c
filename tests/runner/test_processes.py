"""Trainings in processes of their own: several of them, and what a shell sees."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from tests.helpers.toy_runs import BATCH, ROOT, SAMPLES, train, weights, write_config


def shell(*words, **environment):
    """Run a command in an environment without CUDA and return the finished process."""
    path = os.pathsep.join([str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')])
    environment = dict(
        os.environ,
        PYTHONPATH=path,
        CUDA_VISIBLE_DEVICES='-1',
        OMP_NUM_THREADS='1',
        PYTHON=sys.executable,
        **environment,
    )
    environment.pop('LOCAL_RANK', None)
    return subprocess.run(
        [str(word) for word in words], env=environment, capture_output=True, text=True, timeout=300
    )


def free_port():
    """Find a port that no other run of the tests uses."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


@pytest.mark.slow
def test_two_processes_on_cpus_equal_one_with_the_double_batch(tmp_path):
    one, two = tmp_path / 'one', tmp_path / 'two'
    one.mkdir(), two.mkdir()
    train(one, '--cfg-options', f'train_dataloader.batch_size={2 * BATCH}')
    config = write_config(tmp_path)
    training = shell(
        'bash', ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', two, PORT=free_port()
    )
    assert training.returncode == 0, training.stderr
    (log,) = two.glob('*/*.log')
    assert 'Distributed launcher: pytorch' in log.read_text()
    assert training.stdout.count('training Toy on ToyBackbone') == 1
    expected, found = weights(one / 'epoch_3.pth'), weights(two / 'epoch_3.pth')
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=0, atol=1e-5)

    out = tmp_path / 'metrics.json'
    testing = shell(
        'bash',
        ROOT / 'tools/dist_test.sh',
        config,
        two / 'epoch_3.pth',
        2,
        '--work-dir',
        two,
        '--out',
        out,
        PORT=free_port(),
    )
    assert testing.returncode == 0, testing.stderr
    assert json.loads(out.read_text())['count'] == SAMPLES


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_a_plain_error_from_the_shell(tool, tmp_path):
    process = shell(
        sys.executable,
        ROOT / 'tools' / f'{tool}.py',
        'no/such.py',
        'no.pth'[: 6 * (tool == 'test')] or '--no-validate',
    )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith('error: no/such.py is no config file; ')
    assert 'Traceback' not in process.stderr


@pytest.mark.parametrize(
    'script, words', [('dist_train.sh', 'CONFIG GPUS'), ('dist_test.sh', 'CONFIG CHECKPOINT GPUS')]
)
def test_scripts_explain_themselves(script, words):
    process = shell('bash', ROOT / 'tools' / script, 'config.py')
    assert process.returncode == 2
    assert f'{script} {words}' in process.stderr


def test_scripts_pass_nodes_on_to_torchrun(tmp_path):
    fake = tmp_path / 'python'
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    environment = dict(
        os.environ, PYTHON=str(fake), NNODES='2', NODE_RANK='1', PORT='4', MASTER_ADDR='10.0.0.1'
    )
    words = subprocess.run(
        ['bash', str(ROOT / 'tools/dist_train.sh'), 'a config.py', '8', '--amp', 'x y'],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert words[2:7] == [
        '--nnodes=2',
        '--node_rank=1',
        '--nproc_per_node=8',
        '--master_addr=10.0.0.1',
        '--master_port=4',
    ]
    assert words[8:] == ['a config.py', '--launcher', 'pytorch', '--amp', 'x y']
