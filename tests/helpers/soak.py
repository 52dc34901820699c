"""Kill trainings of a toy network at random moments, resume them, and compare how they end.

python -m tests.helpers.soak FOLDER --kills 30 --processes 1
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from tests.helpers.toy_runs import ROOT, write_config

# Every pass takes a little while, so that a kill meets iterations, saving and validation alike.
EXTRA = """
custom_imports = dict(imports=['pinet_mm', 'tests.helpers.toy_runs', 'tests.helpers.slow_toy'])
default_hooks = dict(checkpoint=dict(
    interval=1, by_epoch=False, max_keep_ckpts=2, save_best='mean', rule='less'))
train_cfg = dict(max_epochs=3, val_interval=1)
"""
ITERATIONS = 18  # of one process
SECONDS = 9.0  # after which a whole training is nearly done
IN_ONE = 4  # kills of one training, which then ends


def command(config: str, folder: Path, processes: int) -> list[str]:
    """Return the words that train or resume."""
    tool = [str(ROOT / 'tools' / 'train.py'), config, '--work-dir', str(folder), '--resume']
    if processes == 1:
        return [sys.executable, *tool]
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    launcher = [sys.executable, '-m', 'torch.distributed.run', f'--master-port={port}']
    return [*launcher, f'--nproc-per-node={processes}', *tool, '--launcher', 'pytorch']


def run(words: list[str], log: Path, seconds: float | None = None) -> int | None:
    """Run a training; kill it and its children some seconds after its first iteration began.

    Returns:
        Its status, or None if it was killed.
    """
    note = log.with_suffix('.phase')
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', SOAK_PHASE=str(note))
    with open(log, 'wb') as file:
        process = subprocess.Popen(
            words, stdout=file, stderr=file, start_new_session=True, env=environment
        )
    try:
        while seconds is not None and process.poll() is None and not note.exists():
            time.sleep(0.05)
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def final(folder: Path, processes: int) -> dict[str, torch.Tensor]:
    """Return the weights at the end of a training."""
    count = ITERATIONS // processes
    content = torch.load(folder / f'iter_{count}.pth', weights_only=True)
    assert content['meta']['iter'] == count, content['meta']['iter']
    return content['state_dict']


def soak(folder: Path, kills: int, processes: int, seed: int = 0) -> dict:
    """Kill and resume until there were enough kills; compare each end with that of a whole run.

    Args:
        folder: to work in.
        kills: how many are wanted.
        processes: of each training.
        seed: of the moments.

    Returns:
        Counts: kills, trainings that were completed after kills, those that ended with the same
        bits, the largest difference of a weight, and what was going on when they were killed.
    """
    chance, whole = random.Random(seed), folder / 'whole'
    whole.mkdir(parents=True)
    status = run(command(write_config(whole, EXTRA), whole, processes), whole / 'log')
    assert status == 0, (whole / 'log').read_text()[-3000:]
    expected = final(whole, processes)
    found = dict(kills=0, trainings=0, same=0, largest=0.0, phases={})
    while found['kills'] < kills:
        broken = folder / f'broken_{found["trainings"]}'
        broken.mkdir()
        found['kills'] += kill_until_done(
            broken, processes, min(IN_ONE, kills - found['kills']), chance
        )
        killed_in = Counter(each.read_text() for each in folder.glob('broken_*/*.killed'))
        found['phases'] = dict(killed_in)
        ended = final(broken, processes)
        assert ended.keys() == expected.keys()
        found['trainings'] += 1
        found['same'] += all(torch.equal(ended[key], value) for key, value in expected.items())
        differences = (
            (ended[key] - value).abs().max().item()
            for key, value in expected.items()
            if value.is_floating_point()
        )
        found['largest'] = max(found['largest'], *differences)
        print(found, flush=True)
    return found


def kill_until_done(folder: Path, processes: int, most: int, chance: random.Random) -> int:
    """Train with kills at random moments until the training is complete; return their number."""
    config, count, status = write_config(folder, EXTRA), 0, None
    while status is None:
        limit = chance.uniform(0, SECONDS / processes) if count < most else None
        log = folder / f'log_{count}'
        status = run(command(config, folder, processes), log, limit)
        if status is None:
            log.with_suffix('.phase').rename(log.with_suffix('.killed'))
            count += 1
    assert status == 0, log.read_text()[-3000:]
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description='Kill trainings at random and resume them')
    parser.add_argument('folder', type=Path)
    parser.add_argument('--kills', type=int, default=30)
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    print(soak(args.folder, args.kills, args.processes, args.seed))


if __name__ == '__main__':
    main()
