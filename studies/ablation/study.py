"""Run the study: rows side by side, each trained and evaluated, one results file to continue."""

import json
import math
import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from pinet_mm.atomic import write_whole
from pinet_mm.environment.packages import mmcv_has_operators
from pinet_mm.errors import InputError, RunError
from pinet_mm.models.acceleration import half_precision

import torch
from mmengine.device import get_device

from .pinet2 import ALL
from .testing import switches_of, test_by_stage, test_scored, test_set, test_variant
from .training import Budget, train_backbone, train_score, train_variant
from .variants import BASELINES_WITH_OPERATORS, ROWS, SCORED, SEEDS, Rows, Variant

SCHEMA = 'pinet_mm.ablation/1'


def run(
    out: Path,
    budget: Budget,
    names: Sequence[str] = (),
    jobs: int = 1,
    seeds: int = SEEDS,
    rows: Rows = ROWS,
) -> Path:
    """Train and evaluate all rows that the results file does not have yet.

    A row that lacks some evaluations is completed, if its checkpoint is still there.

    Args:
        out: folder for checkpoints, the test set and `results.json`.
        budget: of every row.
        names: variants to run; by default all.
        jobs: rows at a time, each a process of one thread.
        seeds: how many seeds of each variant are run.
        rows: of the study, pairs of a variant and a seed.

    Returns:
        The results file, which is written after every row.

    Raises:
        RunError: the results file has another budget, a name is unknown, or a row failed; the
            others are run and kept first.
        ValueError: `jobs` or `seeds` is below 1, or the test set there has another size
            or crowd.
    """
    for name, value in dict(jobs=jobs, seeds=seeds).items():
        if value < 1:
            raise InputError(f'{name} must be at least 1; found {value}')
    path = out / 'results.json'
    results, chosen = _open(path, budget), _choose(names, seeds, rows)
    skipped = {name: why for name, _ in rows if (why := why_skipped(name)) is not None}
    left = [
        (name, seed)
        for name, seed in chosen
        if name not in skipped and _is_left(out, name, seed, results['rows'].get(f'{name}/{seed}'))
    ]
    if not left:
        return path
    results.update(skipped=skipped, persons=test_set(out / 'data', budget).persons.counts)
    _save(path, results)
    known = [results['rows'].get(f'{name}/{seed}') for name, seed in left]
    backbone = _alone(train_backbone, out / 'backbone', budget) if None in known else None
    failed = {}
    with ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(_alone, _row, out, budget, name, seed, backbone, row): f'{name}/{seed}'
            for (name, seed), row in zip(left, known)
        }
        for done in as_completed(running):
            row = running[done]
            try:
                results['rows'][row] = done.result()
            except Exception as error:  # the other rows go on; raised below
                failed[row] = error
                continue
            _save(path, results)
            print(f'{row} is in {path}', flush=True)
    if failed:
        row, error = next(iter(failed.items()))
        raise RunError(f'{len(failed)} of {len(left)} rows failed, first {row}: {error}') from error
    return path


def why_skipped(name: str) -> str | None:
    """Return why a variant cannot be trained here, or None."""
    if name in BASELINES_WITH_OPERATORS and not mmcv_has_operators():
        return 'its deformable convolutions are compiled operators of the full mmcv'
    return None


def read(path: Path) -> dict:
    """Read a results file.

    Raises:
        RunError: it is none.
    """
    if not path.is_file():
        raise RunError(f'{path} does not exist: run the study without --report-only first')
    try:
        results = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise RunError(f'{path} cannot be read as results: {error}') from error
    if (
        not isinstance(results, dict)
        or results.get('schema') != SCHEMA
        or not {'budget', 'rows'} <= set(results)
    ):
        raise RunError(f'{path} is no results file of tools/ablation.py ({SCHEMA})')
    # Once there was one crowd, which the budget did not name.
    results['budget'] = {**Budget().as_dict(), **results['budget']}
    return results


def _open(path: Path, budget: Budget) -> dict:
    if not path.exists():
        machine = f'{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}'
        return dict(
            schema=SCHEMA, budget=budget.as_dict(), machine=machine, skipped={}, persons={}, rows={}
        )
    results = read(path)
    if results['budget'] != budget.as_dict():
        raise RunError(
            f'{path} was made with the budget {results["budget"]}; found '
            f'{budget.as_dict()}: take that, or another folder'
        )
    return results


def _choose(names: Sequence[str] = (), seeds: int = SEEDS, rows: Rows = ROWS) -> Rows:
    known = dict(rows)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise RunError(f'there is no variant {unknown[0]}; known are {", ".join(known)}')
    return tuple(
        (name, seed) for name, seed in rows if (not names or name in names) and seed < seeds
    )


def _is_left(out: Path, name: str, seed: int, row: dict | None) -> bool:
    if row is None:
        return True
    variant = ALL[name]
    missing = set(switches_of(variant, seed)) - set(row['tests'])
    if variant.scored:
        missing |= set(SCORED) - set(row['tests'])
    if _is_staged(variant) and 'by_stage' not in row:
        missing.add('by_stage')
    has_checkpoint = (out / row['checkpoint']).is_file()
    if missing and not has_checkpoint:
        print(
            f'{name}/{seed} is not tested with {", ".join(sorted(missing))}: '
            f'{row["checkpoint"]} is gone',
            flush=True,
        )
    return bool(missing) and has_checkpoint


def _row(
    out: Path, budget: Budget, name: str, seed: int, backbone: Path | None, row: dict | None
) -> dict:
    variant, data = ALL[name], test_set(out / 'data', budget)
    if row is None:
        checkpoint = train_variant(variant, out / f'{name}_{seed}', budget, seed, backbone)
        half = half_precision(get_device()) if variant.amp else None
        row = dict(
            checkpoint=str(checkpoint.relative_to(out)),
            tests={},
            trained_in=str(half or torch.float32).removeprefix('torch.'),
        )
    # Its own checkpoint, whatever the folder holds beside it.
    checkpoint = out / row['checkpoint']
    more = test_variant(variant, checkpoint, seed, data, row['tests'])
    row = dict(row, tests={**row['tests'], **more})
    if _is_staged(variant) and 'by_stage' not in row:
        row['by_stage'] = test_by_stage(variant, checkpoint, data)
    if variant.scored and not set(SCORED) <= set(row['tests']):
        scored = train_score(variant, checkpoint.parent / 'score', budget, seed, checkpoint)
        row['tests'].update(test_scored(variant, scored, data))
    return row


def _is_staged(variant: Variant) -> bool:
    return variant.refines and not variant.tested


def _alone(function: Callable, *args):
    # A process of its own: MMEngine keeps a run's loggers and visualizers until the process ends,
    # and one that is killed takes no other row along.
    with ProcessPoolExecutor(
        1, mp_context=get_context('spawn'), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        return pool.submit(function, *args).result()


def _save(path: Path, results: dict) -> None:
    # Killed while writing, the old file is still whole.
    write_whole(path, json.dumps(_without_nan(results), indent=1, allow_nan=False))


def _without_nan(value):
    # JSON has no NaN: a fold without such people is null.
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
