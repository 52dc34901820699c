"""The wheel holds what mim and users need, as it is in the checkout; the metadata agree."""

import configparser
import json
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
import yaml
from packaging.requirements import Requirement

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


@pytest.fixture(scope='session')
def model_index():
    return yaml.safe_load((ROOT / 'model-index.yml').read_text())


@pytest.fixture(scope='session')
def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / 'setup.cfg')
    return parser


# --- the wheel -----------------------------------------------------------------------------------


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
    assert tools == {'ablation.py', 'benchmark.py', 'gpu_check.py'}
    assert [name for name in contents if 'studies' in name or Path(name).name in tools] == []


def test_wheel_declares_the_command(contents):
    parser = configparser.ConfigParser()
    parser.read_string(contents[f'{INFO}entry_points.txt'].decode())
    assert dict(parser['console_scripts']) == dict(pinet='pinet_mm.cli:main')


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


@pytest.mark.parametrize('script', ['bin/pinet', 'pinet_mm/.mim/tools/train.py'])
def test_installed_commands_run_the_installed_package(site, script):
    words = ['infer'] if script == 'bin/pinet' else []
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-v', site / script, *words, '--help'],
        cwd=site.parent,
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(site)},
    )
    name = 'pinet infer' if words else 'train.py'
    assert done.stdout.startswith(f'usage: {name} [-h]'), done.stderr
    (file,) = re.findall(r"^# code object from '(.*pinet_mm/cli/__init__.py)'", done.stderr, re.M)
    assert Path(file) == site / 'pinet_mm' / 'cli' / '__init__.py'


def test_installed_wheel_serves_mim_and_mmengine(site, tmp_path):
    (tmp_path / 'leaf.py').write_text("_base_ = 'pinet_mm::pinet_hrnet_crowdpose.py'\n")
    script = (
        'import sys\n'
        'from mim.commands.search import get_model_info\n'
        'from mmengine.config import Config\n'
        # This spares the test the import of MMPose.
        f"sys.path.insert(0, '{site}/pinet_mm/environment')\n"
        'import compat\n'
        'compat.announce_package_to_mmengine()\n'
        "print(get_model_info('pinet_mm').index.tolist())\n"
        "print(Config.fromfile('leaf.py', import_custom_modules=False).model.type)\n"
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
        'PINet',
    ], done.stderr


# --- the metadata --------------------------------------------------------------------------------


def test_model_index_names_configs_of_the_checkout(model_index):
    names = [model['Name'] for model in model_index['Models']]
    assert len(set(names)) == len(names) == 5
    for model in model_index['Models']:
        assert model['Config'] == f'configs/{model["Name"]}.py'
        assert (ROOT / model['Config']).is_file()


def test_model_index_claims_no_result_as_ours_but_those_of_the_shipped_weights(model_index):
    *published, drawn, photos = model_index['Models']
    for model in published:
        assert model['Metadata']['Results From'] == 'paper, published by the authors'
        assert 'Weights' not in model and 'Weights License' not in model['Metadata']
    shipped = (ROOT / 'pinet_mm' / 'weights').glob('*.pth')
    assert {drawn['Name'], photos['Name']} == {file.stem for file in shipped}
    card = (ROOT / 'docs' / 'model_card.md').read_text()
    for ours in (drawn, photos):
        assert ours['Metadata']['Results From'].startswith('measured')
        metrics = ours['Results'][0]['Metrics'].values()
        assert f'| {" | ".join(f"{value:.3f}" for value in metrics)} |' in card


def test_the_terms_of_the_weights_are_the_same_wherever_they_stand(model_index):
    cards = json.loads((ROOT / 'pinet_mm' / 'weights' / 'models.json').read_text())
    table = (ROOT / 'docs' / 'model_card.md').read_text().split('\n## ')[0]
    readme = (ROOT / 'README.md').read_text()
    for model in model_index['Models'][3:]:
        terms = cards[model['Name']]['terms'].partition(',')[0]
        assert terms in ('research use', 'Apache-2.0')
        assert model['Metadata']['Weights License'].startswith(terms)
        (row,) = re.findall(rf'^\| \[`{model["Name"]}`.*$', table, re.M)
        assert row.endswith(f'| {terms} |')
        (row,) = re.findall(rf'^\| `configs/{model["Name"]}.py`.*\.pth`.*$', readme, re.M)
        assert terms in row.split('|')[-2]


@pytest.mark.parametrize(
    'name, dataset, published',
    [
        ('pinet_hrnet_crowdpose', 'CrowdPose', [0.689, 0.887, 0.747]),
        ('pinet_hrnet_ochuman', 'OCHuman', [0.598, 0.749, 0.659]),
        ('pinet_hrnet_coco', 'COCO', [0.673, 0.868, 0.740]),
    ],
)
def test_model_index_holds_the_published_accuracy(model_index, name, dataset, published):
    (model,) = (model for model in model_index['Models'] if model['Name'] == name)
    (result,) = model['Results']
    assert result['Dataset'] == model['Metadata']['Training Data'] == dataset
    assert result['Metrics'] == dict(zip(('AP', 'AP@0.5', 'AP@0.75'), published))


def test_tested_versions_are_within_the_declared_bounds(setup_cfg):
    pins = {}
    for line in (ROOT / 'requirements.txt').read_text().splitlines():
        if '==' in line:
            pin = Requirement(line)
            pins[pin.name.lower()] = next(iter(pin.specifier)).version
    extras = setup_cfg['options.extras_require']
    declared = setup_cfg['options']['install_requires'] + ''.join(
        extras[name] for name in ('export', 'mim', 'dev')
    )
    for line in filter(None, declared.splitlines()):
        if not line.startswith('#'):
            bound = Requirement(line)
            assert bound.specifier.contains(pins[bound.name.lower()]), line


def test_requirements_name_exact_versions_and_no_index():
    lines = [
        line
        for line in (ROOT / 'requirements.txt').read_text().splitlines()
        if line and not line.startswith('#')
    ]
    assert lines[0] == './third_party/chumpy'
    assert [line for line in lines[1:] if not re.fullmatch(r'[\w.-]+==[\w.]+', line)] == []


def test_citation_names_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == pinet_mm.__version__
    assert citation['license'] == 'Apache-2.0'
    assert citation['references'][0]['authors'][0]['family-names'] == 'Wang'


@pytest.mark.skipif(not shutil.which('make'), reason='needs make')
@pytest.mark.parametrize(
    'setting, prefix', [({}, r'OMP_NUM_THREADS=[1-9]\d* '), ({'OMP_NUM_THREADS': '3'}, '')]
)
def test_the_demo_takes_all_cores_unless_told_otherwise(setting, prefix):
    environment = {name: value for name, value in os.environ.items() if name != 'OMP_NUM_THREADS'}
    done = subprocess.run(
        ['make', '--dry-run', 'demo'],
        cwd=ROOT,
        env={**environment, **setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(re.findall(rf'^{prefix}\S+ tools/(?:demo|test)\.py', done.stdout, re.M)) == 2


@pytest.mark.skipif(not shutil.which('make'), reason='needs make')
@pytest.mark.parametrize('name', ['pinet_hrnet-slim_crowdsynth', 'some_model'])
def test_one_variable_names_the_demos_model_of_crowds(name):
    done = subprocess.run(
        ['make', '--dry-run', 'demo', f'CROWD_MODEL={name}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.replace('\\\n', '')
    assert re.search(rf'tools/demo\.py .*--crowd-model {name} ', said)
    assert re.search(rf'tools/test\.py configs/{name}\.py +pinet_mm/weights/{name}\.pth ', said)
    # Whatever the model was trained on, it is tested on the drawn crowd.
    crowd = 'data/crowdsynth_128/'
    for setting in (
        f'dataset.data_root={crowd}',
        'dataset.ann_file=annotations/test.json',
        f'test_evaluator.ann_file={crowd}annotations/test.json',
    ):
        assert setting in said
