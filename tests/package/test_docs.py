"""Docstrings and README: everything public is described, and what they name exists."""

import ast
import json
import re
from pathlib import Path

from pinet_mm import PINetCodec

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / 'pinet_mm'
MODULES = sorted(PACKAGE.rglob('*.py'))
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

every_module = pytest.mark.parametrize(
    'path', MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)


def public(tree, prefix=''):
    """Public functions, classes and their methods as (dotted name, node)."""
    for node in tree.body:
        if isinstance(node, (*FUNCTION, ast.ClassDef)) and not node.name.startswith('_'):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f'{prefix}{node.name}.')


def section(node, title):
    """Names that a section of a docstring lists, `name: text` each, in order."""
    text = ast.get_docstring(node) or ''
    found = re.search(rf'^{title}:\n((?:[ ]{{4}}.*\n?|\n)*)', text, flags=re.M)
    return re.findall(r'^ {4}(\*{0,2}\w+)(?:, \w+)*:', found[1], flags=re.M) if found else []


def parameters(node):
    """Names in a function's signature; a class has those of its constructor or its fields."""
    if isinstance(node, ast.ClassDef):
        constructors = [child for child in node.body if getattr(child, 'name', '') == '__init__']
        if not constructors:
            return [child.target.id for child in node.body if isinstance(child, ast.AnnAssign)]
        (node,) = constructors
    signature = node.args
    names = [arg.arg for arg in (*signature.posonlyargs, *signature.args, *signature.kwonlyargs)]
    return names + [
        f'{stars}{arg.arg}'
        for stars, arg in (('*', signature.vararg), ('**', signature.kwarg))
        if arg
    ]


def fields(node):
    """Annotated names in a class body, and attributes that its constructor sets."""
    names = [child.target.id for child in node.body if isinstance(child, ast.AnnAssign)]
    return names + [
        child.attr
        for child in ast.walk(node)
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store)
    ]


def tree_of(path):
    return ast.parse(path.read_text())


@every_module
def test_public_names_have_docstrings(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree), 'the module itself'
    assert [name for name, node in public(tree) if not ast.get_docstring(node)] == []


@every_module
def test_documented_arguments_exist_in_this_order(path):
    for name, node in public(tree_of(path)):
        documented, known = section(node, 'Args'), parameters(node)
        assert documented == [key for key in known if key in documented], name


@every_module
def test_documented_attributes_exist(path):
    for name, node in public(tree_of(path)):
        if isinstance(node, ast.ClassDef):
            assert set(section(node, 'Attributes')) <= set(fields(node)), name


@every_module
def test_docstrings_end_their_first_sentence(path):
    for name, node in public(tree_of(path)):
        first = ast.get_docstring(node).split('\n\n')[0]
        assert first[-1] in '.:', name


def raised(node):
    """Names of the exceptions that a function's own body raises."""
    return {
        child.exc.func.id
        for child in ast.walk(node)
        if isinstance(child, ast.Raise)
        and isinstance(child.exc, ast.Call)
        and isinstance(child.exc.func, ast.Name)
    }


@every_module
def test_raised_errors_are_documented(path):
    for name, node in public(tree_of(path)):
        if isinstance(node, FUNCTION):
            documented = set(section(node, 'Raises'))
            if 'ValueError' in documented:
                documented.add('InputError')  # which is one
            assert raised(node) <= documented, name


def test_the_parser_finds_what_is_wrong(tmp_path):
    path = tmp_path / 'wrong.py'
    path.write_text(
        '"""Module."""\n'
        'def f(a, b, *c):\n    """Do.\n\n    Args:\n        a: one,\n'
        '            or: two.\n        gone: none.\n\n    Returns:\n'
        '        b: text.\n    """\n'
        'def g(x):\n    pass\n'
        'def h(a, b):\n    """Do.\n\n    Args:\n'
        '        b: 1.\n        a: 2.\n    """\n'
    )
    nodes = dict(public(tree_of(path)))
    assert section(nodes['f'], 'Args') == ['a', 'gone']
    assert parameters(nodes['f']) == ['a', 'b', '*c']
    for check in (test_documented_arguments_exist_in_this_order, test_public_names_have_docstrings):
        with pytest.raises(AssertionError):
            check(path)
    path.write_text(path.read_text().replace('        gone: none.\n', ''))
    with pytest.raises(AssertionError, match='h'):
        test_documented_arguments_exist_in_this_order(path)


# --- README --------------------------------------------------------------------------------------

README = (ROOT / 'README.md').read_text()


def test_files_that_the_readme_names_exist():
    named = set(re.findall(r'`((?:configs|tools|pinet_mm|docs)/[\w./-]+)`', README))
    named |= set(re.findall(r'\]\(((?!http)[^)]+)\)', README))
    named |= {f'pinet_mm/{name}' for name in re.findall(r'\| `(\w+\.py|\w+/)`', README)}
    assert len(named) >= 20
    assert not [name for name in named if not (ROOT / name).exists()]


def shell_blocks(text):
    """Join the commands of a page."""
    return '\n'.join(re.findall(r'``(?:shell|bash)\n(.*?)``', text, flags=re.S))


def made_targets(text):
    """Targets that a page makes, in its commands and in `code`; no options, no variables."""
    lines = re.findall(r'(?:^|&&|;)[ ]*make((?: [^\s#;&]+)+)', shell_blocks(text), flags=re.M)
    lines += re.findall(r'`make ([^`]+)`', text)
    words = [word for line in lines for word in line.split()]
    return {word for word in words if re.fullmatch(r'[a-z][a-z-]*', word)}


def targets_of(makefile):
    return set(re.findall(r'^([a-z][a-z-]*):', makefile, flags=re.M))


def test_commands_of_the_readme_name_real_tools_and_configs():
    for path in re.findall(r'(?:tools|configs)/[\w.-]+', shell_blocks(README)):
        assert (ROOT / path).exists(), path


def test_targets_that_the_pages_make_exist():
    targets = targets_of((ROOT / 'Makefile').read_text())
    pages = [*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')]
    missing = {page.name: made_targets(page.read_text()) - targets for page in pages}
    assert {page: names for page, names in missing.items() if names} == {}
    assert made_targets(README)


def test_a_target_is_read_whole():
    page = (
        'Run `make bench` or\n```shell\nmake demo-train  # minutes\nmake PYTHON=/a/b -j 2 lint\n'
        'cd x && make wheel && make clean\n```\nand make do.\n'
    )
    assert made_targets(page) == {'bench', 'demo-train', 'lint', 'wheel', 'clean'}
    # demo-train went, demo stays.
    makefile = 'PYTHON := python3\ndemo: setup\n\tmake it\nbench lint:\nwheel:\nclean: ; rm x\n'
    assert targets_of(makefile) == {'demo', 'wheel', 'clean'}
    assert 'demo-train' in made_targets(page) - targets_of(makefile)


def test_options_that_the_readme_names_exist():
    tools = ''.join(path.read_text() for path in (ROOT / 'tools').glob('*.py'))
    tools += ''.join(path.read_text() for path in (ROOT / 'pinet_mm' / 'cli').glob('*.py'))
    others = {'--no-deps', '--shm-size', '--checkpoint'}  # pip's, docker's, mim's
    for option in set(re.findall(r'(?<![\w-])--[a-z][\w-]+', README)) - others:
        assert f"'{option}'" in tools, option


def test_every_module_is_in_the_readmes_map():
    modules = {
        path.name + ('/' if path.is_dir() else '')
        for path in (ROOT / 'pinet_mm').iterdir()
        if not path.name.startswith(('_', '.'))
    }
    assert not [name for name in modules if f'`{name}`' not in README]


def test_the_example_of_own_keypoints_builds(tmp_path, monkeypatch):
    (code,) = re.findall(r'```python\n(# besides.*?)```', README, flags=re.S)
    names = ['nose', 'left_ear', 'right_ear', 'neck', 'tail']
    swaps = ['', 'right_ear', 'left_ear', '', '']
    info = dict(
        dataset_name='mouse',
        paper_info={},
        skeleton_info={},
        joint_weights=[1.0] * 5,
        sigmas=[0.05] * 5,
        keypoint_info={
            i: dict(name=name, id=i, color=[0, 0, 0], type='', swap=swap)
            for i, (name, swap) in enumerate(zip(names, swaps))
        },
    )
    (tmp_path / 'data' / 'mouse').mkdir(parents=True)
    (tmp_path / 'data' / 'mouse' / 'metainfo.py').write_text(f'dataset_info = {info}')
    monkeypatch.chdir(tmp_path)
    settings = {}
    exec(code, settings)
    codec = PINetCodec((64, 64), (16, 16), layout=settings['layout'])
    assert codec.layout.parts == ((0, 1, 2), (3, 4))
    assert codec.layout.part_flip_indices == (0, 1)


# --- docs/conventions.md -------------------------------------------------------------------------


def defined(path):
    """Names of a module's functions, classes, and their methods and fields as Class.name."""
    for node in tree_of(path).body:
        if isinstance(node, (*FUNCTION, ast.ClassDef)):
            yield node.name
            for child in node.body if isinstance(node, ast.ClassDef) else ():
                name = getattr(child, 'name', None) or getattr(
                    getattr(child, 'target', None), 'id', ''
                )
                yield f'{node.name}.{name}'


def test_code_that_the_table_of_conventions_names_exists():
    text = (ROOT / 'docs' / 'conventions.md').read_text()
    named = re.findall(r'`([\w/]+\.py):([\w.]+)`', text)
    assert len(set(named)) >= 20
    assert not [(file, name) for file, name in named if name not in defined(PACKAGE / file)]


# --- docs/model_card.md, docs/photos_coco_ids.json -----------------------------------------------


def test_the_card_counts_the_listed_images_of_coco():
    listed = json.loads((ROOT / 'docs' / 'photos_coco_ids.json').read_text())
    trained, validation = listed['train'], listed['validation']
    assert {name: len(ids) for name, ids in trained.items()} == dict(
        train2017=160, val2017=427, split_not_recorded=367
    )
    assert {name: len(ids) for name, ids in validation.items()} == dict(train2017=84, val2017=36)
    flat = [[number for ids in part.values() for number in ids] for part in (trained, validation)]
    assert len({*flat[0], *flat[1]}) == 954 + 120, 'no image is in both, and none twice'
    card = ' '.join((ROOT / 'docs' / 'model_card.md').read_text().split())
    assert '| COCO train2017 and val2017 | 452 |' in card and 452 + 502 == 954
    assert '| COCO, without labeled keypoints | 502, 36 of them with people' in card
    for text in (
        'COCO val2017: at least 427 of its images were trained on',
        '36 validation images are of it too',
        'the 120 of validation',
        'for 367 of those without labeled keypoints it is not recorded',
    ):
        assert text in card, text


def test_links_of_the_docs_lead_to_files():
    for page in (ROOT / 'docs').glob('*.md'):
        for link in re.findall(r'\]\(((?!http)[^)#]+)', page.read_text()):
            assert (page.parent / link).exists(), f'{page.name}: {link}'
