"""One line on a command line that is wrong, and what the user may have meant."""

import argparse
import difflib
import re
from collections.abc import Iterable
from typing import NoReturn

UNKNOWN = 'unrecognized arguments: '  # what argparse says of options that it does not know


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest of some words, or nothing if none is near.

    Args:
        word: what was found.
        known: what could have been meant.
    """
    found = difflib.get_close_matches(word, known, 1)
    return f'; did you mean {found[0]}?' if found else ''


def refuse_in_one_line(parser: argparse.ArgumentParser) -> None:
    """Let a parser say what is wrong without its usage, and guess at options that it does not know.

    Args:
        parser: with all its options; changed in place.
    """

    def error(message: str) -> NoReturn:
        guess = _guesses(parser, message) if message.startswith(UNKNOWN) else ''
        parser.exit(2, f'{parser.prog}: error: {message}{guess} (see {parser.prog} --help)\n')

    parser.error = error  # type: ignore[method-assign]


def _guesses(parser: argparse.ArgumentParser, message: str) -> str:
    known = re.findall(r'(?<!\S)\[?(--[\w-]+)', parser.format_usage())
    unknown = [word.partition('=')[0] for word in message.split() if word.startswith('--')]
    return next(filter(None, (nearest(word, known) for word in unknown)), '')
