"""A finished training, and a process that stays clean."""

import sys

import pytest

from tests.helpers.clean import leaving_nothing
from tests.helpers.toy_runs import Toy, train


@pytest.fixture(autouse=True)
def clean_process(monkeypatch):
    """Keep what the tools set in this process from reaching other tests."""
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(Toy, 'kill_at', None)
    with leaving_nothing():
        yield


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """A finished training: its work folder with epoch_3.pth."""
    folder = tmp_path_factory.mktemp('trained')
    train(folder, extra='default_hooks = dict(checkpoint=dict(interval=1))')
    return folder
