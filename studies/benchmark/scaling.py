"""How the cost of inference grows with people, image size and batch."""

import copy
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from pinet_mm.errors import InputError

import numpy as np
import torch

from .memory import peak_memory
from .report import Table
from .scenes import codec_of_size, crowd_maps, load_model
from .stages import InferenceStages
from .timing import chain_times, clock_of, run_chain

# The stages that the plot shows.
GROUPS = dict(
    input=('input',),
    network=('backbone', 'branches'),
    refinement=('refinement',),
    decoding=('average', 'peaks', 'gather', 'sampling', 'scoring', 'fusion', 'packing'),
)


class Case(NamedTuple):
    """What is measured.

    Attributes:
        config: a file, or the name of one of the project's.
        checkpoint: of its weights, see `load_model`.
        device: where it computes.
        persons: in every image.
        size: side of the square images, which are the network's input.
        batch: images.
    """

    config: str
    checkpoint: str | None
    device: str
    persons: int = 10
    size: int = 128
    batch: int = 1


_model = lru_cache(maxsize=1)(load_model)


def stages_of(case: Case) -> InferenceStages:
    """Set up the stages of a case; its images are noise, in which the network finds a crowd."""
    model, size = _model(case.config, case.checkpoint, case.device), (case.size,) * 2
    pipeline = copy.deepcopy(list(model.cfg.test_dataloader.dataset.pipeline))
    for step in pipeline:
        if 'input_size' in step:
            step['input_size'] = size
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    views = 1 + model.head.check_settings(model.test_cfg).flip_test
    maps = crowd_maps(
        codec_of_size(model.cfg.codec, size), case.persons, case.batch, views, device=case.device
    )
    return InferenceStages(model, pipeline, [image] * case.batch, maps)


@torch.no_grad()
def run_case(case: Case) -> list:
    """Run once: the people of every image."""
    return run_chain(stages_of(case).chain())


@torch.no_grad()
def stage_times(cases: Sequence[Case], repeats: int = 3) -> list[dict[str, float]]:
    """Measure every stage of every case, in ms; the cases take turns.

    Args:
        cases: what is tested, on one device.
        repeats: see `chain_times`.
    """
    chains = {case: stages_of(case).chain() for case in cases}
    for chain in chains.values():
        run_chain(chain)
    times = chain_times(chains, repeats, clock_of(cases[0].device))
    return [times[case] for case in cases]


def bench_scaling(
    config: str,
    checkpoint: str | None = None,
    persons: Iterable[int] = (1, 10, 30, 100),
    sizes: Iterable[int] = (256, 512, 1024),
    batches: Iterable[int] = (1, 4, 16, 32),
    repeats: int = 3,
    device: str = 'cpu',
) -> list[Table]:
    """Measure the stages of inference along three axes, one at a time, from a default case.

    Args:
        config: a file, or the name of one of the project's.
        checkpoint: of its weights, see `load_model`.
        persons: in one image of the config's size.
        sizes: of one image with 10 people, multiples of 64.
        batches: images of the config's size with 10 people.
        repeats: see `chain_times`.
        device: where it computes.

    Raises:
        ValueError: a size is no multiple of 64.
    """
    sizes = list(sizes)
    if any(size % 64 for size in sizes):
        raise InputError(f'sizes must be multiples of 64; found {sizes}')
    side = _model(config, checkpoint, device).head.codec.input_size[0]
    base, tables = Case(config, checkpoint, device, size=side), []
    with peak_memory(device) as peak:
        for axis, values in dict(persons=persons, size=sizes, batch=batches).items():
            cases = [base._replace(**{axis: value}) for value in values]
            if cases:
                times = stage_times(cases, repeats)
                memory = [peak(run_case, case) for case in cases]
                tables.append(
                    Table(
                        'scaling',
                        f'Cost by {axis}',
                        _note(base, axis),
                        _rows(axis, cases, times, memory),
                    )
                )
    return tables


def _note(base: Case, axis: str) -> str:
    rest = [
        f'{name} {getattr(base, name)}' for name in ('persons', 'size', 'batch') if name != axis
    ]
    memory = (
        'of what torch allocated'
        if torch.device(base.device).type == 'cuda'
        else 'of a process that does nothing else'
    )
    return (
        f'{base.config}, otherwise {" and ".join(rest)}; ms per batch, medians. The last columns '
        f'are the sum, the sum per image, its ratio to the first row, and the peak {memory}.'
    )


def _rows(
    axis: str, cases: list[Case], times: list[dict[str, float]], memory: list[float]
) -> list[dict[str, object]]:
    first = sum(times[0].values()) / cases[0].batch
    rows = []
    for case, stages, peak in zip(cases, times, memory):
        total = sum(stages.values())
        rows.append(
            {
                axis: getattr(case, axis),
                **stages,
                'all': total,
                'per image': total / case.batch,
                'ratio': total / case.batch / first,
                'peak MB': peak,
            }
        )
    return rows
