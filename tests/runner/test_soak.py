"""A training that is killed at random moments and resumed ends as if it had not been."""

import pytest
import torch

from tests.helpers import soak


@pytest.mark.slow
@pytest.mark.parametrize('processes', [1, 2])
def test_killed_trainings_end_with_the_same_bits(tmp_path, processes):
    found = soak.soak(tmp_path, kills=3, processes=processes)
    assert found['kills'] == 3
    if processes == 1:
        assert found['same'] == found['trainings'] and found['largest'] == 0
    else:
        assert found['largest'] < 1e-6


def test_importing_what_kills_trainings_slows_nothing_down():
    assert torch.save.__module__ == 'torch.serialization'
