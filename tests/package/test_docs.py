"""Docstrings: everything public is described, and what they name exists."""

import ast
import re
from pathlib import Path

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


def parameters(node, classes=()):
    """Names in a function's signature; a class has those of its constructor or its fields.

    A class without either has those of its base, if that is among the `classes` of the module.
    """
    if isinstance(node, ast.ClassDef):
        constructors = [child for child in node.body if getattr(child, 'name', '') == '__init__']
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        inherited = [other for other in classes if other.name in bases]
        own = [child.target.id for child in node.body if isinstance(child, ast.AnnAssign)]
        if not constructors:
            return parameters(inherited[0], classes) if inherited and not own else own
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
    tree = tree_of(path)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for name, node in public(tree):
        documented, known = section(node, 'Args'), parameters(node, classes)
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


# --- messages ------------------------------------------------------------------------------------


def said(tree):
    """Strings of a module that are no docstrings; the fixed parts of those with values in them."""
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in described:
                yield node.value


@every_module
def test_messages_say_that_pages_are_not_in_the_wheel(path):
    pages = re.compile(r'docs/\w+\.md(?! in the repository)')
    assert [text for text in said(tree_of(path)) if pages.search(text)] == []
