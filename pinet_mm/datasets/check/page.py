"""The list of all faults that the check knows, as a page of the documentation."""

from collections.abc import Iterator

from .exporters import CURES
from .findings import Kind, Level
from .kinds import KINDS

INTRODUCTION = """\
# Faults of annotation files

`tools/check_dataset.py FILE` finds them, and so do training, evaluation, fusion and comparison
before they begin. *Mended*: read as its author plainly meant it, with a line that says so.
*Suspicious*: handled as the table says, refused with `--strict`. *Refused*: going on would lose
data. One run reports all faults of a file, as a table where there are several.
`tools/check_dataset.py --list` prints this list.
"""

EXPORTERS = """\
## By exporter

Faults that tools are known to write, and what to change there. If the file shows which tool wrote
it, only the cure for that tool is printed.

| tool | record: field | expected | cure |
|---|---|---|---|"""


def to_markdown() -> str:
    """Return the list: a table per level, and one of the exporters."""
    lines = [INTRODUCTION]
    for level in Level:
        done = 'cure' if level is Level.REFUSED else 'what is done'
        lines += [f'## {level.value.capitalize()}', '', f'| record: field | expected | {done} |']
        lines.append('|---|---|---|')
        for kind in KINDS.values():
            if kind.level is level:
                said = '; '.join(filter(None, (kind.done, kind.cure)))
                lines.append(f'| {_place(kind)} | {kind.expected} | {said} |')
        lines.append('')
    return '\n'.join([*lines, EXPORTERS, *_exporters(), ''])


def _place(kind: Kind) -> str:
    record, _, name = kind.place.partition('.')
    return f'{record}: {name or "content"}'


def _exporters() -> Iterator[str]:
    for tool in dict.fromkeys(tool for cures in CURES.values() for tool in cures):
        for kind, cures in CURES.items():
            if tool in cures:
                yield f'| {tool} | {_place(KINDS[kind])} | {KINDS[kind].expected} | {cures[tool]} |'
