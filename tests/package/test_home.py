"""What is in the user's home stays as it is: neither we nor the packages underneath write there."""

import os
import subprocess
import sys

import pytest

from tests.helpers.bad_images import encoded
from tests.helpers.tools import ROOT

pytest.importorskip('onnxruntime')
WAYS = {
    'runner': ('pinet_mm/onnx_runner.py',),
    'predict': ('-m', 'pinet_mm.cli', 'predict', '--threads', '1', '--out'),
}


@pytest.mark.parametrize('way', WAYS)
def test_an_exported_model_leaves_nothing_in_the_home(way, tmp_path):
    # ONNX Runtime from 1.31 on would keep a database of its use there, and send it.
    (tmp_path / 'image.png').write_bytes(encoded('.png'))
    home = tmp_path / 'home'
    home.mkdir()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('XDG_', 'ORT_'))  # set by this process, or leading elsewhere
    }
    out = [str(tmp_path / 'out')] if way == 'predict' else []
    subprocess.run(
        [sys.executable, *WAYS[way], *out, str(tmp_path / 'image.png')],
        cwd=ROOT,
        env={**kept, 'HOME': str(home), 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        check=True,
        capture_output=True,
    )
    assert list(home.rglob('*')) == []
