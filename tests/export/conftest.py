"""Models, and the files that are written of them."""

import os
from functools import partial
from pathlib import Path

from pinet_mm import api
from pinet_mm.export import graph as export

import pytest
from filelock import FileLock

from tests.helpers.exports import run_tool, write_light, write_model


def _shared(tmp_path_factory, name, write):
    """Folder NAME, in which `write` has written pinet.onnx.

    Writing takes half a minute: all workers of a run share the file that the first one wrote.
    """
    root = tmp_path_factory.getbasetemp()
    root = root.parent if 'PYTEST_XDIST_WORKER' in os.environ else root
    folder = root / name
    with FileLock(f'{folder}.lock'):
        if not (folder / 'pinet.onnx').exists():
            folder.mkdir(exist_ok=True)
            write(folder)
    return folder


@pytest.fixture(scope='module', params=['paper', pytest.param('release', marks=pytest.mark.slow)])
def exported(request, tmp_path_factory):
    """A model, and the folder of the file that was written of it, one of them by the tool."""
    write = partial(_write, convention=request.param)
    folder = _shared(tmp_path_factory, f'exported_{request.param}', write)
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu'), folder


def _write(folder: Path, convention: str) -> None:
    write_model(folder, convention)
    if convention == 'release':
        model = api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
        export.export_onnx(model, folder / 'pinet.onnx', opset=18)
    else:
        _run_export(folder, '--max-poses', 17, '--opset', 20, '--size', 160, 96)


def _run_export(folder: Path, *options) -> None:
    files = (folder / name for name in ('config.py', 'weights.pth', 'pinet.onnx'))
    (folder / 'said.txt').write_text(run_tool('export_onnx.py', *files, *options))


@pytest.fixture(scope='session')
def light(tmp_path_factory):
    """Folder of a light model with a score, and its file: two scales, weights in half size."""

    def write(folder):
        write_light(folder)
        _run_export(folder, '--half-weights')

    return _shared(tmp_path_factory, 'light', write)


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    write_model(folder, 'paper')
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
