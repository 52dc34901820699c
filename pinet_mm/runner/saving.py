"""Checkpoints of a training: complete and finite; old ones are kept until the new one is written.

Importing this module replaces `CheckpointHook` in all configs, and the function by which MMEngine
writes checkpoints.
"""

import glob
import numbers
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mmengine.runner.runner as of_mmengine
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as CheckpointHookOfMMEngine
from mmengine.runner import Runner, save_checkpoint
from mmpose.registry import HOOKS
from torch import nn

from ..atomic import whole_file
from ..checkpoints.fit import unwrapped
from ..errors import RunError


def save_whole(checkpoint: Any, filename: str, *args: Any, **kwargs: Any) -> None:
    """Write a checkpoint as MMEngine does, but so that a local file is either whole or untouched.

    Args:
        checkpoint: what `torch.save` takes.
        filename: path or URL.
        *args: of MMEngine's function.
        **kwargs: the same.

    Raises:
        RunError: it cannot be written, such as on a full disk.
    """
    if '://' in filename or any(each for each in (*args, *kwargs.values())):
        save_checkpoint(checkpoint, filename, *args, **kwargs)
        return
    try:
        Path(filename).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(filename) as file:
            torch.save(checkpoint, file)
    except (OSError, RuntimeError) as error:
        # torch raises a RuntimeError where the disk is full.
        raise RunError(
            f'the checkpoint {filename} could not be written '
            f'({getattr(error, "strerror", None) or str(error).splitlines()[0]}); earlier '
            'checkpoints are intact: make room and go on with --resume'
        ) from error


of_mmengine.save_checkpoint = save_whole


def find_not_finite(model: nn.Module) -> list[str]:
    """Return the names of weights and statistics that hold NaN or infinite numbers."""
    return [
        name
        for name, value in unwrapped(model).state_dict().items()
        if value.is_floating_point() and not value.isfinite().all()
    ]


class _Later:
    """A file backend that delays all removals until `remove_now`.

    Args:
        backend: the one that does all else.
    """

    def __init__(self, backend: Any):
        self.backend, self.waiting = backend, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.waiting.append((self.backend.remove, path))

    def rmtree(self, path: str) -> None:
        self.waiting.append((self.backend.rmtree, path))

    def remove_now(self, kept: set[str]) -> None:
        for remove, path in self.waiting:
            if path not in kept and (self.backend.isfile(path) or self.backend.isdir(path)):
                remove(path)


def _require_metric(name: str, metrics: dict) -> None:
    if name == 'auto':  # the first that there is
        return
    if name not in metrics:
        given = ', '.join(metrics) or 'nothing'
        raise RunError(f'save_best: the evaluation gives no {name}; it gives {given}')
    if not isinstance(metrics[name], numbers.Number | torch.Tensor | None):
        raise RunError(f'save_best: {name} must be a number; the evaluation gave {metrics[name]!r}')


@HOOKS.register_module(name='CheckpointHook', force=True)
class WholeCheckpointHook(CheckpointHookOfMMEngine):
    """Save checkpoints as MMEngine's `CheckpointHook` does, which it replaces in all configs.

    MMEngine's class removes an old checkpoint before it has written the new one, saves NaN, and
    calls a model the best that has found nobody. This one takes the same arguments; of metrics that
    should be great, it keeps what is above 0.
    """

    init_value_map = {**CheckpointHookOfMMEngine.init_value_map, 'greater': 0.0}
    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Prepare as MMEngine does; remove half-written files of trainings that were killed.

        Raises:
            RunError: `last_checkpoint` is no file.
        """
        super().before_train(runner)
        last = Path(runner.work_dir, 'last_checkpoint')
        if (last.exists() or last.is_symlink()) and not last.is_file():
            raise RunError(f'{last} must be a file, for the newest checkpoint is named there')
        if is_main_process():
            for part in glob.glob(osp.join(glob.escape(self.out_dir), '.*.pth.*.part')):
                Path(part).unlink(missing_ok=True)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._require_finite(runner)
        with self._removing_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        self._require_finite(runner)
        for name in getattr(self, 'key_indicators', None) or ():
            _require_metric(name, metrics)
        with self._removing_last():
            super()._save_best_checkpoint(runner, metrics)
        if self.save_best and not self._has_best():
            name = self.key_indicators[0]
            runner.logger.info(f'no best checkpoint yet: {name} is {metrics[name]}')

    def _has_best(self) -> bool:
        of_several = getattr(self, 'best_ckpt_path_dict', {})
        return bool(getattr(self, 'best_ckpt_path', None) or any(of_several.values()))

    def _require_finite(self, runner: Runner) -> None:
        broken = find_not_finite(runner.model)
        if broken:
            raise RunError(
                f'after iteration {runner.iter} {len(broken)} weights are not finite, such as '
                f'{broken[0]}: nothing was saved, and earlier checkpoints are intact; a lower '
                'learning rate or optim_wrapper.clip_grad may help'
            )

    @contextmanager
    def _removing_last(self) -> Iterator[None]:
        backend = self.file_backend
        later = self.file_backend = _Later(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        best = getattr(self, 'best_ckpt_path_dict', {})
        kept = {self.last_ckpt, getattr(self, 'best_ckpt_path', None), *best.values()}
        later.remove_now(kept)
