"""The parts of the benchmark, the options of each, and the run of one or all."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path

from pinet_mm.errors import RunError

import torch

from .plot import plot_scaling
from .report import Table, describe_machine, section, write_report

# Part -> the options that its `bench_PART` takes.
TAKES = dict(
    encode=('persons', 'repeats'),
    decode=('config', 'repeats', 'device'),
    images=('config', 'checkpoint', 'batches', 'repeats', 'device', 'compiled'),
    scaling=('config', 'checkpoint', 'persons', 'sizes', 'batches', 'repeats', 'device'),
    training=('config', 'batches', 'repeats', 'device'),
    gpu=('budget', 'device', 'batches', 'tell', 'only'),
)
OF_ALL = tuple(part for part in TAKES if part != 'gpu')
SMALL = 'pinet_hrnet-slim_crowdsynth.py'  # for the parts that cannot do without a config
# Without a config, `images` takes the default model, and the network of the paper's tables too, a
# batch of which takes seconds on a CPU.
LIGHT = 'pinet_lite_photos.py'
WIDE = 'pinet_hrnet_coco.py'
WIDE_DEFAULTS = dict(cpu=dict(batches=[1], repeats=3), cuda=dict(batches=[1, 8, 16]))


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the parts; None leaves the choice to them.

    Args:
        device: where networks and decoding run.
        config: a file, or the name of one of the project's configs.
        checkpoint: of the config; by default the shipped weights, or random ones.
        repeats: turns, of which the median counts.
        persons: sizes of the crowds.
        sizes: sides of the images.
        batches: batch sizes.
        budget: seconds after which no step on a GPU starts.
        only: words; of the steps on a GPU, those whose names contain one.
        compiled: measure compiled networks and ONNX files as well.
        tell: gets a line for every step on a GPU.
    """

    device: str
    config: str | None = None
    checkpoint: str | None = None
    repeats: int | None = None
    persons: list[int] | None = None
    sizes: list[int] | None = None
    batches: list[int] | None = None
    budget: float = 120
    only: list[str] | None = None
    compiled: bool = False
    tell: Callable[[str], None] | None = None

    def of(self, part: str) -> dict:
        """Return the options that are set and that a part takes."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        if part in ('images', 'scaling', 'training'):
            named['config'] = self.config or SMALL
        return {name: named[name] for name in TAKES[part] if named[name] is not None}


def run(part: str, options: Options, out: Path | None, tell: Callable[[str], None]) -> None:
    """Measure a part, or 'all' but the GPU's.

    Args:
        part: of `TAKES`, or 'all'.
        options: what the parts are told.
        out: folder for the tables and the plot; by default work_dirs/benchmark for all parts, none
            for one.
        tell: gets the text of every table, and the names of the files.

    Raises:
        RunError: a checkpoint is named for a part whose time does not depend on weights.
    """
    if options.checkpoint and part != 'all' and 'checkpoint' not in TAKES[part]:
        raise RunError(
            f'{part} takes no CHECKPOINT, for its time does not depend on weights; '
            f'found {options.checkpoint}'
        )
    out = out or (Path('work_dirs/benchmark') if part == 'all' else None)
    machine, tables = describe_machine(options.device), []
    for each in OF_ALL if part == 'all' else [part]:
        found = measure(each, options)
        for table in found:
            tell(section(table))
        tables += found
    if out:
        tell('Wrote ' + ', '.join(map(str, _write(out, machine, tables))))


def measure(part: str, options: Options) -> list[Table]:
    """Return the tables of one part."""
    bench = getattr(import_module(f'.{part}', __package__), f'bench_{part}')
    given = options.of(part)
    tables = bench(**given)
    if part == 'images' and not options.config:
        defaults = WIDE_DEFAULTS[torch.device(options.device).type]
        tables = tables + bench(**{**given, 'config': LIGHT})
        tables = tables + bench(**{**defaults, **given, 'config': WIDE})
    return tables


def _write(out: Path, machine: dict, tables: list[Table]) -> list[Path]:
    files = list(write_report(out, machine, tables))
    curves = [table for table in tables if table.part == 'scaling']
    if curves:
        files.append(out / 'scaling.png')
        plot_scaling(curves, files[-1])
    return files
