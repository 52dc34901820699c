"""Fixtures of the benchmarks."""

import pytest

from studies.benchmark import gpu as speed
from studies.benchmark import gpu_cases
from tests.helpers.gpus import GONE, TINY
from tests.helpers.toys import build_model


@pytest.fixture(scope='module')
def tables():
    # A narrow network: a CPU without bfloat16 imitates it, ten times as slow as float32.
    with pytest.MonkeyPatch.context() as patch:
        for module in (speed, gpu_cases):
            patch.setattr(
                module, 'build_model', lambda network, device: build_model(size=(network.side,) * 2)
            )
        found = speed.bench_gpu(600, 'cpu', (GONE, TINY), (1,))
    return {table.title: table.rows for table in found}
