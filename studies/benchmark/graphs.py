"""CUDA graphs, of a whole prediction for one: recorded for one size of inputs, then replayed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class GraphedFinder:
    """Replay a function on tensors of the same shapes; results are overwritten.

    Args:
        finder: a function of tensors on a CUDA device, such as `estimator.find_poses` of a model
            and its settings.
        *inputs: of the function.
    """

    def __init__(self, finder: Callable, *inputs: Tensor):
        self.inputs = [given.clone() for given in inputs]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        # Libraries and caches set themselves up, which a graph must not record.
        with torch.no_grad(), torch.cuda.stream(aside):
            for _ in range(3):
                finder(*self.inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.no_grad(), torch.cuda.graph(self.graph):
            self.outputs = finder(*self.inputs)

    def __call__(self, *inputs: Tensor) -> Any:
        """Compute on other inputs, and return what the function returned."""
        for own, given in zip(self.inputs, inputs):
            own.copy_(given)
        self.graph.replay()
        return self.outputs
