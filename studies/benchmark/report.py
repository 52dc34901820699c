"""The report of a benchmark: tables in Markdown and JSON, and the machine."""

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import torch

from ..tables import to_markdown

SCHEMA = 'pinet_mm.benchmark/1'
PACKAGES = (
    'torch',
    'numpy',
    'opencv-python',
    'mmengine',
    'mmpose',
    'mmcv',
    'mmcv-lite',
    'onnxruntime',
    'pinet-mm',
)


class Table(NamedTuple):
    """Rows that share their keys.

    Attributes:
        part: of the benchmark.
        title: what was measured.
        note: how, and what was left out for which reason.
        rows: at least one; a value that does not apply is None.
    """

    part: str
    title: str
    note: str
    rows: Sequence[Mapping[str, object]]


def to_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows that share their keys as a table in Markdown, numbers with three digits.

    Args:
        rows: at least one; the keys of the first are the header.
    """
    header = list(rows[0])
    return to_markdown(header, ([_format(row[key]) for key in header] for row in rows))


def _format(value: object) -> str:
    if value is None:
        return '–'
    if not isinstance(value, float):
        return str(value)
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:#.3g}'


def section(table: Table) -> str:
    """Format a table with its title and note."""
    return f'## {table.title}\n\n{table.note}\n\n{to_text(table.rows)}\n'


def describe_machine(device: str) -> dict[str, object]:
    """Return date, machine, device, versions; a `load_average` above 0 at the start is other work.

    Args:
        device: that is measured.
    """
    name = _processor()
    if torch.device(device).type == 'cuda':
        name = f'{torch.cuda.get_device_name(device)}, {name}'
    return dict(
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        device=device,
        hardware=name,
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        load_average=round(os.getloadavg()[0], 2),
        system=platform.platform(),
        python=platform.python_version(),
        versions=_versions(),
    )


def _processor() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_report(
    out_dir: Path, machine: Mapping[str, object], tables: Sequence[Table]
) -> list[Path]:
    """Write `benchmark.md` and `benchmark.json` and return their paths.

    Args:
        out_dir: made if it is missing.
        machine: what `describe_machine` returns.
        tables: those of the run.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    text, data = out_dir / 'benchmark.md', out_dir / 'benchmark.json'
    facts = [
        f'- {name}: '
        + (
            ', '.join(f'{key} {value}' for key, value in fact.items())
            if isinstance(fact, Mapping)
            else str(fact)
        )
        for name, fact in machine.items()
    ]
    text.write_text('\n'.join(['# Benchmark', '', *facts, '', *map(section, tables)]))
    data.write_text(
        json.dumps(
            dict(schema=SCHEMA, machine=machine, tables=[table._asdict() for table in tables]),
            indent=1,
        )
        + '\n'
    )
    return [text, data]
