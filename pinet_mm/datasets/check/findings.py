"""The findings of a check: one entry per kind of fault, with counts and the first few ids."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .exporters import cure_of

SHOWN = 5  # ids that a finding keeps
LONGEST = 80  # characters of an id or a value that are printed


class Said(str):
    """A finding that is printed as it is, rather than as the value of a field."""


class Level(Enum):
    """What becomes of a fault."""

    REFUSED = 'refused'  # going on would lose data
    SUSPICIOUS = 'suspicious'  # handled as the kind says; refused if the check is strict
    MENDED = 'mended'  # its author clearly meant something else, which is done


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        level: what becomes of it.
        place: record and field, such as `annotation.keypoints`.
        expected: what a valid file has there.
        done: what happens to it; empty if it is refused.
        cure: what to change in the exporter or the file.
        stays: a suspicious record is left as it is.
    """

    level: Level
    place: str
    expected: str
    done: str = ''
    cure: str = ''
    stays: bool = False

    @property
    def changes(self) -> bool:
        """Whether the checked content differs from the file."""
        return self.level is not Level.REFUSED and not self.stays


@dataclass
class Finding:
    """All faults of a kind in a file.

    Attributes:
        kind: name of the kind.
        what: the kind itself.
        count: how many records have the fault.
        ids: ids of the first few of these records.
        found: what the first of them had in place of what was expected; empty says nothing.
        exporter: the tool that wrote the file, None if it is not known.
    """

    kind: str
    what: Kind
    count: int = 0
    ids: list = field(default_factory=list)
    found: str = ''
    exporter: str | None = None

    def __str__(self) -> str:
        record, _, name = self.what.place.partition('.')
        return f'{record}{self._who()}: {name or "content"}: {self.explain()}'

    def explain(self) -> str:
        """Return what was expected, what was found, what is done and what cures it."""
        found = f', found {self.found}' if self.found else ''
        cures = self.what.cure, cure_of(self.kind, self.exporter)
        said = filter(None, (self.what.done, *cures))
        return '; '.join((f'expected {self.what.expected}{found}', *said))

    def first_ids(self) -> str:
        """Return the first few ids in a row; empty if the file as a whole has the fault."""
        return ', '.join(map(_short, self.ids))

    def _who(self) -> str:
        if not self.ids:
            return f' ({self.count} times)' if self.count > 1 else ''
        more = f' and {self.count - len(self.ids)} more' if self.count > len(self.ids) else ''
        return f' {self.first_ids()}{more}'


class Findings:
    """Collects findings of one file.

    Args:
        kinds: name to kind, of all faults that may be added.

    Attributes:
        exporter: the tool that wrote the file, None if it is not known.
    """

    def __init__(self, kinds: dict[str, Kind]):
        self.exporter: str | None = None
        self._kinds = kinds
        self._found: dict[str, Finding] = {}

    def add(self, kind: str, record_id: Any = None, found: Any = None) -> None:
        """Note that a record has a fault.

        Args:
            kind: name of the fault.
            record_id: id of the record; None if the fault is the file's.
            found: what stands in place of what was expected; None says nothing.
        """
        if kind not in self._found:
            self._found[kind] = Finding(kind, self._kinds[kind], exporter=self.exporter)
        finding = self._found[kind]
        finding.count += 1
        if record_id is not None and len(finding.ids) < SHOWN:
            finding.ids.append(record_id)
        if found is not None and not finding.found:
            finding.found = _short(found)

    def extend(self, kind: str, record_ids: Iterable, found: Any = None) -> None:
        """Note that several records have a fault."""
        for record_id in record_ids:
            self.add(kind, record_id, found)

    def __iter__(self) -> Iterator[Finding]:
        """Yield what was refused first, then the suspicious, then the mended."""
        order = list(Level)
        return iter(sorted(self._found.values(), key=lambda each: order.index(each.what.level)))

    def __len__(self) -> int:
        return len(self._found)

    def of(self, *levels: Level) -> list[Finding]:
        """Return the findings of these levels."""
        return [finding for finding in self if finding.what.level in levels]


def to_lines(name: str, findings: list[Finding]) -> list[str]:
    """Return one finding as a line, several as a table with counts and the first few ids.

    Args:
        name: of the file.
        findings: at least one.
    """
    if len(findings) == 1:
        return [f'{name}: {findings[0]}']
    rows = [('', 'count', 'record', 'first ids', 'what')]
    for each in findings:
        record, _, field_name = each.what.place.partition('.')
        place = f'{record}: {field_name or "content"}'
        what = each.explain()
        rows.append((each.what.level.value, str(each.count), place, each.first_ids(), what))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        '  '.join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[4]])
        for row in rows
    ]
    return [f'{name}: {len(findings)} kinds of faults', *lines]


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, Said) else repr(value)
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2 - 3
    return f'{text[:half]} ... {text[-half:]}'  # of a path, the name is at the end
