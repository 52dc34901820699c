"""doctor and the package in fresh interpreters, of whole and of broken environments."""

import os
import re
import subprocess
import sys
from importlib import metadata

from tests.helpers.bare import line_of, link_packages_without
from tests.helpers.tools import ROOT


def run_doctor(*options, path=''):
    """Run the doctor of the checkout in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, *options, '-m', 'pinet_mm.doctor'],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(path)},
    )


# --- whole runs ----------------------------------------------------------------------------------


def test_whole_environment_passes():
    done = run_doctor()
    assert done.returncode == 0, done.stdout + done.stderr
    torch = metadata.version('torch')
    assert line_of(done.stdout, 'torch').startswith(f'torch {torch} {torch.split("+")[0]}')
    assert line_of(done.stdout, 'masks can be decoded') == 'masks can be decoded yes ok'
    assert 'fix ' not in done.stdout
    assert done.stdout.endswith('\nAll that PINet needs works.\n')


def test_empty_environment_lacks_the_light_runtime():
    done = run_doctor('-S')
    assert done.returncode == 1, done.stderr
    assert line_of(done.stdout, 'numpy').startswith('numpy - 2.')
    assert "broken ModuleNotFoundError: No module named 'numpy'" in line_of(
        done.stdout, 'the shipped model runs'
    )
    assert done.stdout.splitlines()[-1].startswith('Training needs torch, torchvision, timm, mm')
    assert 'mmpose -' not in done.stdout


def test_environment_with_a_part_of_openmmlab_lacks_the_rest(tmp_path):
    (tmp_path / 'mmengine.py').touch()
    done = run_doctor('-S', path=tmp_path)
    assert done.returncode == 1, done.stderr
    assert line_of(done.stdout, 'mmpose').startswith('mmpose - 1.3.2 missing ')
    assert "no broken ModuleNotFoundError: No module named 'mmpose'" in line_of(
        done.stdout, 'MMPose can be imported'
    )
    assert line_of(done.stdout, 'CUDA') == 'CUDA ? info'


def test_light_environment_is_whole(tmp_path):
    absent = 'torch', 'mm', 'timm', 'xtcocotools', 'pycocotools', 'faster_coco', '__editable'
    done = run_doctor('-S', path=link_packages_without(tmp_path / 'site', *absent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert line_of(done.stdout, 'the shipped model runs') == 'the shipped model runs yes ok'
    *_, whole, training = done.stdout.splitlines()
    assert whole == 'All that the light runtime needs works.'
    assert training.endswith("[train]' && pinet-mm install-mmpose")


def test_setuptools_without_pkg_resources_is_untested(tmp_path):
    (tmp_path / 'mmengine.py').touch()
    newer = tmp_path / 'setuptools-82.0.0.dist-info'
    newer.mkdir()
    (newer / 'METADATA').write_text('Metadata-Version: 2.1\nName: setuptools\nVersion: 82.0.0\n')
    done = run_doctor('-S', path=tmp_path)
    assert line_of(done.stdout, 'setuptools') == 'setuptools 82.0.0 80.10.2 untested'


# --- importing the package -----------------------------------------------------------------------


def run_python(code, *arguments, options=()):
    """Run a few lines in a fresh interpreter, at the root of the checkout."""
    return subprocess.run(
        [sys.executable, *options, '-c', code, *arguments],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, 'PYTHONPATH': ''},
    )


def test_no_argument_of_the_process_changes_what_the_package_exports():
    code = (
        'import pinet_mm, sys\n'
        "assert 'pinet_mm.doctor' in sys.argv\n"
        'from pinet_mm import *\n'
        'print(PINet.__module__, all(name in vars(pinet_mm) for name in pinet_mm.__all__))\n'
    )
    done = run_python(code, 'pinet_mm.doctor', '-m', 'pinet_mm.doctor')
    assert done.stdout == 'pinet_mm.models.estimator True\n', done.stderr


def test_a_broken_environment_warns_and_each_name_gives_the_reason(tmp_path):
    (tmp_path / 'mmpose.py').touch()
    code = (
        'import sys, warnings\n'
        f'sys.path.append({str(tmp_path)!r})\n'
        'with warnings.catch_warnings(record=True) as caught:\n'
        "    warnings.simplefilter('always')\n"
        '    import pinet_mm, mmpose\n'
        'print(*[(each.category.__name__, str(each.message)) for each in caught])\n'
        'try:\n'
        '    from pinet_mm import PINet\n'
        'except ImportError as error:\n'
        '    print(error, "|", type(error.__cause__).__name__)\n'
        'print(hasattr(pinet_mm, "no_such_name"))\n'
    )
    done = run_python(code, options=['-S'])  # without site-packages
    assert done.returncode == 0, done.stderr
    warned, refused, other = done.stdout.splitlines()
    assert warned.startswith("('RuntimeWarning', \"pinet_mm is not usable here: No module named ")
    assert 'pinet-mm doctor says what to install' in warned
    assert re.fullmatch(
        r"PINet cannot be imported: No module named '\w+' \| ModuleNotFoundError", refused
    )
    assert other == 'False'
