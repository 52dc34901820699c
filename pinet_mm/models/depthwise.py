"""Faster training of depthwise convolutions on a CPU: their weights' gradient in one compiled loop.

PyTorch computes that gradient on CPUs by a path that took half of a training step of a light
network, and more in bfloat16. It is a sum of k² products of shifted maps, which `torch.compile`
turns into one loop over the maps. Shape shorthand: B images, C channels, H×W map, k kernel side.
"""

from typing import Tuple

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpose.registry import HOOKS
from timm.layers import Conv2dSame, pad_same
from torch import Tensor, nn


class _DepthwiseConv(torch.autograd.Function):
    """A depthwise convolution whose weight gradient is `weight_gradient`."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, stride: int, padding: Tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        wanted = [ctx.needs_input_grad[0], False, False]
        grad_x = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [ctx.stride] * 2, list(ctx.padding), [1, 1], False, [0, 0],
            len(weight), wanted)[0] if wanted[0] else None
        padded = F.pad(x, (ctx.padding[1], ) * 2 + (ctx.padding[0], ) * 2).contiguous(
            memory_format=torch.channels_last)
        with torch._dynamo.config.patch(recompile_limit=64):  # one loop for every shape
            grad_weight = _compiled(padded, grad, weight.shape[-1], ctx.stride)
        return grad_x, grad_weight.view_as(weight).to(weight.dtype), None, None


def weight_gradient(padded: Tensor, grad: Tensor, kernel_size: int, stride: int) -> Tensor:
    """Compute the gradient (C, k²) of a depthwise convolution's weights, in float32.

    Args:
        padded: (B, C, H_in, W_in), the convolution's input with its padding.
        grad: (B, C, H, W), the gradient of its output.
        kernel_size: k.
        stride: of the convolution.
    """
    h, w = grad.shape[-2:]
    grad = grad.float()
    shifts = [padded[:, :, i:i + stride * (h - 1) + 1:stride, j:j + stride * (w - 1) + 1:stride]
              for i in range(kernel_size) for j in range(kernel_size)]
    return torch.stack([(shift.float() * grad).sum((0, 2, 3)) for shift in shifts], dim=1)


_compiled = torch.compile(weight_gradient, dynamic=False)


class _CompiledGradientConv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and torch.is_grad_enabled() and self.weight.requires_grad):
            return super().forward(x)
        weight = self.weight
        if torch.is_autocast_enabled('cpu'):
            dtype = torch.get_autocast_dtype('cpu')
            x, weight = x.to(dtype), weight.to(dtype)
        return _DepthwiseConv.apply(x, weight, self.stride[0], self.padding)


class _CompiledGradientConv2dSame(Conv2dSame):
    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and torch.is_grad_enabled() and self.weight.requires_grad):
            return super().forward(x)
        x = pad_same(x, self.kernel_size, self.stride, self.dilation)
        return _CompiledGradientConv2d.forward(self, x)


def compile_depthwise_gradients(model: nn.Module) -> int:
    """Let every plain depthwise convolution of a model compute its gradient by `weight_gradient`.

    Parameters and their names stay. Convolutions with a bias, dilation or other forms stay as
    they are.

    Returns:
        How many there were.
    """
    faster = {nn.Conv2d: _CompiledGradientConv2d, Conv2dSame: _CompiledGradientConv2dSame}
    found = [module for module in model.modules() if type(module) in faster
             and module.groups == module.in_channels == module.out_channels > 1
             and module.bias is None and module.dilation == (1, 1)
             and module.stride[0] == module.stride[1] and isinstance(module.padding, tuple)]
    for module in found:
        module.__class__ = faster[type(module)]
    return len(found)


@HOOKS.register_module()
class CompiledDepthwiseHook(Hook):
    """Train on a CPU with `compile_depthwise_gradients`; on a GPU nothing changes."""

    def before_train(self, runner) -> None:
        """Change the model's convolutions."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if next(model.parameters()).device.type == 'cpu':
            count = compile_depthwise_gradients(model)
            runner.logger.info(f'{count} depthwise convolutions with a compiled gradient')
