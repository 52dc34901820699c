"""CUDA graphs of a whole prediction: recorded once for one input size, then replayed.

Shape shorthand: B images.
"""

from collections.abc import Callable

from pinet_mm.method.fusion import FusedPoses

import torch
from torch import Tensor


class GraphedFinder:
    """Replay a function on images of one size and number; results are overwritten.

    Args:
        finder: `estimator.find_poses` of a model on a CUDA device and its settings.
        images: (B, 3, H_in, W_in), normalized.
        image_per_map: (B, 2), see `decoding.decode`.
    """

    def __init__(self, finder: Callable, images: Tensor, image_per_map: Tensor):
        self.inputs = images.clone(), image_per_map.clone()
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

    def __call__(self, images: Tensor, image_per_map: Tensor) -> tuple[FusedPoses, Tensor | None]:
        """Find the poses of other images, as many and as large."""
        for own, given in zip(self.inputs, (images, image_per_map)):
            own.copy_(given)
        self.graph.replay()
        return self.outputs
