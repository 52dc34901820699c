"""Real images, by the tools themselves: a slim PINet is overfitted to them (minutes each)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, cwd):
    environment = dict(os.environ, OMP_NUM_THREADS=str(min(os.cpu_count(), 4)))
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.skipif(
    'PINET_TEST_DATA' not in os.environ,
    reason='PINET_TEST_DATA names no folder with samples/DATASET/ of photographs',
)
@pytest.mark.parametrize('dataset, wanted', [('crowdpose', 0.9), ('ochuman', 0.9), ('coco', 0.75)])
def test_a_slim_net_overfits_real_images(dataset, wanted, tmp_path):
    config = tmp_path / 'overfit.py'
    run(ROOT / 'tests' / 'helpers' / 'overfit.py', dataset, config, cwd=ROOT)
    run(
        ROOT / 'tools' / 'train.py',
        config,
        '--amp',
        '--no-validate',
        '--work-dir',
        tmp_path,
        cwd=tmp_path,
    )
    run(
        ROOT / 'tools' / 'test.py',
        config,
        tmp_path / 'iter_600.pth',
        '--work-dir',
        tmp_path,
        '--out',
        tmp_path / 'metrics.json',
        cwd=tmp_path,
    )
    assert json.loads((tmp_path / 'metrics.json').read_text())['coco/AP'] >= wanted
