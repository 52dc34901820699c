"""Completion of command lines in a shell, by argcomplete where that is installed."""

import argparse
import importlib
import os
from collections.abc import Mapping


def offer(commands: Mapping[str, tuple[str, str]]) -> None:
    """Answer a shell that asks how a command line may go on, and end; otherwise do nothing.

    Args:
        commands: see `cli.COMMANDS`.
    """
    if '_ARGCOMPLETE' not in os.environ:
        return
    try:
        import argcomplete
    except ImportError:  # the shell asks by that of another environment
        return
    argcomplete.autocomplete(parser_of_all(commands))


def parser_of_all(commands: Mapping[str, tuple[str, str]]) -> argparse.ArgumentParser:
    """Return one parser with all commands as its subcommands.

    Args:
        commands: see `cli.COMMANDS`.
    """
    parser = argparse.ArgumentParser(prog='pinet-mm')
    first = parser.add_subparsers()
    holders = {}
    for group in {name.partition(' ')[0] for name in commands if ' ' in name}:
        holders[group] = first.add_parser(group).add_subparsers()
    for name, (path, _) in commands.items():
        module = importlib.import_module(path, __package__)
        own = [module.make_parser()] if hasattr(module, 'make_parser') else []
        group, _, word = name.rpartition(' ')
        holders.get(group, first).add_parser(word, parents=own, add_help=not own)
    return parser
