"""compat: each fix where it is needed, and nothing where it is not."""

import io
import os
import pickle
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from types import ModuleType

from pinet_mm.environment import compat

import numpy as np
import pytest
import torch
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer

COMPAT = Path(compat.__file__)
LOAD_COMPAT = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location('compat', {str(COMPAT)!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
"""


def run_script(script, *options, path=''):
    """Run a script that has `compat`, but not the package, in a fresh interpreter."""
    code = LOAD_COMPAT + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, *options, '-c', code],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(path)},
    )


def run_bare(script, packages):
    """Run a script in an interpreter that sees just these packages, each one a source text."""
    return run_script(script, '-S', path=packages)


@pytest.fixture
def packages(tmp_path):
    """Return a function that writes packages of one source text each; '' is an empty one."""

    def write(**sources):
        for name, source in sources.items():
            folder = tmp_path / name
            folder.mkdir()
            (folder / '__init__.py').write_text(textwrap.dedent(source))
        return tmp_path

    return write


def reload(content, rename=(b'', b'')):
    """Save and load with `weights_only`, after renaming what the pickle refers to."""
    saved, renamed = io.BytesIO(), io.BytesIO()
    torch.save(content, saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(renamed, 'w') as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(*rename))
    renamed.seek(0)
    return torch.load(renamed, weights_only=True)


# --- all of it -----------------------------------------------------------------------------------


def test_mmpose_imports_in_a_fresh_interpreter():
    done = run_script("""
        compat.apply()
        import mmpose.apis, mmpose.models, mmpose.datasets, mmdet.models
        print('imported')
        """)
    assert done.stdout == 'imported\n', done.stderr


def test_nothing_happens_where_no_package_is_installed(tmp_path):
    done = run_bare('compat.apply(); print([n for n in sys.modules if "mm" in n])', tmp_path)
    assert done.stdout == '[]\n', done.stderr


def test_second_call_changes_nothing():
    from mmengine.config import config
    from mmpose.visualization.opencv_backend_visualizer import OpencvBackendVisualizer

    def patched():
        return (
            sys.modules['xtcocotools._mask'],
            sys.modules.get('mmcv._ext'),
            torch.cuda.set_device,
            OpencvBackendVisualizer.draw_circles,
            config._get_package_and_cfg_path,
            set(torch.serialization.get_safe_globals()),
        )

    before = patched()
    compat.apply()
    assert patched() == before


# --- setuptools ----------------------------------------------------------------------------------


def test_missing_pkg_resources_names_the_remedy(packages):
    done = run_bare('compat.apply()', packages(mmengine=''))
    assert "ImportError: mmengine imports 'pkg_resources'" in done.stderr
    assert 'pip install "setuptools<82"' in done.stderr


# --- xtcocotools ---------------------------------------------------------------------------------


def test_xtcocotools_decodes_masks():
    from xtcocotools import mask

    picture = np.asfortranarray(np.eye(5, dtype=np.uint8))
    np.testing.assert_array_equal(mask.decode(mask.encode(picture)), picture)
    assert sys.modules['xtcocotools._mask'] is sys.modules['pycocotools._mask']


def test_masks_are_repaired_where_xtcocotools_came_first(monkeypatch):
    early = ModuleType('xtcocotools.mask')
    monkeypatch.setitem(sys.modules, 'xtcocotools.mask', early)
    compat.use_pycocotools_masks()
    compiled = sys.modules['pycocotools._mask']
    assert early._mask is compiled
    assert (early.iou, early.merge) == (compiled.iou, compiled.merge)
    assert early.frPyObjects == compiled.frPyObjects


# --- mmcv ----------------------------------------------------------------------------------------


@pytest.mark.skipif(compat.mmcv_has_operators(), reason='the full mmcv is installed')
def test_missing_operator_says_what_to_install():
    from mmcv.ops import nms
    from mmengine.utils.dl_utils import mmcv_full_available

    with pytest.raises(
        RuntimeError,
        match="'nms' is part of mmcv's compiled code, which mmcv-lite "
        'does not have: uninstall mmcv-lite and install the full package',
    ):
        nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), iou_threshold=0.5)
    assert not mmcv_full_available()


def test_full_mmcv_is_left_alone(packages):
    folder = packages(mmcv='')
    (folder / 'mmcv' / '_ext.py').write_text('origin = "compiled"')
    done = run_bare(
        """
        compat.stub_mmcv_operators()
        import mmcv._ext
        print(mmcv._ext.origin)
        """,
        folder,
    )
    assert done.stdout == 'compiled\n', done.stderr


# --- torchvision ---------------------------------------------------------------------------------


def test_torchvision_imports_and_its_operators_tell_the_truth():
    import torchvision
    from torchvision.transforms import ToPILImage

    assert ToPILImage()(torch.zeros(3, 2, 4)).size == (4, 2)
    if not torchvision.extension._has_ops():
        with pytest.raises(RuntimeError, match="Couldn't load custom C\\+\\+ ops"):
            torchvision.ops.nms(torch.zeros(1, 4), torch.ones(1), 0.5)


def test_working_torchvision_is_imported_once(packages):
    folder = packages(torch='', torchvision='print("imported")')
    done = run_bare('compat.declare_torchvision_operators()', folder)
    assert (done.stdout, done.stderr) == ('imported\n', '')


def test_other_errors_of_torchvision_are_not_hidden(packages):
    folder = packages(torch='', torchvision='raise RuntimeError("different CUDA versions")')
    done = run_bare('compat.declare_torchvision_operators()', folder)
    assert done.stderr.endswith('RuntimeError: different CUDA versions\n')


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize('core', [b'numpy._core', b'numpy.core'])
def test_mmengine_checkpoint_is_read(core):
    arrays = {code: np.ones(3, code) for code in ('u1', 'u4', 'i4', 'i8', 'f4', 'f8', '?')}
    arrays['empty'] = np.zeros((0, 3), 'u1')  # the links' colors of a dataset without skeleton
    saved = {'loss': HistoryBuffer([1.0, 2.0], [1, 1]), 'seed': np.float64(7), **arrays}
    loaded = reload(saved, rename=(b'numpy._core', core))
    assert loaded['loss'].mean() == 1.5 and loaded['seed'] == 7
    for code, array in arrays.items():
        np.testing.assert_array_equal(loaded[code], array, strict=True)


class Call:
    """Pickle as the call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_checkpoint_cannot_run_code():
    with pytest.raises(pickle.UnpicklingError, match='Unsupported global: GLOBAL eval'):
        reload({'x': Call(eval, '1 + 1')})


def test_checkpoint_cannot_reach_other_attributes():
    with pytest.raises(Exception, match='only public methods of HistoryBuffer'):
        reload({'x': Call(getattr, np.ndarray, 'tofile')})


@pytest.mark.parametrize(
    'owner, name',
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, 'mro'),
        (HistoryBuffer, '_set_default_statistics'),
        (np.ndarray, 'mean'),
    ],
)
def test_only_public_methods_of_history_buffers_are_looked_up(owner, name):
    with pytest.raises(ValueError, match=f"only public methods of HistoryBuffer, not '{name}'"):
        compat.history_buffer_method(owner, name)
    assert compat.history_buffer_method(HistoryBuffer, 'mean') is HistoryBuffer.mean


# --- CUDA ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('cuda, calls', [(True, [1]), (False, [])])
def test_set_device_is_skipped_only_without_cuda(monkeypatch, cuda, calls):
    called = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    monkeypatch.setattr(torch.cuda, 'set_device', called.append)
    compat.skip_cuda_device_without_cuda()
    torch.cuda.set_device(1)
    assert called == calls


# --- mmengine's packages -------------------------------------------------------------------------


def test_package_is_known_to_mmengine():
    from mmengine.config.config import _get_package_and_cfg_path as split

    assert MODULE2PACKAGE['pinet_mm'] == 'pinet-mm'
    assert split('pinet_mm::pinet_hrnet_coco.py') == ('pinet-mm', 'pinet_hrnet_coco.py')
    assert split('mmpose::_base_/runtime.py') == ('mmpose', '_base_/runtime.py')
    with pytest.raises(ValueError, match='specify the package name and relative config path'):
        split('mmpose::flat.py')


# --- visualization -------------------------------------------------------------------------------


@pytest.mark.parametrize('backend', ['opencv', 'matplotlib'])
def test_visualizer_draws_circles(backend):
    from mmpose.visualization import PoseLocalVisualizer

    visualizer = PoseLocalVisualizer(backend=backend)
    visualizer.set_image(np.zeros((40, 40, 3), np.uint8))
    visualizer.draw_circles(
        np.array([20.0, 10.0]),
        radius=np.array([4]),
        face_colors=(0, 200, 0),
        edge_colors=(0, 200, 0),
        alpha=1.0,
    )
    picture = visualizer.get_image()
    assert picture[10, 20].tolist() == [0, 200, 0] and picture[30, 20].tolist() == [0, 0, 0]
