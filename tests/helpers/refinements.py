"""Small refinement networks with random parameters, and their inputs."""

from pinet_mm.method.refinement import (
    PoseRefinement,
)

import torch

EDGES = [(0, 1), (0, 2), (0, 3), (0, 4)]
C, K, H, W = 6, 5, 7, 9


def shake(module):
    """Give every parameter and statistic a random value, so that none can be forgotten."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for name, buffer in module.named_buffers():
            if name.endswith('running_mean'):
                buffer.normal_(0, 0.3)
            elif name.endswith('running_var'):
                buffer.uniform_(0.5, 2)
    return module


def make_net(num_layers=2, train=False):
    net = shake(PoseRefinement(C, K, EDGES, num_layers))
    return net.double().train(train)


def make_inputs(b=2, t=4):
    """Features, poses of which some leave the map, integer centers."""
    features = torch.randn(b, C, H, W, dtype=torch.float64)
    poses = torch.rand(b, t, K, 2, dtype=torch.float64) * torch.tensor([W + 3, H + 3]) - 2
    centers = torch.stack((torch.randint(W, (b, t)), torch.randint(H, (b, t))), dim=-1)
    return features, poses, centers
