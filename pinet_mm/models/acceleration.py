"""Faster inference of a loaded model: half precision, compilation; docs/speed.md has figures.

`half_precision` serves training as well.
"""

import logging
from collections.abc import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..errors import InputError
from .estimator import PINet
from .norms import fuse_norms

SMALL = 64  # px, side of the image that is run to find the order of a network's layers


def half_precision(device: str | torch.device) -> torch.dtype | None:
    """Return the half precision that `torch.autocast` uses on a device.

    That is float16 on CUDA, MPS and XPU, and bfloat16 on CPUs and HPUs. It is None on a CPU for
    which oneDNN has no bfloat16, such as one with AVX2 at most: emulated products are many times
    slower than those of float32.

    Args:
        device: the device or its name.

    Raises:
        InputError: `torch.autocast` does not know such a device.
    """
    kind = torch.device(device).type
    if not torch.amp.is_autocast_available(kind):
        raise InputError(f'half precision needs a device that torch.autocast knows; found {device}')
    if kind == 'cpu':
        return torch.bfloat16 if cpu_has_bfloat16() else None
    return torch.get_autocast_dtype(kind)


def cpu_has_bfloat16() -> bool:
    """Return whether oneDNN, which computes torch's convolutions on a CPU, has bfloat16 for it."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def warn_of_no_bfloat16() -> None:
    """Warn that half precision was asked for on a CPU that has none."""
    print_log(
        'half precision (--amp) is left out: this CPU has no bfloat16 that is faster than '
        'float32, in which all is computed',
        'current',
        logging.WARNING,
    )


def accelerate(model: PINet, amp: bool | torch.dtype = False, compile: bool = False) -> PINet:
    """Prepare a model for faster inference, in place, after everything else.

    Args:
        model: on its device, with its weights. It can no longer be trained, and with `amp` its
            weights are no longer those of the checkpoint.
        amp: backbone and neck compute in half precision, after Conv-BN fusion, and so do the
            products of the refinement. All else stays in float32, since peaks, sub-pixel offsets
            and scores need the digits. On a CPU without bfloat16 Conv-BN fusion is all that is
            done, and a warning says so, see `half_precision`. `torch.float16` or `torch.bfloat16`
            in place of True selects that type.
        compile: compile `estimator.find_poses`, from normalized images to fused poses, to one
            graph; the first batch of every input size and number of images takes minutes. From the
            ninth such pair on, torch runs the code uncompiled.

    Returns:
        The same model.

    Raises:
        ValueError: the model is not a PINet, or `amp` is another type.
    """
    if not isinstance(model, PINet):
        raise InputError(f'only a PINet can be accelerated; found {type(model).__name__}')
    half = amp if isinstance(amp, torch.dtype) else None
    if half not in (None, torch.float16, torch.bfloat16) or amp not in (True, False, half):
        raise InputError(f'amp must be True, False, torch.float16 or torch.bfloat16; found {amp!r}')
    model.eval()
    if amp:
        _use_half_precision(model, half)
    if compile:
        print_log(
            'every input size and number of images is compiled once, which takes minutes', 'current'
        )
        model.compiled = True
    return model


def _use_half_precision(model: PINet, half: torch.dtype | None) -> None:
    half = half or half_precision(next(model.parameters()).device)
    if half is None:
        warn_of_no_bfloat16()
    parts = [model.backbone, *([model.neck] if model.with_neck else [])]
    size = _size_that_runs(model)
    for part in parts:
        fuse_norms(part, lambda: _compute(model, size))
    for part in parts:
        part.to(dtype=half or torch.float32, memory_format=torch.channels_last)
    model.input_dtype = half
    if model.head.refinement is not None:
        model.head.refinement.product_dtype = half


@torch.no_grad()
def _size_that_runs(model: PINet) -> tuple[int, int]:
    # Any size will do, except for networks with a fixed one. It is found before the layers are
    # traced: those that ran before a size failed would count as used twice.
    for size in ((SMALL, SMALL), model.head.codec.input_size):
        try:
            _compute(model, size)
            return size
        except (AssertionError, RuntimeError, ValueError) as error:
            reason = error
    raise reason


def _compute(model: PINet, size: tuple[int, int]) -> Sequence[torch.Tensor]:
    (w, h), like = size, next(model.backbone.parameters())
    return model.extract_feat(torch.zeros(1, 3, h, w, device=like.device, dtype=like.dtype))


@HOOKS.register_module()
class AccelerateHook(Hook):
    """Apply `accelerate` to the model of a runner, after its checkpoint is loaded.

    Only evaluation uses it, not validation during training: the weights cannot be restored.

    Args:
        amp: see `accelerate`.
        compile: see `accelerate`.
    """

    def __init__(self, amp: bool = False, compile: bool = False):
        self.amp, self.compile = amp, compile

    def before_test(self, runner: Runner) -> None:
        """Accelerate the model.

        Args:
            runner: has loaded the weights.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        accelerate(model, self.amp, self.compile)
