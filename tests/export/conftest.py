"""A model, and the files that are written of it."""

from pinet_mm import api
from pinet_mm.export import graph as export

import pytest

from tests.helpers.exports import run_tool, write_model


@pytest.fixture(scope='module', params=['paper', pytest.param('release', marks=pytest.mark.slow)])
def exported(request, tmp_path_factory):
    """A model, and the folder of the file that was written of it, one of them by the tool."""
    folder = tmp_path_factory.mktemp(request.param)
    write_model(folder, request.param)
    model = api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
    if request.param == 'release':
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
    return model, folder


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    write_model(folder, 'paper')
    return api.load(folder / 'config.py', folder / 'weights.pth', 'cpu')
