"""What a shell is offered: all commands, groups of them, and their options."""

import sys
from types import SimpleNamespace

from pinet_mm import cli
from pinet_mm.cli import completion

import pytest


def test_one_parser_knows_every_command():
    parser = completion.parser_of_all(cli.COMMANDS)
    assert parser.parse_args(['predict', 'a.jpg', '--track']).track
    assert parser.parse_args(['data', 'convert', 'a', 'b', '--to', 'cvat']).to == 'cvat'
    (names,) = (action.choices for action in parser._actions if action.choices)
    assert set(names) == {name.partition(' ')[0] for name in cli.COMMANDS}
    (in_data,) = (action.choices for action in names['data']._actions if action.choices)
    assert set(in_data) == {name[5:] for name in cli.COMMANDS if name.startswith('data ')}


def test_a_shell_that_asks_is_answered_before_anything_is_parsed(monkeypatch):
    asked = []

    def autocomplete(parser):
        asked.append(parser.prog)
        raise SystemExit(0)

    monkeypatch.setitem(sys.modules, 'argcomplete', SimpleNamespace(autocomplete=autocomplete))
    monkeypatch.setenv('_ARGCOMPLETE', '1')
    with pytest.raises(SystemExit) as ended:
        cli.main(['trian'])
    assert ended.value.code == 0 and asked == ['pinet-mm']


def test_without_argcomplete_commands_run_as_ever(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'argcomplete', None)
    monkeypatch.setenv('_ARGCOMPLETE', '1')
    with pytest.raises(SystemExit):
        cli.main(['--version'])
    assert capsys.readouterr().out
