"""The command line: `pinet-mm COMMAND`, and the tools of a checkout, which are the same commands.

A module of this folder is a command: `make_parser` describes its options, `run` makes one call of
the package with them and prints what came of it. A command is imported when it is asked for, and
imports what needs torch or MMPose when it runs: `--help` answers at once, and the commands of the
light runtime work without either.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import pinet_mm

from ..environment.installing import explain, missing_packages
from ..environment.printing import Lines, one_line, run_for_reader
from ..errors import InputError, RunError, Stopped
from . import completion
from .guessing import nearest, refuse_in_one_line
from .settings_errors import OF_SETTINGS, describe, find_build, is_of_settings

# What a command answers with one sentence: mistakes in what it was given, and what the system
# refuses (a file that is missing, a folder that cannot be written). All else is a bug.
FOR_USERS = (InputError, RunError, OSError)
INTERRUPTED = 128 + 2  # the exit status after SIGINT

# Command -> its module and what it does.
COMMANDS = {
    'predict': ('.predict', 'find the poses in images, videos and streams, without torch'),
    'track': ('.track', 'follow the people of videos and streams, without torch'),
    'demo': ('.demo', 'find the poses in drawn crowds and photographs, without torch'),
    'train': ('.train', 'train a model'),
    'plot': ('.plot', 'draw the curves of trainings'),
    'test': ('.test', 'evaluate a model'),
    'infer': ('.infer', 'find the poses in images, videos and streams, with any config'),
    'convert': ('.convert', 'convert a checkpoint of the official implementation, or back'),
    'export': ('.export', 'write a model as one ONNX file'),
    'fuse': ('.fuse', 'fuse the poses of one or several models'),
    'compare': ('.compare', 'draw the poses of two models side by side'),
    'data check': ('.check_dataset', 'check annotation files and their images'),
    'data browse': ('.browse', 'draw the training targets of a dataset'),
    'data draw': ('.make_crowdsynth', 'draw a synthetic crowd, images or videos'),
    'data convert': ('.convert_data', 'convert predictions for other tools, and back'),
    'benchmark': ('.benchmark', 'measure the speed of a model, from a checkout'),
    'check-dataset': ('.check_dataset', 'the same as data check'),
    'make-crowdsynth': ('.make_crowdsynth', 'the same as data draw'),
    'doctor': ('..doctor', 'say what is wrong with this environment'),
    'install-mmpose': ('.install_mmpose', 'install MMPose without two packages that do not build'),
}


def command(
    make_parser: Callable[[], argparse.ArgumentParser],
    run: Callable[[argparse.Namespace], int | None],
    expected: tuple[type[Exception], ...] = FOR_USERS,
    examples: Sequence[str] = (),
) -> Callable[..., int | None]:
    """Make the `main` of a command.

    Args:
        make_parser: describes the command line.
        run: does the work with what was parsed; may return an exit status.
        expected: errors that become one sentence; all others keep their traceback.
        examples: words behind the command, for its help; or whole lines with {} for the command.

    Returns:
        `main(words=None, prog=None)`: reads the words (those of the process), runs the command
        under the name `prog` (that of the script), and returns what `run` returns.
    """

    def main(words: Sequence[str] | None = None, prog: str | None = None) -> int | None:
        parser = make_parser()
        _complete(parser, prog, examples)
        args = run_for_reader(lambda: parser.parse_args(words))
        if vars(args).pop('debug'):
            return run(args)
        try:
            return run_for_reader(lambda: run(args))
        except expected as error:
            sys.exit(f'error: {_with_notes(without_worker(error), error)}')
        except OF_SETTINGS as error:
            build = find_build(error)
            if build is None or not is_of_settings(error, build):
                raise
            sys.exit(f'error: {_with_notes(describe(error, without_worker(error), build), error)}')
        except ModuleNotFoundError as error:
            if not missing_packages():
                raise
            sys.exit(f'error: {error}; {explain(parser.prog)}')
        except Stopped as error:
            print(_with_notes(f'interrupted: {error}', error), file=sys.stderr)
            sys.exit(128 + error.number)
        except KeyboardInterrupt as error:
            print(_with_notes('interrupted', error), file=sys.stderr)
            sys.exit(INTERRUPTED)

    return main


def _with_notes(text: str, error: BaseException) -> str:
    """Return a text, and the notes that an error got on its way; as terminals may show it."""
    notes = ''.join(f'; {one_line(note)}' for note in getattr(error, '__notes__', ()))
    return (text if isinstance(text, Lines) else one_line(text)) + notes


def _complete(parser: argparse.ArgumentParser, prog: str | None, examples: Sequence[str]) -> None:
    parser.prog = prog or parser.prog
    if examples:
        lines = (f'  {_example(parser.prog, words)}' for words in examples)
        parser.epilog = '\n'.join(('examples:', *lines))
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('--debug', action='store_true', help='show where an error comes from')
    refuse_in_one_line(parser)


def _example(prog: str, words: str) -> str:
    return words.replace('{}', prog) if '{}' in words else f'{prog} {words}'.rstrip()


def without_worker(error: Exception) -> str:
    """Return the message of an error, without the traceback of the data worker that it is from."""
    first = error.args[0] if error.args else None
    if isinstance(first, Lines):
        return first
    text = first if isinstance(error, KeyError) and error.args else error
    lines = str(text).strip().splitlines()
    if len(lines) < 2 or 'Original Traceback' not in str(text):
        return str(text)
    return lines[-1].partition(': ')[2] or lines[-1]


def main(words: Sequence[str] | None = None) -> int | None:
    """Run the command named by the first word, with the other words as its arguments.

    Args:
        words: of the command line, by default those of the process.

    Returns:
        The exit status of the command, None for 0.
    """
    completion.offer(COMMANDS)
    words = list(sys.argv[1:] if words is None else words)
    if ' '.join(words[:2]) in COMMANDS:
        words[:2] = [' '.join(words[:2])]
    group = next(iter(words), '')
    within = {name: each for name, each in COMMANDS.items() if name.startswith(f'{group} ')}
    if within:
        _refuse_group(group, words[1:2], within)
    parser = _parser_of('', COMMANDS)
    parser.add_argument('--version', action='version', version=pinet_mm.__version__)
    parser.add_argument('command', metavar='COMMAND', help='one of those below')
    name = run_for_reader(lambda: parser.parse_args(words[:1])).command
    if name not in COMMANDS:
        parser.error(f'there is no command {name}{nearest(name, COMMANDS)}')
    module, _ = COMMANDS[name]
    return importlib.import_module(module, __package__).main(words[1:], f'pinet-mm {name}')


def _parser_of(group: str, commands: Mapping[str, tuple[str, str]]) -> argparse.ArgumentParser:
    """Return a parser whose help lists commands, a line each."""
    prog = f'pinet-mm {group}'.rstrip()
    lines = [f'  {name:<17}{what}' for name, (_, what) in commands.items()]
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=f'{prog} COMMAND [options]',
        description='PINet, pose-level inference for crowded images',
        epilog='commands, each with its own --help:\n' + '\n'.join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    refuse_in_one_line(parser)
    return parser


def _refuse_group(
    group: str, words: Sequence[str], commands: Mapping[str, tuple[str, str]]
) -> NoReturn:
    """Say which commands a group has: as help if that is asked for, or else as an error."""
    parser = _parser_of(group, commands)
    found = words[0] if words else 'nothing'
    if found in ('-h', '--help'):
        run_for_reader(lambda: parser.parse_args(['--help']))
    guess = nearest(f'{group} {found}', commands)
    parser.error(f'{group} needs one of its commands: {", ".join(commands)}; found {found}{guess}')
