"""Printing for terminals, and for readers who may leave before the end, as `head` does."""

import os
import re
import select
import sys
from collections.abc import Callable
from typing import TypeVar

UNREAD = 128 + 13  # the exit status after SIGPIPE, which ends other programs in this case
CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]')  # not tabs and ends of lines
Returned = TypeVar('Returned')


def printable(text: str) -> str:
    """Return a text in which characters that a terminal would obey are written out.

    Names of files and settings may hold such.
    """
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def run_for_reader(call: Callable[[], Returned]) -> Returned:
    """Return what a call returns; end silently where nobody reads what it prints.

    Args:
        call: prints; may raise SystemExit, as a parser does after its help.

    Raises:
        BrokenPipeError: nobody reads another pipe.
    """
    try:
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
