"""Names of version 0.1: each warns, names its successor and gives the same objects."""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

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
    ('visualization', 'CrowdVisualizer'): 'inference.drawing.visualizer',
}


def import_old(name):
    """Import a module of 0.1 as for the first time; return it and what it warned of."""
    full = f'pinet_mm.{name}'
    sys.modules.pop(full, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        module = importlib.import_module(full)
    return module, [each for each in caught if 'is now' in str(each.message)]


PLACES = renamed.NEW_NAMES | renamed.MOVED


@pytest.mark.parametrize('name', sorted(PLACES))
def test_an_old_name_warns_and_gives_the_same_objects(name):
    module, (warning,) = import_old(name)
    assert warning.category is DeprecationWarning
    for place in PLACES[name]:
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
    there = {
        path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')
        for path in PACKAGE.rglob('*')
    }
    assert not there & set(PLACES)
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


# What each was in 0.1: documented then, or one word of the method.
SPELLINGS = [
    (module, old, new)
    for module, spellings in renamed.NEW_SPELLINGS.items()
    for old, new in spellings.items()
]


@pytest.mark.parametrize('module, old, new', SPELLINGS)
def test_an_old_spelling_warns_and_gives_the_same_object(module, old, new):
    at = importlib.import_module(f'pinet_mm.{module}')
    with pytest.warns(DeprecationWarning) as caught:
        found = getattr(at, old)
    assert [str(each.message) for each in caught] == [
        f'pinet_mm.{module}.{old} is now {new}; the old name works through 0.2 and goes with 0.3'
    ]
    assert Path(caught[0].filename) == Path(__file__)
    assert found is getattr(at, new)
    assert callable(found) or '.jpg' in found


@pytest.mark.parametrize('module', ['api', 'proposals', 'fusion'])
def test_a_name_that_there_never_was_is_an_attribute_error(module):
    at = importlib.import_module(f'pinet_mm.{module}')
    message = f"module 'pinet_mm.{module}' has no attribute 'no_such_name'"
    with pytest.raises(AttributeError, match=f'^{message}$'):
        getattr(at, 'no_such_name')  # noqa: B009
