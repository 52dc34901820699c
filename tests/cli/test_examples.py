"""The help of every command ends with examples, which its parser takes."""

import re
import shlex

from pinet_mm import cli
from pinet_mm.cli import COMMANDS

import pytest

from tests.cli.test_commands import module_of


def examples_of(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([*command.split(), '--help'])
    _, _, text = capsys.readouterr().out.partition('\nexamples')
    return re.findall(rf'pinet-mm {command}(?: (.*))?$', text, flags=re.M)


@pytest.mark.parametrize('command', COMMANDS)
def test_help_has_examples_that_the_command_takes(command, capsys):
    examples = examples_of(command, capsys)
    assert examples
    module = module_of(command)
    if not hasattr(module, 'make_parser'):
        return  # the doctor has no options
    assert len(examples) == len(module.EXAMPLES), 'a line each'
    for example in examples:
        module.make_parser().parse_args(shlex.split(example))
