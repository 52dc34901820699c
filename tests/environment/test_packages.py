"""packages: what is missing or broken is stood in for, what works is left alone."""

import os
import pkgutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

from pinet_mm.environment import packages
from pinet_mm.environment.stand_ins import pkg_resources

import numpy as np
import pytest
import torch

from tests.helpers.bare import link_packages_without, run_bare, write_packages

ROOT = Path(__file__).resolve().parents[2]

# --- Python, setuptools --------------------------------------------------------------------------


def test_find_loader_is_given_back(monkeypatch):
    monkeypatch.delattr(pkgutil, 'find_loader')
    packages.restore_find_loader()
    assert pkgutil.find_loader('json').name == 'json'
    assert pkgutil.find_loader('no_such_module') is None


@pytest.mark.skipif(sys.version_info >= (3, 14), reason='there it is gone')
def test_find_loader_of_python_is_kept():
    before = pkgutil.find_loader
    packages.restore_find_loader()
    assert pkgutil.find_loader is before


def test_stand_in_reads_metadata():
    found = pkg_resources.get_distribution('numpy')
    assert found.version == metadata.version('numpy')
    assert found.location == str(Path(np.__file__).parents[1])
    assert found.has_metadata('METADATA') and not found.has_metadata('no such file')
    assert 'Name: numpy' in found.get_metadata('METADATA')
    with pytest.raises(pkg_resources.DistributionNotFound, match='absent'):
        pkg_resources.get_distribution('absent')


def test_installed_packages_come_before_stand_ins(tmp_path):
    write_packages(tmp_path, xtcocotools='origin = "installed"')
    done = run_bare(
        """
        packages.add_stand_ins()
        packages.add_stand_ins()
        import pkg_resources, xtcocotools
        print(xtcocotools.origin, pkg_resources.__file__)
        print(sys.path.count(str(packages.STAND_INS)))
        """,
        tmp_path,
    )
    assert done.stdout == f'installed {packages.STAND_INS}/pkg_resources.py\n1\n', done.stderr


def test_nothing_is_added_where_both_are_installed(tmp_path):
    write_packages(tmp_path, xtcocotools='', pkg_resources='')
    done = run_bare(
        'packages.add_stand_ins(); print(str(packages.STAND_INS) in sys.path)', tmp_path
    )
    assert done.stdout == 'False\n', done.stderr


def test_mmpose_runs_without_xtcocotools_and_pkg_resources(tmp_path):
    absent = 'xtcocotools', 'setuptools', 'pkg_resources', '_distutils', 'distutils', '__editable__'
    folder = link_packages_without(tmp_path / 'site', *absent)
    script = (
        'import pinet_mm\n'
        'from mmengine.utils import get_installed_path, is_installed\n'
        'from mmpose.evaluation.metrics import coco_metric\n'
        'import mmpose.apis\n'
        'import xtcocotools\n'
        'print(pinet_mm.PINet.__name__, xtcocotools.__file__)\n'
        "print(coco_metric.COCOeval.__module__, is_installed('numpy'), is_installed('absent'))\n"
        "print(get_installed_path('mmpose'))\n"
    )
    done = subprocess.run(
        [sys.executable, '-S', '-W', 'ignore', '-c', script],
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': f'{ROOT}:{folder}'},
    )
    assert done.stdout.splitlines() == [
        f'PINet {packages.STAND_INS}/xtcocotools/__init__.py',
        'xtcocotools.cocoeval True False',
        f'{folder}/mmpose',
    ], done.stderr


# --- xtcocotools ---------------------------------------------------------------------------------


def test_xtcocotools_decodes_masks():
    from xtcocotools import mask

    image = np.asfortranarray(np.eye(5, dtype=np.uint8))
    np.testing.assert_array_equal(mask.decode(mask.encode(image)), image)
    assert sys.modules['xtcocotools._mask'] is sys.modules['pycocotools._mask']


def test_masks_are_repaired_where_xtcocotools_came_first(monkeypatch):
    early = ModuleType('xtcocotools.mask')
    monkeypatch.setitem(sys.modules, 'xtcocotools.mask', early)
    packages.use_pycocotools_masks()
    compiled = sys.modules['pycocotools._mask']
    assert early._mask is compiled
    assert (early.iou, early.merge) == (compiled.iou, compiled.merge)
    assert early.frPyObjects == compiled.frPyObjects


# --- mmcv ----------------------------------------------------------------------------------------


@pytest.mark.skipif(packages.mmcv_has_operators(), reason='the full mmcv is installed')
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


def test_full_mmcv_is_left_alone(tmp_path):
    folder = write_packages(tmp_path, mmcv='')
    (folder / 'mmcv' / '_ext.py').write_text('origin = "compiled"')
    done = run_bare(
        """
        packages.stub_mmcv_operators()
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


def test_working_torchvision_is_imported_once(tmp_path):
    folder = write_packages(tmp_path, torch='', torchvision='print("imported")')
    done = run_bare('packages.declare_torchvision_operators()', folder)
    assert (done.stdout, done.stderr) == ('imported\n', '')


def test_other_errors_of_torchvision_are_not_hidden(tmp_path):
    folder = write_packages(
        tmp_path, torch='', torchvision='raise RuntimeError("different CUDA versions")'
    )
    done = run_bare('packages.declare_torchvision_operators()', folder)
    assert done.stderr.endswith('RuntimeError: different CUDA versions\n')
