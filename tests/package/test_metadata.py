"""The metadata agree: model index, versions, citation, terms, and what make passes on."""

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pinet_mm
from pinet_mm import doctor

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def model_index():
    return yaml.safe_load((ROOT / 'model-index.yml').read_text())


@pytest.fixture(scope='session')
def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / 'setup.cfg')
    return parser


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
        if '==' in line and not line.startswith('#'):
            pin = Requirement(line)
            pins[pin.name.lower()] = next(iter(pin.specifier)).version
    extras = setup_cfg['options.extras_require']
    declared = setup_cfg['options']['install_requires'] + ''.join(
        extras[name] for name in ('train', 'docs', 'dev', 'export', 'mim', 'test')
    )
    for line in filter(None, declared.splitlines()):
        if not line.startswith('#') and not line.startswith('pinet_mm['):
            bound = Requirement(line)
            assert bound.specifier.contains(pins[bound.name.lower()]), line


def test_requirements_name_exact_versions_and_nothing_of_a_place():
    lines = [
        line
        for line in (ROOT / 'requirements.txt').read_text().splitlines()
        if line and not line.startswith('#')
    ]
    marker = r'(; python_version < "3\.\d+")?'
    assert [line for line in lines if not re.fullmatch(rf'[\w.-]+==[\w.]+{marker}', line)] == []


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


def test_the_doctor_of_the_light_runtime_lists_all_that_the_package_requires():
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    lines = config['options']['install_requires'].split('\n')
    required = {Requirement(line).name for line in lines if line and not line.startswith('#')}
    listed = {name for each in doctor.LIGHT for name in each.distributions}
    assert required and required <= listed
