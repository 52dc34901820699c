"""Printing for terminals, and for readers who may leave before the end, as `head` does.

Names that users and files give may hold anything: `one_line` makes a line of what is printed of
them, in messages, on the screen and in logs.
"""

import os
import re
import select
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

UNREAD = 128 + 13  # the exit status after SIGPIPE, which ends other programs in this case
# Not tabs and ends of lines. What turns the direction of letters, ends lines elsewhere, or is no
# text that can be printed belongs to them.
CONTROL = re.compile(
    r'[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]'
)
Returned = TypeVar('Returned')


def printable(text: str) -> str:
    """Return a text in which characters that a terminal would obey are written out.

    Names of files and settings may hold such.
    """
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def one_line(text: object) -> str:
    """Return a text as `printable` does, with ends of lines and tabs written out as well."""
    return printable(str(text).replace('\t', '\\t').replace('\n', '\\n'))


def print_line(text: object, to_stderr: bool = False) -> None:
    """Print a text that holds names as one line.

    Args:
        text: what is printed.
        to_stderr: not to stdout.
    """
    print(one_line(text), file=sys.stderr if to_stderr else sys.stdout, flush=True)


class Lines(str):
    """A message of several lines; every other one is shown in one line."""

    @classmethod
    def of(cls, lines: Iterable[object]) -> 'Lines':
        """Join lines, each as `one_line` shows it."""
        return cls('\n'.join(map(one_line, lines)))


def run_for_reader(call: Callable[[], Returned]) -> Returned:
    """Return what a call returns; end silently where nobody reads what it prints.

    Characters that the encoding of the output lacks are written out, as on stderr.

    Args:
        call: prints; may raise SystemExit, as a parser does after its help.

    Raises:
        BrokenPipeError: nobody reads another pipe.
    """
    try:
        if hasattr(sys.stdout, 'reconfigure'):  # a program around this one may have replaced it
            sys.stdout.reconfigure(errors='backslashreplace')
        try:
            returned = call()
        except SystemExit as leaving:
            if not isinstance(leaving.code, str):  # what went wrong is said in any case
                _flush()
            raise
        _flush()  # else Python meets the closed pipe at its end, and says so
        return returned
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(UNREAD)


def _flush() -> None:
    if sys.stdout is not None:  # a daemon may have none
        sys.stdout.flush()


def _reader_has_gone() -> bool:
    if not hasattr(select, 'poll') or sys.stdout is None:  # Windows; a daemon
        return False
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in output.poll(0))
