"""The package's form, read by ast: which way imports point, sizes, defaults."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / 'pinet_mm'
# A folder, or a module beside the folders, may import only from those before it. The standard
# library, crowdsynth and studies have rules of their own.
ORDER = (
    'errors',
    'atomic',
    'environment',
    'renamed',
    'configs',
    'onnx_runner',
    'method',
    'datasets',
    'conventions',
    'models',
    'checkpoints',
    'runner',
    'inference',
    'export',
    'api',
    'comparison',
    'doctor',
    'cli',
)
# numpy and torch only.
PURE = (
    'errors',
    'atomic',
    'onnx_runner',
    'method',
    'crowdsynth',
    'conventions/table',
    'conventions/official',
)
MODULES = sorted(PACKAGE.rglob('*.py'))

every_module = pytest.mark.parametrize(
    'path', MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)


def imported(path):
    """Full names of all modules that a file imports, wherever it does so."""
    package = ('pinet_mm', *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(package[: len(package) + 1 - node.level]) if node.level else ''
            module = '.'.join(filter(None, (base, node.module)))
            # `from . import name` and `from pinet_mm import name` name modules.
            whole = module in ('pinet_mm', 'pinet_mm.crowdsynth')
            yield from (f'{module}.{alias.name}' if whole else module for alias in node.names)


def top(path):
    """A file's place in the order: its module, or the subpackage it belongs to."""
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def own_imports(path):
    return {name.split('.')[1] for name in imported(path) if name.startswith('pinet_mm.')} - {
        top(path)
    }


def test_every_module_has_a_place():
    names = {top(path) for path in MODULES} - {'__init__', 'crowdsynth'}
    assert names <= set(ORDER), 'add the new module to ORDER, where its imports allow'


@every_module
def test_imports_point_one_way(path):
    if top(path) == '__init__':
        return
    if top(path) == 'crowdsynth':
        assert own_imports(path) <= {'atomic'}
        return
    before = ORDER[: ORDER.index(top(path))]
    assert own_imports(path) <= {*before, 'crowdsynth'}


@every_module
def test_pure_modules_need_no_openmmlab(path):
    module = path.relative_to(PACKAGE).with_suffix('').as_posix()
    if top(path) in PURE or module in PURE:
        foreign = {name.split('.')[0] for name in imported(path)} - {'pinet_mm'}
        assert [name for name in foreign if name.startswith('mm')] == []


def functions(path):
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def body_length(node):
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@every_module
def test_files_and_functions_are_short(path):
    assert len(path.read_text().splitlines()) <= 350
    assert [f.name for f in functions(path) if body_length(f) > 50] == []


@every_module
def test_no_mutable_defaults(path):
    def mutable(node):
        return isinstance(node, (ast.Dict, ast.List, ast.Set, ast.ListComp, ast.DictComp)) or (
            isinstance(node, ast.Call) and getattr(node.func, 'id', '') in ('dict', 'list', 'set')
        )

    assert [
        f.name
        for f in functions(path)
        if any(map(mutable, (*f.args.defaults, *filter(None, f.args.kw_defaults))))
    ] == []


@every_module
def test_no_machine_paths(path):
    here = PACKAGE.parent
    assert not [
        folder
        for folder in (here, here.parent, Path.home())
        if len(folder.parts) > 1 and f'{folder}/' in path.read_text()
    ]


def test_the_checks_can_fail(tmp_path, monkeypatch):
    monkeypatch.setattr('tests.package.test_layering.PACKAGE', tmp_path)
    path = tmp_path / 'method.py'
    path.write_text(
        'from . import head\nfrom .codec import x\nimport mmengine.config\n'
        'def f(a=[]):\n    from pinet_mm import runner\n' + '    x = 1\n' * 50
    )
    assert set(imported(path)) == {
        'pinet_mm.head',
        'pinet_mm.codec',
        'mmengine.config',
        'pinet_mm.runner',
    }
    assert own_imports(path) == {'head', 'codec', 'runner'}
    with pytest.raises(AssertionError):
        test_imports_point_one_way(path)
    with pytest.raises(AssertionError):
        test_pure_modules_need_no_openmmlab(path)
    with pytest.raises(AssertionError):
        test_no_mutable_defaults(path)
    assert body_length(functions(path)[0]) == 51
