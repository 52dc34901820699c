"""The package without MMPose, and with it: what can be imported, when classes are registered."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pinet_mm
from pinet_mm.environment import installing

import pytest

from tests.helpers.light import BLOCKED, run_fresh, run_light

PACKAGE = Path(pinet_mm.__file__).parent
HEAVY = {*BLOCKED, 'xtcocotools'}
TRAIN = f"pip install '{Path(__file__).parents[2]}[train]'"  # from where the tests run: a checkout
BOTH = f'run {TRAIN} && pinet-mm install-mmpose'


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def paths_of(name):
    folder = PACKAGE.joinpath(*name.split('.'))
    return [path for path in (folder.with_suffix('.py'), folder / '__init__.py') if path.is_file()]


def imports_of(path):
    """Names of what a module imports while it is imported; ours are relative to the package."""
    package = (
        name_of(path).split('.') if path.name == '__init__.py' else name_of(path).split('.')[:-1]
    )
    found, nodes = set(), list(ast.parse(path.read_text()).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) + 1 - node.level], *(node.module or '').split('.')]
            base = '.'.join(filter(None, base))
            found |= {
                f'.{base}',
                *(f'.{base}.{alias.name}'.replace('..', '.') for alias in node.names),
            }
        elif isinstance(node, ast.Try):
            nodes += node.body
        elif isinstance(node, ast.ClassDef):
            nodes += node.body
    return found


def reached(path, seen):
    """Packages outside ours that importing a module imports, its folders' `__init__` included."""
    if path in seen:
        return set()
    seen.add(path)
    parents = [parent / '__init__.py' for parent in path.parents if PACKAGE in parent.parents]
    found = set().union(*(reached(each, seen) for each in parents))
    for name in imports_of(path):
        if name.startswith('.'):
            found |= set().union(*(reached(each, seen) for each in paths_of(name[1:])))
        else:
            found.add(name.partition('.')[0])
    return found


LIGHT = [
    path
    for path in sorted(PACKAGE.rglob('*.py'))
    if name_of(path)
    and 'stand_ins' not in path.parts  # modules of other names
    and not pinet_mm._needs_mmpose(f'pinet_mm.{name_of(path)}')
]


@pytest.mark.parametrize('path', LIGHT, ids=map(name_of, LIGHT))
def test_light_modules_import_no_mmpose_and_only_the_method_torch(path):
    allowed = {'torch'} if name_of(path).startswith('method') else set()
    assert reached(path, set()) & HEAVY <= allowed


def test_light_modules_exist_and_the_others_are_found_to_be_heavy():
    names = set(map(name_of, LIGHT))
    assert names >= {*pinet_mm._LIGHT, *pinet_mm._LIGHT_FOLDERS}
    assert reached(PACKAGE / 'models' / 'head.py', set()) >= {'torch', 'mmpose'}
    assert not names & {'api', 'models.head', 'runner.run', 'inference.folders', 'registered'}


def test_importing_the_package_imports_nothing_heavy():
    done = run_fresh(
        'import sys, pinet_mm, pinet_mm.cli, pinet_mm.errors\n'
        f'print(sorted({HEAVY!r} & set(sys.modules)), "numpy" in sys.modules)'
    )
    assert done.stdout == '[] False\n', done.stderr


def test_without_mmpose_a_name_tells_the_commands_that_bring_it():
    done = run_light(
        'import pinet_mm\n'
        'for line in ("from pinet_mm import PINetHead", "import pinet_mm.models.head",\n'
        '             "from pinet_mm import api", "import pinet_mm.fusion",\n'
        '             "from pinet_mm import Nothing"):\n'
        '    try:\n'
        '        exec(line)\n'
        '    except ImportError as error:\n'
        '        print(error)\n'
    )
    lines = done.stdout.splitlines()
    needed = ', '.join((*installing.OF_TRAIN, 'mmpose'))
    assert lines[:3] == [
        f'{name} needs {needed}: {BOTH}'
        for name in ('PINetHead', 'pinet_mm.models', 'pinet_mm.api')
    ], done.stderr
    assert lines[3] == f'pinet_mm.fusion needs {needed}: {BOTH}'
    assert lines[4].startswith("cannot import name 'Nothing' from 'pinet_mm'")


@pytest.mark.parametrize('command', ['train a.py', 'infer a.jpg', 'fuse a.json --out b.json'])
def test_without_mmpose_a_command_says_so_in_one_line(command, tmp_path):
    (tmp_path / 'a.jpg').touch()  # what is missing is told first
    code = 'from pinet_mm.cli import main\nmain(sys.argv[1:])'
    done = run_light(code, *command.split(), cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ''
    (line,) = done.stderr.splitlines()
    assert line.startswith('error: ') and line.endswith(BOTH)


@pytest.mark.parametrize(
    'missing, expected',
    [
        (['torch', 'mmpose'], f'{TRAIN} && pinet-mm install-mmpose'),
        (['timm'], TRAIN),
        (['mmpose'], 'pinet-mm install-mmpose'),
    ],
)
def test_what_is_missing_decides_the_command(missing, expected, monkeypatch):
    monkeypatch.setattr(installing, 'is_installed', lambda name: name not in missing)
    assert installing.explain('it') == f'it needs {", ".join(missing)}: run {expected}'


@pytest.mark.parametrize(
    'noted, source',
    [
        (None, "'pinet_mm[train]'"),
        ('{', "'pinet_mm[train]'"),
        (
            '{"url": "file:///tmp/pinet_mm-0.2-py3-none-any.whl", "archive_info": {}}',
            "'pinet_mm[train] @ file:///tmp/pinet_mm-0.2-py3-none-any.whl'",
        ),
        (
            '{"url": "https://host/pinet.git", "vcs_info": {"vcs": "git", "commit_id": "1f"}}',
            "'pinet_mm[train] @ git+https://host/pinet.git'",
        ),
    ],
)
def test_an_extra_comes_from_where_the_package_came_from(noted, source, tmp_path, monkeypatch):
    installed = SimpleNamespace(read_text=lambda name: {'direct_url.json': noted}[name])
    monkeypatch.setattr(installing.metadata, 'distribution', lambda name: installed)
    monkeypatch.setattr(installing, 'ROOT', tmp_path)
    assert installing.install_extra('train') == f'pip install {source}'
    assert installing.install_extra('video') == f'pip install {source.replace("train", "video")}'


@pytest.mark.parametrize(
    'first', ['import mmpose', 'import pinet_mm.models.head', 'from pinet_mm import PINet']
)
def test_classes_are_registered_whatever_is_imported_first(first):
    done = run_fresh(
        f'import sys, pinet_mm\n{first}\n'
        'from mmpose.registry import MODELS\n'
        'import mmpose, pinet_mm.models.head as head\n'
        'assert MODELS.get("PINetHead") is pinet_mm.PINetHead is head.PINetHead\n'
        'print(all(name in vars(pinet_mm) for name in pinet_mm.__all__))\n'
        'print(type(mmpose.__spec__.loader).__name__, mmpose.__spec__.origin == mmpose.__file__)'
    )
    assert done.stdout.splitlines() == ['True', 'SourceFileLoader True'], done.stderr
