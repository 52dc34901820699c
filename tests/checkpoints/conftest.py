"""The release's narrow networks, and the tool that converts them."""

import sys

import numpy as np
import pytest
import torch

from tests.helpers import golden_arrays
from tests.helpers.narrow import SIZES
from tests.helpers.served import address_of, serve
from tests.helpers.tools import load_tool


@pytest.fixture(scope='module')
def weights():
    """State dicts of the release's narrow networks, by dataset."""
    states = {}
    for dataset in SIZES:
        arrays = golden_arrays.load(golden_arrays.COMPACT, 'network', dataset)
        state = {
            name.removeprefix('sd/'): torch.from_numpy(np.array(value))
            for name, value in arrays.items()
            if name.startswith('sd/')
        }
        states[dataset] = {
            key: value.long() if key.endswith('num_batches_tracked') else value
            for key, value in state.items()
        }
    return states


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run the tool in this process: what it printed."""
    tool = load_tool('convert_checkpoint')

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['convert_checkpoint', *map(str, arguments)])
        tool.main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def url(tmp_path, monkeypatch):
    """Address of a folder that this process serves, and torch's cache beside it."""
    (tmp_path / 'served').mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    with serve(tmp_path / 'served') as server:
        yield address_of(server)
        server.shutdown()
