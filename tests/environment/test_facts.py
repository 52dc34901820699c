"""facts: faults of an environment that imports do not show, by faked drivers and packages."""

import sys
from importlib.metadata import PackageNotFoundError

from pinet_mm.environment import facts

import pytest
import torch

from tests.helpers.bare import write_packages

DRIVER = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 2023\n'

# --- the GPU -------------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that fakes a build of torch and a driver."""

    def fake(cuda, driver, available=False):
        monkeypatch.setattr(torch.version, 'cuda', cuda)
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: available)
        monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'a GPU')
        monkeypatch.setattr(facts.shutil, 'which', lambda name: None)
        monkeypatch.setattr(facts, 'DRIVER', tmp_path / 'version')
        if driver:
            facts.DRIVER.write_text(driver)

    return fake


@pytest.mark.parametrize(
    'cuda, driver, available, found',
    [
        ('13.0', DRIVER, True, 'a GPU'),
        ('13.0', '', False, 'no'),
        (None, '', False, 'no'),
        (None, DRIVER, False, 'no: torch is a CPU build beside the NVIDIA driver 535.104.05'),
        (
            '13.0',
            DRIVER,
            False,
            'no: torch is built for CUDA 13.0, which the NVIDIA driver 535.104.05 does not '
            'support: update it, or install an older torch',
        ),
    ],
)
def test_a_cuda_build_that_finds_no_gpu_names_the_driver(machine, cuda, driver, available, found):
    machine(cuda, driver, available)
    assert facts.has_cuda() == found


def test_a_driver_without_its_file_is_found_by_its_program(machine, monkeypatch):
    machine('13.0', '')
    assert facts.find_driver() is None
    monkeypatch.setattr(facts.shutil, 'which', lambda name: f'/usr/bin/{name}')
    assert facts.find_driver() == 'installed'


# --- twins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'installed, found',
    [
        ({'opencv-python': '4.11'}, 'one'),
        (
            {'opencv-python': '4.11', 'opencv-python-headless': '5.0'},
            'two: opencv-python 4.11 and opencv-python-headless 5.0',
        ),
    ],
)
def test_two_opencvs_are_named(monkeypatch, installed, found):

    def version(name):
        if name not in installed:
            raise PackageNotFoundError
        return installed[name]

    monkeypatch.setattr(facts, 'version', version)
    assert facts.count_opencvs() == found


def test_a_second_mmpose_is_named(monkeypatch, tmp_path):
    for name in ('checkout', 'site'):
        write_packages(tmp_path / name, mmpose='')
    monkeypatch.setattr(sys, 'path', [str(tmp_path / 'site')])
    assert facts.find_mmposes() == 'one'
    sys.path.insert(0, str(tmp_path / 'checkout'))
    sys.path.append(str(tmp_path / 'site'))  # the same once more
    assert facts.find_mmposes() == f'two: {tmp_path}/checkout/mmpose hides {tmp_path}/site/mmpose'


@pytest.mark.parametrize(
    'source, found',
    [
        ('init_model = 1', 'yes'),
        ('import no_such_module', "no: ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
            'no: built for another numpy',
        ),
    ],
)
def test_an_import_of_mmpose_alone_is_tried(monkeypatch, tmp_path, source, found):
    write_packages(tmp_path, mmpose='')
    (tmp_path / 'mmpose' / 'apis.py').write_text(source)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    assert facts.imports_alone() == found


# --- compiled parts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'source, found',
    [
        (None, 'absent'),
        ('', 'yes'),
        (
            "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
            'no: built for another numpy',
        ),
        ("raise ImportError('undefined symbol')", 'no: undefined symbol'),
    ],
)
def test_xtcocotools_of_another_numpy_is_named(monkeypatch, tmp_path, source, found):
    if source is not None:
        write_packages(tmp_path, xtcocotools='')
        (tmp_path / 'xtcocotools' / '_mask.py').write_text(source)
    monkeypatch.setattr(sys, 'path', [str(tmp_path), str(facts.packages.STAND_INS)])
    assert facts.fits_xtcocotools() == found


def test_the_stand_in_for_pkg_resources_is_not_taken_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, 'path', [str(tmp_path), str(facts.packages.STAND_INS)])
    assert facts.has_pkg_resources() == 'no'
    write_packages(tmp_path, pkg_resources='')
    sys.path_importer_cache.clear()
    assert facts.has_pkg_resources() == 'yes'
