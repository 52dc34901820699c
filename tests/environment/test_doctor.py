"""doctor: its findings, how it judges and prints them, and with which exit status."""

import sys

from pinet_mm import doctor
from pinet_mm.doctor import Dependency, Finding
from pinet_mm.environment import compat, installing

import pytest

from tests.helpers.bare import line_of

PINS = {'numpy': '2.4.6', 'mmcv-lite': '2.1.0', 'setuptools': '80.10.2'}

# --- versions ------------------------------------------------------------------------------------


def test_pins_are_read_from_requirements():
    text = '# numpy==1.0\nMMCV_lite==2.1.0; python_version < "3.12"\n\nsix==1.17.0  # why\n'
    assert doctor.parse_pins(text) == {'mmcv-lite': '2.1.0', 'six': '1.17.0'}


def test_every_dependency_has_a_tested_version():
    pins = doctor.read_tested_versions()
    assert pins['mmpose'] == '1.3.2'
    for dependency in doctor.REQUIRED:
        assert any(name in pins for name in dependency.distributions), dependency
    assert set(doctor.OPTIONAL) <= set(pins)


def test_untested_python_is_named(monkeypatch):
    monkeypatch.setattr(doctor.platform, 'python_version', lambda: '3.14.1')
    tested = '3.10, 3.11, 3.12, 3.13'
    assert doctor.examine_python() == Finding('Python', '3.14.1', tested, 'untested')


# --- dependencies --------------------------------------------------------------------------------


def test_missing_dependency_names_the_pinned_distribution():
    absent = Dependency('absent', ('absent-full', 'mmcv-lite-absent'))
    finding = doctor.examine_dependency(absent, {'mmcv-lite-absent': '2.1.0'})
    assert finding == Finding(
        'mmcv-lite-absent', '-', '2.1.0', 'missing', 'pip install "mmcv-lite-absent==2.1.0"'
    )


def test_mmpose_is_installed_without_what_does_not_build():
    absent = Dependency('absent', ('mmpose',))
    finding = doctor.examine_dependency(absent, {'mmpose': '9.9'})
    assert finding.remedy.rpartition('; ')[2] == 'pinet-mm install-mmpose'


def test_dependency_that_does_not_import_is_broken(monkeypatch):
    monkeypatch.setattr(doctor.metadata, 'version', lambda name: '1.0')
    finding = doctor.examine_dependency(Dependency('no_such_module', ('numpy',)), PINS)
    assert finding.verdict == 'broken'
    assert finding.remedy == (
        'ModuleNotFoundError: No module named \'no_such_module\'; pip install "numpy==2.4.6"'
    )


def test_optional_package_may_be_absent():
    assert doctor.examine_optional('absent', {'absent': '1.0'}).verdict == 'optional'


# --- checks --------------------------------------------------------------------------------------


def test_failing_check_gives_the_first_cause():

    def check():
        try:
            raise OSError('libfoo.so is missing\nand more')
        except OSError as error:
            raise ImportError('Failed to import foo.') from error

    finding = doctor.examine('foo', check, lambda: 'pip install foo')
    assert finding.verdict == 'broken'
    assert finding.remedy == 'OSError: libfoo.so is missing; pip install foo'


def fails():
    raise ValueError('no')


@pytest.mark.parametrize(
    'missing, commands',
    [
        ([], "pip install 'pinet_mm[train]'"),
        (['mmpose'], 'pinet-mm install-mmpose'),
        (['torch', 'mmpose'], "pip install 'pinet_mm[train]' && pinet-mm install-mmpose"),
    ],
)
def test_a_failing_check_names_commands_that_an_installed_package_can_run(
    missing, commands, tmp_path, monkeypatch
):
    monkeypatch.setattr(installing, 'ROOT', tmp_path)  # no checkout, no requirements.txt
    monkeypatch.setattr(installing, '_origin', lambda: '')
    monkeypatch.setattr(installing, 'missing_packages', lambda: missing)
    assert doctor.examine('foo', fails).remedy == f'ValueError: no; {commands}'
    ((name, _, install),) = doctor.LIGHT_CHECKS
    assert doctor.examine(name, fails, install).remedy == 'ValueError: no; pip install pinet_mm'


def test_checkpoint_check_notices_refused_classes():
    import torch

    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        finding = doctor.examine('checkpoints', doctor.reload_checkpoint)
    finally:
        torch.serialization.add_safe_globals(allowed)
    assert finding.verdict == 'broken' and 'UnpicklingError' in finding.remedy
    assert doctor.examine('checkpoints', doctor.reload_checkpoint).verdict == 'ok'


def test_mask_check_notices_wrong_masks(monkeypatch):
    from xtcocotools import mask

    monkeypatch.setattr(mask, 'decode', lambda code: 0)
    assert 'the mask came back changed' in doctor.examine('masks', doctor.decode_mask).remedy


def test_fixes_that_fail_are_listed(monkeypatch):

    def broken_fix():
        raise ValueError('no')

    monkeypatch.setattr(compat, 'FIXES', (*compat.FIXES, broken_fix))
    names = [finding.name for finding in doctor.examine_environment()]
    assert [name for name in names if name.startswith('fix ')] == ['fix broken_fix']


# --- facts and layout ----------------------------------------------------------------------------


def test_facts_are_only_information():

    def unknown():
        raise ImportError

    assert doctor.state('GPU', lambda: 'no', 'not needed').remedy == 'not needed'
    assert doctor.state('GPU', lambda: 'H200', 'not needed') == Finding('GPU', 'H200', '', 'info')
    assert doctor.state('GPU', unknown, 'not needed') == Finding('GPU', '?', '', 'info')
    assert doctor.state('cv2', lambda: 'two: a: 1 and b', 'remove one') == Finding(
        'cv2', 'two', '', 'info', 'a: 1 and b; remove one'
    )


@pytest.mark.parametrize(
    'verdict, status, end',
    [
        ('missing', 1, 'to be fixed: 1 of these'),
        ('broken', 1, 'to be fixed: 1 of these'),
        ('untested', 0, 'All that PINet needs works'),
        ('optional', 0, 'All'),
        ('info', 0, 'All'),
    ],
)
def test_only_missing_and_broken_fail(monkeypatch, capsys, verdict, status, end):
    findings = [Finding('torch', '2.0', '2.13.0', verdict, 'do this')]
    monkeypatch.setattr(sys, 'argv', ['doctor'])
    monkeypatch.setattr(doctor, 'examine_environment', lambda: findings)
    assert doctor.main() == status
    report = capsys.readouterr().out
    assert line_of(report, 'torch') == f'torch 2.0 2.13.0 {verdict} do this'
    assert report.splitlines()[-1].startswith(end)


def test_columns_are_aligned_and_the_longest_names_fit():
    rows = [
        Finding('', 'found', 'tested', 'verdict'),
        Finding('six', '1.17.0', '1.17.0', 'ok'),
        Finding("torchvision's compiled part", '2.13.0+cpu', '', 'untested', 'remedy'),
    ]
    assert [doctor.format_line(row) for row in rows] == [
        '                             found       tested                  verdict',
        'six                          1.17.0      1.17.0                  ok',
        "torchvision's compiled part  2.13.0+cpu                          untested  remedy",
    ]
    checks = (*doctor.LIGHT_CHECKS, *doctor.CHECKS, *doctor.facts.FACTS)
    names = [*doctor.OPTIONAL, *(each.distributions[0] for each in doctor.REQUIRED)]
    names += [name for name, *_ in checks]
    assert max(map(len, names)) == doctor.NAME_WIDTH


def test_a_line_is_printed_as_soon_as_it_is_known(monkeypatch, capsys):
    shown = []

    def findings():
        yield Finding('torch', '2.13.0', '2.13.0', 'ok')
        shown.append(capsys.readouterr().out)
        yield Finding('six', '-', '1.17.0', 'missing')

    monkeypatch.setattr(doctor, 'examine_environment', findings)
    assert doctor.main([]) == 1
    assert shown[0].splitlines()[-1].split() == ['torch', '2.13.0', '2.13.0', 'ok']
    assert capsys.readouterr().out.startswith('six ')


def test_a_reason_is_given_once():
    why = 'ValueError: numpy.dtype size changed; pip install {}'
    rows = [
        Finding('pycocotools', '2.0', '2.0', 'broken', why.format('pycocotools')),
        Finding('MMPose can be imported', 'no', '', 'broken', why.format('-r requirements.txt')),
        Finding('six', '-', '1.17.0', 'missing', 'pip install six'),
        Finding('tqdm', '-', '4.70.1', 'missing', 'pip install six'),
        Finding('CUDA', 'no', '', 'info', 'PINet does without'),
        Finding('operators', 'no', '', 'info', 'PINet does without'),
    ]
    found = list(doctor.without_repeats(rows))
    assert found[1] == rows[1]._replace(remedy='as pycocotools, above')
    assert [*found[:1], *found[2:]] == [*rows[:1], *rows[2:]]
