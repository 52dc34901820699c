"""What a user may have meant by a misspelled command or option."""

import argparse
import difflib
import re
from collections.abc import Iterable

UNKNOWN = 'unrecognized arguments: '  # what argparse says of options that it does not know


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest of some words, or nothing if none is near.

    Args:
        word: what was found.
        known: what could have been meant.
    """
    found = difflib.get_close_matches(word, known, 1)
    return f'; did you mean {found[0]}?' if found else ''


def guess_options(parser: argparse.ArgumentParser) -> None:
    """Let a parser say which options may have been meant by those that it does not know.

    Args:
        parser: with all its options; changed in place.
    """
    say = parser.error

    def error(message: str):
        say(message + (_guesses(parser, message) if message.startswith(UNKNOWN) else ''))

    parser.error = error  # type: ignore[method-assign]


def _guesses(parser: argparse.ArgumentParser, message: str) -> str:
    known = re.findall(r'(?<!\S)\[?(--[\w-]+)', parser.format_usage())
    unknown = [word.partition('=')[0] for word in message.split() if word.startswith('--')]
    return next(filter(None, (nearest(word, known) for word in unknown)), '')
