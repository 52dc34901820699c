"""A model, and the files that are written of it."""

import os
from pathlib import Path

from pinet_mm import api
from pinet_mm.export import graph as export

import pytest
from filelock import FileLock

from tests.helpers.exports import run_tool, write_model


@pytest.fixture(scope='module', params=['paper', pytest.param('release', marks=pytest.mark.slow)])
def exported(request, tmp_path_factory):
    """A model, and the folder of the file that was written of it, one of them by the tool."""
    # Writing takes half a minute: all workers of a run share the file that the first one wrote.
    root = tmp_path_factory.getbasetemp()
    root = root.parent if 'PYTEST_XDIST_WORKER' in os.environ else root
    folder = root / f'exported_{request.param}'
    with FileLock(f'{folder}.lock'):
        if not (folder / 'pinet.onnx').exists():
            _write(folder, request.param)
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu'), folder


def _write(folder: Path, convention: str) -> None:
    folder.mkdir(exist_ok=True)
    write_model(folder, convention)
    if convention == 'release':
        model = api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
        export.export_onnx(model, folder / 'pinet.onnx', opset=18)
    else:
        (folder / 'said.txt').write_text(
            run_tool(
                'export_onnx.py',
                folder / 'config.py',
                folder / 'weights.pth',
                folder / 'pinet.onnx',
                '--max-poses',
                17,
                '--opset',
                20,
                '--size',
                160,
                96,
            )
        )


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    write_model(folder, 'paper')
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
