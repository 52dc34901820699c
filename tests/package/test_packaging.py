"""The wheel holds what mim and users need, as it is in the checkout."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pinet_mm

import pytest

ROOT = Path(__file__).resolve().parents[2]

SOURCES = (
    'pinet_mm',
    'configs',
    'docs',
    'studies',
    'tests',
    'tools',
    'setup.py',
    'setup.cfg',
    'pyproject.toml',
    'LICENSE',
    'MANIFEST.in',
    'README.md',
    'requirements.txt',
    'model-index.yml',
)

INFO = f'pinet_mm-{pinet_mm.__version__}.dist-info/'  # of the wheel

EXPORTED = 'pinet_mm/weights/some_model.onnx'  # in the copy alone

SHIPPED = ('configs', 'tools', 'model-index.yml', 'requirements.txt')

PIP = (sys.executable, '-m', 'pip', '--disable-pip-version-check')


def list_files(path):
    """List the files of the project below a path, which may be a file itself."""
    files = [path] if path.is_file() else [file for file in path.rglob('*') if file.is_file()]
    return [file for file in files if not {'__pycache__', '.mim'} & set(file.parts)]


@pytest.fixture(scope='session')
def copy(tmp_path_factory):
    """Copy what packages are built from, for building leaves folders behind."""
    copy = tmp_path_factory.mktemp('checkout')
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        elif source.is_file():
            shutil.copy(source, copy / name)
    stale = copy / 'build' / 'lib' / 'pinet_mm' / '.mim' / 'configs' / 'renamed_since.py'
    stale.parent.mkdir(parents=True)
    stale.touch()
    (copy / EXPORTED).write_bytes(b'a graph')
    return copy


@pytest.fixture(scope='session')
def wheel(copy):
    """Build the wheel and return its path."""
    subprocess.run(
        [
            *PIP,
            'wheel',
            '--quiet',
            '--no-deps',
            '--no-build-isolation',
            '--wheel-dir',
            copy / 'dist',
            copy,
        ],
        check=True,
        capture_output=True,
    )
    return next((copy / 'dist').glob('*.whl'))


@pytest.fixture(scope='session')
def contents(wheel):
    """Map the names of the wheel's files to their bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_holds_every_module(contents):
    modules = {
        str(file.relative_to(ROOT)): file.read_bytes() for file in list_files(ROOT / 'pinet_mm')
    }
    assert {name: contents.get(name) for name in modules} == modules


def runs_studies(file):
    """Whether a tool imports studies/, which only a checkout has."""
    return file.suffix == '.py' and bool(
        re.search(r'^\s*(from|import) studies\b', file.read_text(), re.M)
    )


def test_wheel_holds_no_studies_and_no_tool_that_runs_them(contents):
    tools = {file.name for file in (ROOT / 'tools').glob('*.py') if runs_studies(file)}
    assert tools == {'ablation.py', 'benchmark.py', 'gpu_check.py', 'tracking.py'}
    installed = {f'pinet_mm/.mim/tools/{name}' for name in tools}
    assert [name for name in contents if 'studies' in name or name in installed] == []


def test_wheel_declares_the_command(contents):
    parser = configparser.ConfigParser()
    parser.read_string(contents[f'{INFO}entry_points.txt'].decode())
    assert dict(parser['console_scripts']) == {'pinet-mm': 'pinet_mm.cli:main'}


@pytest.mark.parametrize('shipped', SHIPPED)
def test_wheel_holds_what_mim_looks_for(contents, shipped):
    prefix = 'pinet_mm/.mim/'
    expected = {
        prefix + str(file.relative_to(ROOT)): file.read_bytes()
        for file in list_files(ROOT / shipped)
        if not runs_studies(file)
    }
    found = {name: data for name, data in contents.items() if name.startswith(prefix + shipped)}
    assert expected and found == expected


def test_wheel_holds_exported_models_and_the_terms_of_the_weights(contents):
    terms = (ROOT / 'pinet_mm' / 'weights' / 'LICENSE-weights').read_bytes()
    assert contents[EXPORTED] == b'a graph'
    licenses = f'{INFO}licenses/'
    # Beside the weights, and where installers and package indexes look for licenses.
    assert contents['pinet_mm/weights/LICENSE-weights'] == terms
    assert contents[f'{licenses}pinet_mm/weights/LICENSE-weights'] == terms
    metadata = contents[licenses.replace('licenses/', 'METADATA')].decode()
    assert re.findall(r'^License-File: (.*)$', metadata, re.M) == [
        'LICENSE',
        'pinet_mm/weights/LICENSE-weights',
    ]


@pytest.fixture(scope='session')
def archived(copy):
    """Build the source archive and list what it holds."""
    code = 'import setuptools.build_meta as meta; print(meta.build_sdist("sdist"))'
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=copy, check=True, text=True, capture_output=True
    )
    with tarfile.open(copy / 'sdist' / done.stdout.split()[-1]) as archive:
        return {name.partition('/')[2] for name in archive.getnames()}


def test_source_archive_holds_the_weights_and_their_terms(archived):
    weights = {str(file.relative_to(ROOT)) for file in list_files(ROOT / 'pinet_mm' / 'weights')}
    assert {EXPORTED, 'LICENSE', 'pinet_mm/weights/models.json', *weights} <= archived


@pytest.mark.parametrize('folder', ['configs', 'docs', 'studies', 'tests', 'tools'])
def test_source_archive_holds_what_its_tests_need(archived, folder):
    files = {str(file.relative_to(ROOT)) for file in list_files(ROOT / folder)}
    assert files and files <= archived


def test_wheel_holds_nothing_else(contents):
    assert {name for name in contents if not name.startswith(('pinet_mm/', INFO))} == set()
    assert f'{INFO}licenses/LICENSE' in contents
    assert [name for name in contents if '__pycache__' in name] == []


@pytest.fixture(scope='module')
def site(wheel, tmp_path_factory):
    """Install the wheel into a folder of its own."""
    site = tmp_path_factory.mktemp('installed') / 'site'
    subprocess.run(
        [*PIP, 'install', '--quiet', '--no-deps', '--target', site, wheel],
        check=True,
        capture_output=True,
    )
    return site


@pytest.mark.parametrize('script', ['bin/pinet-mm', 'pinet_mm/.mim/tools/train.py'])
def test_installed_commands_run_the_installed_package(site, script):
    words = ['infer'] if script == 'bin/pinet-mm' else []
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-v', site / script, *words, '--help'],
        cwd=site.parent,
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(site)},
    )
    name = 'pinet-mm infer' if words else 'train.py'
    assert done.stdout.startswith(f'usage: {name} [-h]'), done.stderr
    # With -v, Python names every file that it imports, source or bytecode.
    folders = set(re.findall(r"/[^\s']*/pinet_mm/cli/", done.stderr))
    assert folders == {f'{site}/pinet_mm/cli/'}


def test_installed_wheel_serves_mim_and_mmengine(site, tmp_path):
    bases = ['pinet_mm::pinet_hrnet_crowdpose.py', 'pinet_mm::_base_/pinet2.py']
    (tmp_path / 'leaf.py').write_text(f'_base_ = {bases}\nmodel = dict(head=_base_.pinet2)\n')
    script = (
        'import sys\n'
        'from mim.commands.search import get_model_info\n'
        'from mmengine.config import Config\n'
        # This spares the test the import of MMPose.
        f"sys.path.insert(0, '{site}/pinet_mm')\n"
        'from environment import compat\n'
        'compat.announce_package_to_mmengine()\n'
        "print(get_model_info('pinet_mm').index.tolist())\n"
        "config = Config.fromfile('leaf.py', import_custom_modules=False)\n"
        # A scope would name registries of a package, and this one has none.
        "print(config.model.type, '_scope_' in str(config), config.default_scope)\n"
        'print(config.model.head.refinement.num_passes)\n'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', script],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(site)},
    )
    assert done.stdout.splitlines() == [
        "['pinet_hrnet_crowdpose', 'pinet_hrnet_ochuman', 'pinet_hrnet_coco', "
        "'pinet_hrnet-slim_crowdsynth', 'pinet_lite_photos']",
        'PINet False mmpose',
        '2',
    ], done.stderr
