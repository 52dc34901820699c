"""Layouts of checkpoint files, and state dicts compared."""

import numpy as np
import torch


def prefixed(weights):
    return {f'module.{key}': value for key, value in weights.items()}


LAYOUTS = dict(
    training=lambda weights: dict(
        epoch=139,
        model='pinet',
        perf=np.float64(0.67),
        optimizer=dict(state={}),
        state_dict=prefixed(weights),
        best_state_dict={key: torch.zeros_like(value) for key, value in weights.items()},
    ),
    state=lambda weights: dict(state_dict=weights),
    best=lambda weights: dict(epoch=139, best_state_dict=prefixed(weights)),
    bare=dict,
    bare_prefixed=prefixed,
    mmengine=lambda weights: dict(meta=dict(epoch=139, iter=5), state_dict=weights),
)


def assert_same(found, wanted):
    """Same keys, and the same bits in every array."""
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key].dtype == value.dtype and found[key].shape == value.shape, key
        assert found[key].numpy().tobytes() == value.numpy().tobytes(), key
