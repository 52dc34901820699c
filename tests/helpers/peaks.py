"""Random maps, and peaks compared."""

import pytest
import torch


def random_maps(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def approx(peaks):
    return [pytest.approx(peak, abs=1e-6) for peak in peaks]
