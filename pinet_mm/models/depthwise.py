"""Faster training of depthwise convolutions on a CPU: their weights' gradient in one compiled loop.

On CPUs, PyTorch's own code for that gradient took half of a training step of a light network, and
more in bfloat16. The gradient is a sum of k² products of shifted maps, which `torch.compile` turns
into one loop over the maps: training steps of EfficientNet-Lite1 became 1.45 times faster. Shape
shorthand: B images, C channels, H×W map, k kernel side.
"""

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .padding import ConstantSameConv2d

MOST_SHAPES = 64  # compiled loops, one for each shape of map, kernel and stride


class _DepthwiseConv(torch.autograd.Function):
    """A depthwise convolution whose weight gradient is `weight_gradient`, compiled."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, stride: int, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.ops.aten.convolution_backward(
                grad,
                x,
                weight,
                None,
                [ctx.stride] * 2,
                list(ctx.padding),
                [1, 1],
                False,
                [0, 0],
                len(weight),
                [True, False, False],
            )[0]
        padded = F.pad(x, (ctx.padding[1],) * 2 + (ctx.padding[0],) * 2).contiguous(
            memory_format=torch.channels_last
        )
        grad_weight = compiled_gradient()(padded, grad, weight.shape[-1], ctx.stride)
        return grad_x, grad_weight.view_as(weight).to(weight.dtype), None, None


def weight_gradient(padded: Tensor, grad: Tensor, kernel_size: int, stride: int) -> Tensor:
    """Compute the gradient (C, k²) of a depthwise convolution's weights, in float32.

    With y[c, h, w] = Σ weight[c, i, j] padded[c, h·stride + i, w·stride + j] it is, at (i, j), the
    sum of grad[c, h, w] padded[c, h·stride + i, w·stride + j] over images and positions.

    Args:
        padded: (B, C, H_in, W_in), the convolution's input with its padding.
        grad: (B, C, H, W), the gradient of its output.
        kernel_size: k.
        stride: of the convolution.
    """
    h, w = grad.shape[-2:]
    grad = grad.float()
    shifts = [
        padded[:, :, i : i + stride * (h - 1) + 1 : stride, j : j + stride * (w - 1) + 1 : stride]
        for i in range(kernel_size)
        for j in range(kernel_size)
    ]
    return torch.stack([(shift.float() * grad).sum((0, 2, 3)) for shift in shifts], dim=1)


@functools.cache
def compiled_gradient() -> Callable:
    """Return `weight_gradient`, compiled to one loop for every shape as soon as it is called."""
    compiled = torch.compile(weight_gradient, dynamic=False)

    def compute(*args):
        # From torch 2.7 on another name for recompile_limit.
        with torch._dynamo.config.patch(cache_size_limit=MOST_SHAPES):
            return compiled(*args)

    return compute


class _FastConv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return _convolve(self, x, self.padding) if _learns(self) else super().forward(x)


class _FastSameConv2d(ConstantSameConv2d):
    def forward(self, x: Tensor) -> Tensor:
        return _convolve(self, self.pad(x), (0, 0)) if _learns(self) else super().forward(x)


def _learns(conv: nn.Conv2d) -> bool:
    return conv.training and torch.is_grad_enabled() and conv.weight.requires_grad


def _convolve(conv: nn.Conv2d, x: Tensor, padding: tuple[int, int]) -> Tensor:
    weight = conv.weight
    if torch.is_autocast_enabled('cpu'):  # which knows PyTorch's own convolutions only
        dtype = torch.get_autocast_dtype('cpu')
        x, weight = x.to(dtype), weight.to(dtype)
    return _DepthwiseConv.apply(x, weight, conv.stride[0], padding)


def compile_depthwise_gradients(model: nn.Module) -> int:
    """Make every plain depthwise convolution compute its gradient by `weight_gradient`.

    Parameters and their names stay, and so do results outside training. Convolutions with a bias,
    dilation, another padding than zeros or another stride in each axis stay as they are.

    Args:
        model: on the CPU; it is changed in place.

    Returns:
        How many there were.
    """
    faster = {nn.Conv2d: _FastConv2d, ConstantSameConv2d: _FastSameConv2d}
    found = [module for module in model.modules() if type(module) in faster and _is_plain(module)]
    for module in found:
        module.__class__ = faster[type(module)]
    return len(found)


def _is_plain(conv: nn.Conv2d) -> bool:
    return (
        conv.groups == conv.in_channels == conv.out_channels > 1
        and conv.bias is None
        and conv.dilation == (1, 1)
        and conv.padding_mode == 'zeros'
        and conv.kernel_size[0] == conv.kernel_size[1]
        and conv.stride[0] == conv.stride[1]
        and isinstance(conv.padding, tuple)
    )


@HOOKS.register_module()
class CompiledDepthwiseHook(Hook):
    """Train on a CPU with `compile_depthwise_gradients`; on a GPU nothing changes.

    The first step compiles a loop for each shape of map, which takes about a minute. Checkpoints
    and EMA models are the same with it and without.
    """

    def before_train(self, runner: Runner) -> None:
        """Change the model's convolutions.

        Args:
            runner: that is about to train.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if next(model.parameters()).device.type != 'cpu':
            return
        if not _can_compile():
            runner.logger.warning(
                'depthwise convolutions keep their own gradient, which is '
                'slower: torch.compile found no C++ compiler that works'
            )
            return
        count = compile_depthwise_gradients(model)
        runner.logger.info(f'{count} depthwise convolutions with a compiled gradient')


def _can_compile() -> bool:
    # Takes a second to import; newer versions of torch raise a class derived from it.
    from torch._dynamo.exc import BackendCompilerFailed

    try:
        torch.compile(torch.sum)(torch.ones(2, 3))
    except BackendCompilerFailed:
        return False
    return True
