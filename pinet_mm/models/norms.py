"""Conv-BN fusion that follows what a network computes, rather than the order of its modules."""

from collections import Counter
from collections.abc import Callable

import torch
from mmcv.cnn.utils.fuse_conv_bn import _fuse_conv_bn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def fuse_norms(module: nn.Module, compute: Callable[[], object]) -> int:
    """Fuse batch norms with the convolutions before them, in place.

    A norm is fused if, in a pass of the network, nothing else uses the output of its convolution.
    The order of modules does not show that: with parallel branches, the module before a norm may
    be a convolution whose output is first added to others. timm's norms contain an activation,
    which stays in their place.

    Args:
        module: in evaluation mode.
        compute: runs it, on inputs of any values and size, and returns what it gives.

    Returns:
        How many norms were fused.
    """
    pairs = _conv_norm_pairs(module, compute)
    names = {norm: name for name, norm in module.named_modules()}
    for conv, norm in pairs:
        _fuse_conv_bn(conv, norm)
        parent, _, child = names[norm].rpartition('.')
        setattr(module.get_submodule(parent), child, getattr(norm, 'act', nn.Identity()))
    return len(pairs)


def _conv_norm_pairs(
    module: nn.Module, compute: Callable[[], object]
) -> list[tuple[nn.Conv2d, _BatchNorm]]:
    trace = _Trace(module)
    with torch.no_grad(), trace:
        given = compute()
    trace.note_uses(given)
    return [
        (conv, norm)
        for conv, norm, source in trace.pairs
        if trace.uses[source] == 1 and norm.affine and trace.calls[conv] == trace.calls[norm] == 1
    ]


class _Trace(TorchDispatchMode):
    # Sees every operation: which tensors convolutions return, by their id, and who uses them.

    def __init__(self, module: nn.Module):
        super().__init__()
        self.known = {
            id(each.weight): each for each in module.modules() if isinstance(each, nn.Conv2d)
        }
        self.known.update(
            (id(each.running_mean), each)
            for each in module.modules()
            if isinstance(each, _BatchNorm) and each.running_mean is not None
        )
        self.made, self.pairs, self.uses, self.calls = {}, [], Counter(), Counter()

    def note_uses(self, values) -> list[int]:
        """Count the uses of every convolution's result among tensors; return all ids."""
        taken = [id(each) for each in tree_leaves(values) if isinstance(each, Tensor)]
        self.uses.update(each for each in taken if each in self.made)
        return taken

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        taken = self.note_uses((args, kwargs))
        for layer in (self.known[each] for each in taken if each in self.known):
            self.calls[layer] += 1
            if isinstance(layer, nn.Conv2d):
                self.made[id(result)] = layer, result  # kept alive, so that its id is not reused
            elif taken[0] in self.made:
                self.pairs.append((self.made[taken[0]][0], layer, taken[0]))
        return result
