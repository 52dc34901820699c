"""Kill trainings of a toy network at random moments, resume them, and compare how they end.

python -m tests.helpers.soak FOLDER --kills 30 --processes 1

All trainings are forked from one process that has imported everything and computed nothing.
"""

import argparse
import multiprocessing
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections import Counter
from multiprocessing.context import ForkProcess
from pathlib import Path

from pinet_mm.cli.train import main as main_of_tool

import torch

from tests.helpers import counts
from tests.helpers.counts import Count
from tests.helpers.toy_runs import write_config

FORK = multiprocessing.get_context('fork')

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


def train(words: list[str], log: Path, environment: dict[str, str]) -> None:
    """Train in this process, which ends with the status that the tool ends with."""
    os.environ.update(environment)
    with open(log, 'ab', buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    try:
        status = main_of_tool(words)
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush(), sys.stderr.flush()
    if isinstance(status, str):
        os.write(2, status.encode())
    os._exit(status if isinstance(status, int) else int(status is not None))


def start(config: str, folder: Path, log: Path, count: int) -> list[ForkProcess]:
    """Start a training, or go on with it, in processes that have all imports behind them."""
    words = [config, '--work-dir', str(folder), '--resume']
    shared = dict(SOAK_PHASE=str(log.with_suffix('.phase')))
    if count > 1:
        words += ['--launcher', 'pytorch']
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        shared.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, WORLD_SIZE=str(count))
    processes = []
    for rank in range(count):
        own = dict(RANK=str(rank), LOCAL_RANK=str(rank)) if count > 1 else {}
        processes.append(FORK.Process(target=train, args=(words, log, {**shared, **own})))
        processes[-1].start()
    return processes


def run(
    config: str, folder: Path, log: Path, count: int, seconds: float | None = None
) -> int | None:
    """Run a training; kill its processes some seconds after its first iteration began.

    Args:
        config: of the training.
        folder: its work folder.
        log: what it says.
        count: processes.
        seconds: after which it is killed, if at all.

    Returns:
        Its status, or None if it was killed.
    """
    note, processes = log.with_suffix('.phase'), start(config, folder, log, count)
    while seconds is not None and processes[0].is_alive() and not note.exists():
        time.sleep(0.05)
    processes[0].join(seconds)
    killed = processes[0].is_alive()
    for process in processes:
        if killed:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    return None if killed else max(process.exitcode for process in processes)


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
    status = run(write_config(whole, EXTRA), whole, whole / 'log', processes)
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
        status = run(config, folder, log, processes, limit)
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
    counts.add_option(parser)
    args = parser.parse_args()
    name = 'one' if args.processes == 1 else 'two'
    if name in counts.read(args.counts):
        return
    found = soak(args.folder, args.kills, args.processes, args.seed)
    print(found)
    of = (
        f'{found["kills"]} kills: {", ".join(f"{n} {what}" for what, n in found["phases"].items())}'
    )
    counts.keep(args.counts, **{name: Count(found['trainings'], found['same'], of)})


if __name__ == '__main__':
    main()
