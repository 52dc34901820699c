"""Classes that a config can name: bfloat16 on a CPU, and a loop that resumes inside an epoch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS, OPTIM_WRAPPERS
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from ..errors import InputError


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Run forward and loss in bfloat16 on a CPU; weights and gradients stay in float32.

    bfloat16 has the exponents of float32, so that gradients need no scaling.

    Args:
        dtype: 'bfloat16', the one type that needs no scaling; it is an argument so that one
            setting, `optim_wrapper.dtype`, serves this class and mmengine's `AmpOptimWrapper`.
        **kwargs: arguments of `OptimWrapper`.

    Raises:
        ValueError: another dtype is asked for.
    """

    def __init__(self, dtype: str | torch.dtype = 'bfloat16', **kwargs):
        if dtype not in ('bfloat16', torch.bfloat16):
            raise InputError(f"dtype must be 'bfloat16' on a CPU, got {dtype!r}")
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Switch autocast on, beside what the base class does for gradient accumulation.

        Args:
            model: the model that is trained.

        Raises:
            RuntimeError: the model is not on the CPU, where this autocast would do nothing.
        """
        device = next(model.parameters()).device
        if device.type != 'cpu':
            raise RuntimeError(
                f'CPUAmpOptimWrapper trains on the CPU, but the model is on {device}: use '
                'AmpOptimWrapper, or --amp, which picks the wrapper by the device'
            )
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """Train by epochs, and resume inside an epoch from a checkpoint that was saved inside it.

    mmengine's loop would run that epoch again from its first batch and count its iterations twice,
    which moves every later step of an iteration-based schedule. The order of the images is that of
    the interrupted run if the config fixes `randomness.seed`; their augmentation is drawn again.
    Batches already seen are loaded and skipped.
    """

    def run_epoch(self) -> None:
        """Train on the batches of one epoch that come after those already counted."""
        done = self._iter - self._epoch * len(self.dataloader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, batch in enumerate(self.dataloader):
            if index >= done:
                self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
