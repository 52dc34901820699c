"""The findings of a check: one entry per kind of fault, with counts and the first few ids."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

SHOWN = 5  # ids that a finding keeps


class Said(str):
    """A finding in words rather than as a value."""


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
    """

    kind: str
    what: Kind
    count: int = 0
    ids: list = field(default_factory=list)
    found: str = ''

    def __str__(self) -> str:
        record, _, name = self.what.place.partition('.')
        found = f', found {self.found}' if self.found else ''
        text = f'{record}{self._who()}: {name or "content"}: expected {self.what.expected}{found}'
        return '; '.join((text, *filter(None, (self.what.done, self.what.cure))))

    def _who(self) -> str:
        if not self.ids:
            return f' ({self.count} times)' if self.count > 1 else ''
        more = f' and {self.count - len(self.ids)} more' if self.count > len(self.ids) else ''
        return f' {", ".join(map(repr, self.ids))}{more}'


class Findings:
    """Collects findings of one file.

    Args:
        kinds: name to kind, of all faults that may be added.
    """

    def __init__(self, kinds: dict[str, Kind]):
        self._kinds = kinds
        self._found: dict[str, Finding] = {}

    def add(self, kind: str, record_id: Any = None, found: Any = None) -> None:
        """Note that a record has a fault.

        Args:
            kind: name of the fault.
            record_id: id of the record; None if the fault is the file's.
            found: what stands in place of what was expected; None says nothing.
        """
        finding = self._found.setdefault(kind, Finding(kind, self._kinds[kind]))
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


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, Said) else repr(value)
    return text if len(text) <= 80 else f'{text[:76]} ...'
