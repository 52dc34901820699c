"""The versions that the doctor calls tested are those that docs/platforms.md has run."""

import configparser
import json

from pinet_mm import doctor
from pinet_mm.environment import tested

import pytest
from packaging.specifiers import SpecifierSet

from tests.helpers.tools import ROOT

CELLS = json.loads((ROOT / 'docs' / 'platforms.json').read_text())
PASSED = {name: cell for name, cell in CELLS.items() if cell['status'] == 'ok'}


def test_setup_allows_the_tested_pythons():
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    allowed = SpecifierSet(setup['options']['python_requires'])
    minors = [f'3.{minor}' for minor in range(8, 20) if f'3.{minor}' in allowed]
    assert set(tested.PYTHONS) <= set(minors)


def test_the_tested_pythons_are_those_of_the_platforms_page():
    both = {
        version
        for version in (name.split()[0] for name in PASSED)
        if {f'{version} light', f'{version} train newest'} <= set(PASSED)
    }
    of_requirements = '3.11'  # what CI takes
    assert set(tested.PYTHONS) == both | {of_requirements}


def test_the_tested_versions_are_those_of_the_platforms_page():
    pins = doctor.read_tested_versions()
    found = {
        (name, version) for cell in PASSED.values() for name, version in cell['versions'].items()
    }
    also = {(name, version) for name, versions in tested.ALSO.items() for version in versions}
    assert also == {pair for pair in found if pair not in pins.items()}


@pytest.mark.parametrize(
    'found, verdict',
    [
        ('2.13.0', 'ok'),
        ('2.13.0+cpu', 'ok'),
        ('2.13.1', 'untested'),
        ('2.15.0+cu130', 'ok'),
        ('2.4.0', 'ok'),
        ('2.16.0', 'untested'),
    ],
)
def test_versions_are_compared_without_their_local_part(found, verdict):
    assert tested.judge_version('torch', found, '2.13.0') == verdict


def test_what_was_tested_is_so_for_its_package_alone():
    assert tested.judge_version('torchvision', '2.15.0', '0.28.0') == 'untested'
