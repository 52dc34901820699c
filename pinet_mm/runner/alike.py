"""Processes of a training begin alike: with one config, as many batches, at the same iteration.

Otherwise each would wait for gradients that another never computes, or train on its images twice.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from ..errors import RunError

# Settings that may differ, by their last word: the first iteration, compared below, shows where a
# training goes on; the number of workers follows from a machine's cores.
OWN = ('load_from', 'num_workers', 'persistent_workers', 'prefetch_factor', 'resume', 'work_dir')

# Unequal where a sampler shares the images without rounding up: the process that is done first
# would leave the others waiting.
BATCHES = 'the number of batches (equal with train_dataloader.sampler.round_up=True)'


class AlikeGuard(Hook):
    """Compare the processes of a distributed training before its first iteration."""

    def before_train(self, runner: Runner) -> None:
        """Compare them; every process raises where one differs.

        Raises:
            RunError: a setting, the number of images or batches, or the first iteration differs.
        """
        found = all_gather_object(facts_of(runner))
        for rank, other in enumerate(found):
            require_same(found[0], other, rank)


def facts_of(runner: Runner) -> dict[str, str]:
    """Return what has to be the same in all processes, by what messages call it."""
    settings = _settings(runner.cfg)
    found = {key: value for key, value in settings if key.rpartition('.')[2] not in OWN}
    found['the first iteration'] = str(runner.iter)
    loader = runner.train_dataloader
    if hasattr(loader.dataset, '__len__'):
        found['the number of images'] = str(len(loader.dataset))
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            found[BATCHES] = str(len(loader))
    return found


def require_same(first: Mapping[str, str], other: Mapping[str, str], rank: int) -> None:
    """Compare what `facts_of` found in the first process and in another.

    Args:
        first: of the first process.
        other: of another.
        rank: the number of that.

    Raises:
        RunError: they differ.
    """
    for name in dict.fromkeys((*first, *other)):
        values = first.get(name, 'nothing'), other.get(name, 'nothing')
        if values[0] != values[1]:
            raise RunError(
                f'the processes of this run must begin alike, from one config and one work folder; '
                f'{name} is {values[0]} in process 0 and {values[1]} in process {rank}'
            )


def _settings(node: Any, prefix: str = '') -> Iterator[tuple[str, str]]:
    """Iterate the full names of settings and what they are.

    Leave out paths, which machines may name otherwise, and objects that show their address.
    """
    if isinstance(node, list | tuple):
        node = {str(place): each for place, each in enumerate(node)}
    if isinstance(node, Mapping | Config):
        for key, value in node.items():
            yield from _settings(value, f'{prefix}.{key}' if prefix else str(key))
    elif not any(mark in repr(node) for mark in ('/', ' at 0x')):
        yield prefix, repr(node)
