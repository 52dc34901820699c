"""Counts of what was tried and survived, as the long runs leave them in JSON files."""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from pinet_mm.atomic import write_whole


class Count(NamedTuple):
    """What was tried, how much of it went well, and what else is told of both.

    Attributes:
        tried: a number.
        survived: of these.
        of: more about what was tried, such as '30 kills'.
        so: more about how it went.
    """

    tried: int
    survived: int
    of: str = ''
    so: str = ''

    @property
    def is_survived(self) -> bool:
        """Whether something was tried, and all of it went well."""
        return self.survived == self.tried > 0


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a file for the counts."""
    parser.add_argument('--counts', type=Path, help='JSON file for the counts')


def keep(path: Path | None, **counts: Count) -> None:
    """Add counts to a file, if there is to be one; others of it stay."""
    if path is not None:
        rows = {**read(path), **counts}
        text = json.dumps({name: count._asdict() for name, count in rows.items()}, indent=1)
        write_whole(path, f'{text}\n')


def read(path: Path | None) -> dict[str, Count]:
    """Return the counts of a file; none if it is missing."""
    if path is None or not path.exists():
        return {}
    return {name: Count(**fields) for name, fields in json.loads(path.read_text()).items()}
