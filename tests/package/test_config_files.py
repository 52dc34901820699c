"""Config files: YAML runs no code, and what cannot be read is one sentence."""

from pinet_mm.configs import load_config
from pinet_mm.errors import InputError

import pytest

CODE = '!!python/object/apply:os.mkdir'


@pytest.mark.parametrize('name', ['a.yaml', 'a.yml', 'base of another'])
def test_tags_of_python_in_yaml_are_refused(name, tmp_path):
    path = tmp_path / ('base.yaml' if ' ' in name else name)
    path.write_text(f'a: {CODE} ["{tmp_path / "place"}"]\n')
    if ' ' in name:
        path = tmp_path / 'leaf.yaml'
        path.write_text('_base_: base.yaml\n')
    with pytest.raises(InputError, match=f'config {path} cannot be read: .*python/object/apply'):
        load_config(path)
    assert not (tmp_path / 'place').exists()


def test_names_of_python_in_yaml_are_refused(tmp_path):
    # Not a call by itself, but a registry would call what `type` names.
    (tmp_path / 'a.yaml').write_text('a: !!python/name:os.system\n')
    with pytest.raises(InputError, match='python/name:os.system'):
        load_config(tmp_path / 'a.yaml')


def test_tuples_as_mmengine_writes_them_are_read(tmp_path):
    (tmp_path / 'a.py').write_text('size = (512, 512)\nscales = [(1, 2)]\n')
    load_config(tmp_path / 'a.py').dump(tmp_path / 'a.yaml')
    assert '!!python/tuple' in (tmp_path / 'a.yaml').read_text()
    found = load_config(tmp_path / 'a.yaml')
    assert found.size == (512, 512) and found.scales == [(1, 2)]


@pytest.mark.parametrize(
    'name, content, reason',
    [
        ('a.yaml', 'a: [', 'ParserError: while parsing a flow node'),
        ('a.json', '{', 'JSONDecodeError: '),
        ('a.json', '{"_base_": "gone.py"}', 'FileNotFoundError: .*gone.py'),
        ('a.py', 'a = (', 'SyntaxError: '),
        ('a.py', 'a = b', "NameError: name 'b' is not defined"),
    ],
)
def test_a_config_that_cannot_be_read_is_one_line(name, content, reason, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f'the config .*{name} cannot be read: {reason}') as error:
        load_config(tmp_path / name)
    assert '\n' not in str(error.value)
    with pytest.raises(FileNotFoundError):
        load_config(tmp_path / 'gone.py')
