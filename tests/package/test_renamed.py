"""Module names of version 0.1: each warns, names its successor and gives the same objects."""

import importlib
import subprocess
import sys
import warnings

from pinet_mm import renamed

import pytest

from tests.package.test_layering import PACKAGE

# What README, docs and users' configs of 0.1 imported, and where it is now.
DOCUMENTED = {
    ('fusion', 'PoseFusion'): 'method.fusion',
    ('layouts', 'PartLayout'): 'method.layouts',
    ('proposals', 'ProposalSampler'): 'method.proposals',
    ('refinement', 'PoseRefinement'): 'method.refinement',
    ('codec', 'PINetCodec'): 'models.codec',
    ('estimator', 'PINet'): 'models.estimator',
    ('head', 'PINetHead'): 'models.head',
    ('transforms', 'RandomCropAffine'): 'datasets.transforms',
    ('release_transforms', 'ReleaseCrop'): 'conventions.transforms',
    ('visualization', 'CrowdVisualizer'): 'inference.drawing',
}


def import_old(name):
    """Import a module of 0.1 as for the first time; return it and what it warned of."""
    full = f'pinet_mm.{name}'
    sys.modules.pop(full, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        module = importlib.import_module(full)
    return module, [each for each in caught if 'is now' in str(each.message)]


@pytest.mark.parametrize('name', sorted(renamed.NEW_NAMES))
def test_an_old_name_warns_and_gives_the_same_objects(name):
    module, (warning,) = import_old(name)
    assert warning.category is DeprecationWarning
    for place in renamed.NEW_NAMES[name]:
        assert f'pinet_mm.{place}' in str(warning.message)
        new = importlib.import_module(f'pinet_mm.{place}')
        own = [
            key
            for key, value in vars(new).items()
            if getattr(value, '__module__', None) == new.__name__
        ]
        assert own and all(getattr(module, key) is getattr(new, key) for key in own)


@pytest.mark.parametrize('old, name', DOCUMENTED)
def test_documented_classes_are_where_they_were(old, name):
    module, _ = import_old(old)
    place = DOCUMENTED[old, name]
    assert getattr(module, name) is getattr(importlib.import_module(f'pinet_mm.{place}'), name)


def test_no_old_name_hides_a_module():
    there = {path.stem for path in PACKAGE.iterdir()}
    assert not there & set(renamed.NEW_NAMES)
    with pytest.raises(ModuleNotFoundError, match='pinet_mm.no_such_module'):
        importlib.import_module('pinet_mm.no_such_module')


def test_the_finder_is_installed_once():
    before = list(sys.meta_path)
    renamed.install()
    assert sys.meta_path == before


@pytest.mark.parametrize(
    'line', ['from pinet_mm.fusion import PoseFusion', 'from pinet_mm import fusion']
)
def test_the_warning_points_at_the_line_that_imports(line, tmp_path):
    script = tmp_path / 'old.py'
    script.write_text(f'import pinet_mm\n\n{line}\n')
    done = subprocess.run(
        [sys.executable, '-W', 'default::DeprecationWarning:__main__', script],
        cwd=PACKAGE.parent,
        env={'PYTHONPATH': str(PACKAGE.parent)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert 'works through 0.2 and goes with 0.3' in done.stderr
    assert f'{script}:3: DeprecationWarning: pinet_mm.fusion is now pinet_mm.method.fusion' in (
        done.stderr
    )
