"""The list of all faults that the check knows, as a page of the documentation."""

from .findings import Level
from .kinds import KINDS

INTRODUCTION = """\
# Faults of annotation files

`tools/check_dataset.py FILE` finds them, and so do training, evaluation, fusion and comparison
before they begin. *Mended*: what its author plainly meant is done, with a line that says so.
*Suspicious*: handled as the table says, refused with `--strict`. *Refused*: going on would lose
data. `tools/check_dataset.py --list` prints this page.
"""


def to_markdown() -> str:
    """Return the page, a table per level."""
    lines = [INTRODUCTION]
    for level in Level:
        done = 'cure' if level is Level.REFUSED else 'what is done'
        lines += [f'## {level.value.capitalize()}', '', f'| record: field | expected | {done} |']
        lines.append('|---|---|---|')
        for kind in KINDS.values():
            if kind.level is level:
                record, _, name = kind.place.partition('.')
                said = '; '.join(filter(None, (kind.done, kind.cure)))
                lines.append(f'| {record}: {name or "content"} | {kind.expected} | {said} |')
        lines.append('')
    return '\n'.join(lines)
