"""Runs in two processes on this machine (gloo): unequal data, nobody, a process that dies or hangs.

python -m tests.helpers.two_processes FOLDER

Prints what each process found as JSON. All are forked from one that has imported everything and
computed nothing.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pinet_mm import runner

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import convert_sync_batchnorm
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from tests.helpers import toy_runs, toys
from tests.helpers.toy_runs import Toy, ToyBackbone, parse, write_config

FORK = multiprocessing.get_context('fork')
SAMPLES = 11  # images, which two processes cannot share evenly
TIMEOUT = 20  # seconds that a hanging process is waited for; a busy machine answers in less
PATIENCE = 300  # seconds, after which a test has failed
BY_TORCH = ('--launcher', 'pytorch')


def forked(function: Callable, count: int, *args: object, answering: int | None = None) -> list:
    """Return what a function returns in so many processes that know each other's address.

    Where not all are to end by themselves, `answering` says how many do.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    answers = FORK.Queue()

    def run(rank: int) -> None:
        os.environ.update(
            MASTER_ADDR='127.0.0.1', MASTER_PORT=port, RANK=str(rank), LOCAL_RANK=str(rank),
            WORLD_SIZE=str(count), CUDA_VISIBLE_DEVICES='-1',
        )  # fmt: skip
        with contextlib.redirect_stdout(sys.stderr):
            try:
                found = function(rank, *args)
            except BaseException as error:
                found = f'{type(error).__name__}: {error}'
                traceback.print_exc()
        answers.put((rank, found))
        answers.close()
        answers.join_thread()
        os._exit(0)

    processes = [FORK.Process(target=run, args=(rank,)) for rank in range(count)]
    for process in processes:
        process.start()
    try:
        found = dict(answers.get(timeout=PATIENCE) for _ in range(answering or count))
    finally:  # one that is stopped would be waited for when this process ends
        for process in processes:
            process.kill()
            process.join()
    return [found.get(rank) for rank in range(count)]


def evaluate(rank: int, folder: Path, batch: int, words: tuple[str, ...]) -> dict:
    """Evaluate on images that two processes cannot share evenly."""
    toy_runs.SAMPLES = SAMPLES
    options = (
        '--work-dir', folder / f'test_{batch}', '--cfg-options',
        f'test_dataloader.batch_size={batch}',
    )  # fmt: skip
    weights = folder / 'weights.pth'
    return runner.test(parse('test', folder / 'toy.py', weights, *options, *words))


def gradients(rank: int, counts: tuple[int, ...]) -> dict[str, float]:
    """Return the gradients' sums of a PINet where one process has an image without people."""
    model = toys.build_model('three').train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()  # statistics are of one process
    trained: torch.nn.Module = model
    if len(counts) > 1:
        distributed.init_process_group('gloo', rank=rank, world_size=len(counts))
        trained = DistributedDataParallel(model)
    codec = model.head.codec
    people = toys.people(counts[rank], codec.layout.num_keypoints, seed=1)
    image = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(counts[rank]))
    losses = trained(image, [toys.make_sample(codec, people)], mode='loss')
    sum(value for name, value in losses.items() if name.startswith('loss')).backward()
    return {
        name: float(value.grad.double().sum()) if value.grad is not None else 0.0
        for name, value in model.named_parameters()
    }


def norm_by_gloo(self, x: torch.Tensor) -> torch.Tensor:
    """Compute what SyncBatchNorm does on GPUs alone, for inputs that need no gradient."""
    if not self.training:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)
    sums = torch.stack((x.sum(dim=0), x.square().sum(dim=0), torch.full_like(x.sum(dim=0), len(x))))
    if distributed.is_initialized():
        distributed.all_reduce(sums)
    mean, square = sums[:2] / sums[2]
    return (x - mean) / (square - mean.square() + self.eps).sqrt()


def gradients_of_score(rank: int, seen: tuple[bool, ...]) -> dict[str, float]:
    """Return the gradients' sums of a score, with synchronized norms, where one sees no poses."""
    torch.manual_seed(0)
    config = toys.model_config('three')
    config['head']['refinement']['score'] = dict(hidden=4)
    model, inputs = toys.build_in_mmpose(MODELS, config), torch.randn(1, 3, 128, 128)
    toys.awaken(model.eval(), inputs)
    sample = toys.make_sample(model.head.codec, toys.people(2, 5, seed=1))
    sample.set_metainfo(dict(area=np.float32((400, 900))))
    sample.gt_instances = InstanceData(
        keypoints=toys.people(2, 5, seed=1), keypoints_visible=np.ones((2, 5), np.float32)
    )
    if not seen[rank]:
        model.head.part_branch.bias.data -= 100
    torch.nn.SyncBatchNorm.forward = norm_by_gloo
    model = convert_sync_batchnorm(model, 'torch').train()
    if len(seen) > 1:
        distributed.init_process_group('gloo', rank=rank, world_size=len(seen))
    torch.manual_seed(0)  # of dropout, and of the poses that are drawn
    model(inputs, [sample], mode='loss')['loss_score'].backward()
    grads = {name: each.grad for name, each in model.named_parameters() if each.requires_grad}
    if len(seen) > 1:  # what DistributedDataParallel does, which refuses these norms on CPUs
        for grad in grads.values():
            distributed.all_reduce(grad)
    return {name: float(grad.double().sum()) / len(seen) for name, grad in grads.items()}


def interrupted(rank: int, folder: Path, number: int) -> str:
    """Train; the second process gets a signal in its seventh iteration."""
    forward = Toy.forward

    def stopped(self, x, y, mode='tensor'):
        if rank == 1 and self.passes == 6:
            os.kill(os.getpid(), number)
        return forward(self, x, y, mode)

    Toy.forward = stopped
    runner.train(
        parse(
            'train', folder / 'toy.py', '--work-dir', folder / f'signal_{number}', *BY_TORCH,
            '--no-validate', '--cfg-options', f'env_cfg.dist_cfg.timeout={TIMEOUT}',
        )
    )  # fmt: skip
    return 'trained'


def differing(rank: int, folder: Path) -> None:
    """Train for another number of epochs in each process."""
    words = (f'train_cfg.max_epochs={1 + rank}',)
    folder /= 'differing'
    options = ('--work-dir', folder, *BY_TORCH, '--cfg-options', *words)
    runner.train(parse('train', folder.parent / 'toy.py', *options))


def uneven(rank: int, folder: Path) -> None:
    """Train on images that the sampler shares without making the shares equal."""
    toy_runs.SAMPLES = SAMPLES
    words = 'train_dataloader.batch_size=1', 'train_dataloader.sampler.round_up=False'
    options = ('--work-dir', folder / 'uneven', *BY_TORCH, '--cfg-options', *words)
    runner.train(parse('train', folder / 'toy.py', *options))


def without_gradient(rank: int, folder: Path) -> None:
    """Train a backbone that gets a gradient in the first process alone."""
    forward = ToyBackbone.forward
    if rank:
        ToyBackbone.forward = lambda self, x: forward(self, x).detach()
    options = ('--work-dir', folder / 'without_gradient', *BY_TORCH, '--no-validate')
    runner.train(parse('train', folder / 'toy.py', *options))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    Path(write_config(folder)).rename(folder / 'toy.py')
    model = Toy(dict(type='ToyBackbone'))
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'weights.pth')
    found: dict[str, object] = {}
    for batch in (2, 4):
        one = forked(evaluate, 1, folder, batch, ())
        two = forked(evaluate, 2, folder, batch, BY_TORCH)
        found[f'batch {batch}'] = [*one, *two]
    alone = [forked(lambda rank, count=count: gradients(0, (count,)), 1)[0] for count in (2, 0)]
    together = forked(gradients, 2, (2, 0))
    found['gradients'] = [*alone, *together]
    full = forked(lambda rank: gradients_of_score(0, (True,)), 1)[0]
    found['score'] = [full, *forked(gradients_of_score, 2, (True, False))]
    for name, number in dict(killed=signal.SIGKILL, hanging=signal.SIGSTOP).items():
        found[name] = forked(interrupted, 2, folder, number, answering=1)[0]
    for function in (differing, uneven, without_gradient):
        found[function.__name__] = forked(function, 2, folder)
    print(json.dumps(found))


if __name__ == '__main__':
    main()
