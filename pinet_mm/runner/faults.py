"""Losses and gradients that are not finite: the training stops, or skips the batch."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ..environment.printing import one_line
from ..errors import RunError

MOST_IN_A_ROW = 20  # skipped batches; after more of them the network itself must be broken


@HOOKS.register_module()
class FiniteGuard(Hook):
    """Stop a training whose loss or gradients are not finite, before anything is saved.

    Gradients are checked before each step of the optimizer, which is skipped if they are not
    finite. Under float16, whose scaled losses overflow now and then, MMEngine's scaler does that.

    Args:
        skip: skip such batches and count them, instead of stopping.
    """

    priority = 'VERY_HIGH'  # before the hook that saves

    def __init__(self, skip: bool = False):
        self.skip, self.in_a_row = skip, 0
        self._bad_gradients = False

    def before_train(self, runner: Runner) -> None:
        """Check the gradients before each step from now on."""
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapper) or hasattr(wrapper, 'loss_scaler'):
            return
        step = wrapper.step

        @functools.wraps(step)  # with its marks, by which schedulers know an optimizer's step
        def step_if_finite(**options: Any) -> None:
            if gradients_are_finite(wrapper):
                step(**options)
            else:
                self._bad_gradients = True

        wrapper.step = step_if_finite

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop at a batch that is not finite, or count it.

        Args:
            runner: of the training.
            batch_idx: number of the batch in its epoch.
            data_batch: the batch.
            outputs: the losses by name.

        Raises:
            RunError: a loss or gradient is not finite, and `skip` is off or did not help.
        """
        broken = [
            f'{name} is {value}'
            for name, value in losses_of(outputs or {}).items()
            if not math.isfinite(value)
        ]
        if not broken and not self._bad_gradients:
            self.in_a_row = 0
            return
        self._bad_gradients = False
        what = ', '.join(broken) or 'the gradients are not finite'
        said = (
            f'iteration {runner.iter + 1}, epoch {runner.epoch + 1}: {what}; images of the batch: '
        )
        said += ', '.join(images_of(data_batch)) or 'unknown'
        self.in_a_row += 1
        if not self.skip or self.in_a_row > MOST_IN_A_ROW:
            raise RunError(
                f'{said}. Nothing of this iteration was saved, earlier checkpoints are intact: '
                'look at these images, lower the learning rate, or skip such batches with '
                '--skip-bad-batches'
            )
        count = runner.message_hub.runtime_info.get('skipped_batches', 0) + 1
        runner.message_hub.update_info('skipped_batches', count)
        print_log(one_line(f'{said}. Batch skipped, {count} so far'), 'current')

    def after_train(self, runner: Runner) -> None:
        """Log how many batches were skipped."""
        count = runner.message_hub.runtime_info.get('skipped_batches', 0)
        if count:
            print_log(
                f'{count} batches with non-finite losses or gradients were skipped', 'current'
            )


def gradients_are_finite(wrapper: OptimWrapper) -> bool:
    """Return whether all gradients that an optimizer is about to use are finite."""
    gradients = [
        parameter.grad
        for group in wrapper.param_groups
        for parameter in group['params']
        if parameter.grad is not None
    ]
    largest = [gradient.abs().max().float() for gradient in gradients if gradient.numel()]
    # One number, so that a GPU is waited for once.
    return not largest or bool(torch.stack(largest).isfinite().all())


def losses_of(outputs: Mapping[str, Any]) -> dict[str, float]:
    """Return the losses among what a step gave, as numbers."""
    return {
        name: float(torch.as_tensor(value).detach())  # with a gradient, torch warns
        for name, value in outputs.items()
        if name.startswith('loss')
    }


def images_of(batch: Any) -> Sequence[str]:
    """Return the paths of the images of a batch, or their ids; none if the batch has neither."""
    samples = batch.get('data_samples', []) if isinstance(batch, Mapping) else []
    metas = [getattr(sample, 'metainfo', {}) for sample in samples]
    return [str(meta.get('img_path') or meta.get('img_id', 'unknown')) for meta in metas]
