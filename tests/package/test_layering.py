"""The form of package and studies, read by ast: which way imports point, sizes, defaults."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / 'pinet_mm'
STUDIES = PACKAGE.parent / 'studies'
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
    'checkpoints',
    'models',
    'runner',
    'inference',
    'registered',
    'export',
    'api',
    'comparison',
    'curves',
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

OF_STUDIES = sorted(STUDIES.rglob('*.py'))

every_module = pytest.mark.parametrize(
    'path', MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)
every_file = pytest.mark.parametrize(
    'path',
    [*MODULES, *OF_STUDIES],
    ids=[str(path.relative_to(PACKAGE.parent)) for path in (*MODULES, *OF_STUDIES)],
)


def imported(path):
    """Full names of all modules that a file imports, wherever it does so."""
    root = STUDIES if path.is_relative_to(STUDIES) else PACKAGE
    package = (root.name, *path.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(package[: len(package) + 1 - node.level]) if node.level else ''
            module = '.'.join(filter(None, (base, node.module)))
            # `from . import name` and `from pinet_mm import name` name modules.
            yield from (
                f'{module}.{alias.name}' if is_module(f'{module}.{alias.name}') else module
                for alias in node.names
            )


def is_module(name):
    """Return whether a full name is that of a module of the package or of studies."""
    root, *parts = name.split('.')
    folder = dict(pinet_mm=PACKAGE, studies=STUDIES).get(root)
    if folder is None or not parts:
        return False
    path = folder.joinpath(*parts)
    return path.with_suffix('.py').is_file() or (path / '__init__.py').is_file()


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


def test_contributors_read_the_same_order():
    text = ' '.join((PACKAGE.parent / 'CONTRIBUTING.md').read_text().split())
    assert ', '.join(f'`{name}`' for name in ORDER) in text


@every_file
def test_nothing_is_imported_from_libraries_of_tests(path):
    assert not {name.split('.')[0] for name in imported(path)} & {'unittest', 'pytest', 'tests'}


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
def test_the_package_needs_neither_studies_nor_tests(path):
    assert not {name.split('.')[0] for name in imported(path)} & {'studies', 'tests', 'tools'}


def module_name(path):
    root = STUDIES if path.is_relative_to(STUDIES) else PACKAGE
    parts = path.relative_to(root.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def circles(paths):
    """Find modules that import each other in a circle, wherever they do so; none is empty."""
    graph = {module_name(path): {*imported(path)} - {module_name(path)} for path in paths}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_each_other_in_a_circle():
    assert circles([*MODULES, *OF_STUDIES]) == []


@every_module
def test_pure_modules_need_no_openmmlab(path):
    module = path.relative_to(PACKAGE).with_suffix('').as_posix()
    if top(path) in PURE or module in PURE:
        foreign = {name.split('.')[0] for name in imported(path)} - {'pinet_mm'}
        assert [name for name in foreign if name.startswith('mm')] == []


def rooms(folder):
    """Map every folder and module in a folder to those of its neighbors that it imports."""
    prefix = f'{module_name(folder / "__init__.py")}.'
    graph = {}
    for path in folder.rglob('*.py'):
        room = module_name(path).removeprefix(prefix).split('.')[0]
        found = {
            name.removeprefix(prefix).split('.')[0]
            for name in imported(path)
            if name.startswith(prefix)
        }
        graph.setdefault(room, set()).update(found - {room})
    return graph


def test_folders_of_inference_import_each_other_one_way():
    found = rooms(PACKAGE / 'inference')
    assert {'sources', 'drawing', 'results', 'runs'} < set(found)
    assert found['prediction'] >= {'sources', 'results'}
    assert [*graphlib.TopologicalSorter(found).static_order()]  # raises CycleError


def functions(path):
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def body_length(node):
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@every_file
def test_files_and_functions_are_short(path):
    assert len(path.read_text().splitlines()) <= 300
    assert [f.name for f in functions(path) if body_length(f) > 50] == []


# Each of their parameters is a key of the configs that users write.
OF_CONFIGS = {
    PACKAGE / 'models' / 'codec.py',
    PACKAGE / 'models' / 'head.py',
    PACKAGE / 'method' / 'refinement.py',
}


def parameters(node):
    named = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return [each.arg for each in named if each.arg not in ('self', 'cls')]


@every_file
def test_functions_have_at_most_seven_parameters(path):
    assert [
        f.name
        for f in functions(path)
        if len(parameters(f)) > 7 and not (path in OF_CONFIGS and f.name == '__init__')
    ] == []


@every_file
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


@every_file
def test_no_machine_paths(path):
    here = PACKAGE.parent
    assert not [
        folder
        for folder in (here, here.parent, Path.home())
        if len(folder.parts) > 1 and f'{folder}/' in path.read_text()
    ]


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """Write a package that breaks the rules, in the place of the real one."""
    folder = tmp_path / 'pinet_mm'
    folder.mkdir()
    monkeypatch.setattr('tests.package.test_layering.PACKAGE', folder)
    (folder / 'method.py').write_text(
        'from . import head\nfrom .codec import x\nimport mmengine.config\n'
        'def f(a=[], b=1, c=1, d=1, *, e, f, g, h):\n    from pinet_mm import runner\n'
        + '    x = 1\n'
        * 50
    )
    (folder / 'head.py').write_text('from .codec import x\nimport studies.naive\n')
    (folder / 'codec.py').write_text('from pinet_mm import PINet\n')
    (folder / 'runner.py').write_text('def f():\n    from .method import f\n')
    return folder


def test_the_checks_can_fail(other_package):
    path = other_package / 'method.py'
    assert set(imported(path)) == {
        'pinet_mm.head',
        'pinet_mm.codec',
        'mmengine.config',
        'pinet_mm.runner',
    }
    assert own_imports(path) == {'head', 'codec', 'runner'}
    for check in (
        test_imports_point_one_way,
        test_pure_modules_need_no_openmmlab,
        test_no_mutable_defaults,
        test_functions_have_at_most_seven_parameters,
        test_files_and_functions_are_short,
    ):
        with pytest.raises(AssertionError):
            check(path)
    assert body_length(functions(path)[0]) == 51
    with pytest.raises(AssertionError):
        test_the_package_needs_neither_studies_nor_tests(other_package / 'head.py')


def test_a_circle_is_found(other_package):
    files = sorted(other_package.glob('*.py'))
    assert set(circles(files)) == {'pinet_mm.method', 'pinet_mm.runner'}
    (other_package / 'runner.py').write_text('')
    assert circles(files) == []
