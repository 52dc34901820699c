"""The call before a first import: when it is made, how often, and what the import then gets."""

import importlib
import importlib.util
import sys

from pinet_mm.environment.first_import import FirstImport

import pytest


@pytest.fixture
def wait(tmp_path, monkeypatch):
    """Make modules awaited_a and awaited_b, and a function that waits for them with a call."""
    names = ('awaited_a', 'awaited_b')
    for name in names:
        (tmp_path / f'{name}.py').write_text('times = globals().get("times", 0) + 1\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, 'meta_path', list(sys.meta_path))

    def install(call):
        FirstImport(lambda name: name in names, call).install(names)

    yield install
    for name in names:
        sys.modules.pop(name, None)


def test_the_call_is_made_once_at_the_first_import(wait):
    calls = []
    wait(lambda name: calls.append(name) or True)
    assert calls == []
    importlib.import_module('awaited_a')
    importlib.import_module('awaited_b')
    assert calls == ['awaited_a']


def test_a_module_that_the_call_imports_is_executed_once_and_keeps_its_spec(wait):
    made = []

    def call(name):
        made.append(importlib.import_module(name))
        return True

    wait(call)
    module = importlib.import_module('awaited_a')
    assert module is made[0] and module.times == 1
    assert module.__spec__.origin == module.__file__
    assert module.__spec__.loader.__class__.__name__ == 'SourceFileLoader'


def test_looking_for_a_module_without_importing_it_leaves_it_whole(wait):
    wait(lambda name: bool(importlib.import_module(name)))
    assert importlib.util.find_spec('awaited_a').origin.endswith('awaited_a.py')
    assert importlib.import_module('awaited_a').times == 1


@pytest.mark.parametrize('outcome', [False, RuntimeError('not yet')])
def test_a_call_without_success_is_made_again(wait, outcome):
    calls = []

    def call(name):
        calls.append(name)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    wait(call)
    for name in ('awaited_a', 'awaited_b'):
        try:
            importlib.import_module(name)
        except RuntimeError as error:
            assert str(error) == 'not yet'
    assert calls == ['awaited_a', 'awaited_b']
    assert ('awaited_a' in sys.modules) is not isinstance(outcome, Exception)


def test_where_a_module_is_imported_already_the_call_is_made_at_once(wait):
    importlib.import_module('awaited_b')
    calls = []
    wait(lambda name: calls.append(name) or True)
    assert calls == ['awaited_b']
