"""All checks of a GPU, the most important first, and the table of their results."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pinet_mm.errors import InputError

import torch

from ..tables import to_markdown
from . import functions, graphs, models, others, training, values
from .running import FAILED, LEFT_OUT, OK, Check, Place, run_checks

CHECKS: dict[str, Check] = {
    'environment': others.check_environment,
    'functions': functions.check_functions,
    'decoding': values.check_decoding,
    'losses': values.check_losses,
    'models': models.check_models,
    'half features': models.check_half_features,
    'prediction': models.check_prediction,
    'waiting': graphs.check_syncs,
    'batches': models.check_batches,
    'mixed precision': training.check_amp,
    'distributed': training.check_distributed,
    'CUDA graphs': graphs.check_graphs,
    'point_sample': others.check_point_sample,
    'ONNX Runtime': others.check_onnx,
    'compilation': graphs.check_compile,
}


def check_gpu(
    device: str,
    budget: float,
    only: Sequence[str] | None = None,
    tell: Callable[[Mapping], None] = lambda row: None,
) -> list[dict[str, object]]:
    """Run the checks on a device; on a CPU with small sizes.

    Args:
        device: such as `'cuda:0'`.
        budget: seconds, see `run_checks`.
        only: names of the checks that run, by default all of `CHECKS`.
        tell: called with every row.

    Returns:
        Rows, see `run_checks`.

    Raises:
        ValueError: there is no such check or device.
    """
    unknown = sorted(set(only or ()) - set(CHECKS))
    if unknown:
        raise InputError(f'there are no checks {unknown}; known are {list(CHECKS)}')
    place = Place(torch.device(device), small=torch.device(device).type != 'cuda')
    if place.device.type == 'cuda' and not torch.cuda.is_available():
        raise InputError(f'{device} was asked for, but there is no CUDA device')
    wanted = {name: check for name, check in CHECKS.items() if not only or name in only}
    return run_checks(wanted, place, budget, tell)


def line(row: Mapping[str, object]) -> str:
    """Format a row for the screen."""
    value = row['value']
    text = f'{value:.3g}' if isinstance(value, float) else str('' if value is None else value)
    limit = '' if row['limit'] is None else f' (at most {row["limit"]:g})'
    return (
        f'{row["verdict"]:<8} {row["check"]}: {row["what"]}  {text}{limit}  {row["unit"]}  '
        f'[{row["seconds"]:.1f} s]'
    )


def summary(rows: Sequence[Mapping[str, object]]) -> str:
    """Count the verdicts, and name the checks that failed or were left out."""
    counts = {
        verdict: sum(row['verdict'] == verdict for row in rows)
        for verdict in (OK, FAILED, LEFT_OUT)
    }
    lines = [', '.join(f'{count} {verdict}' for verdict, count in counts.items())]
    for verdict in (FAILED, LEFT_OUT):
        lines += [line(row) for row in rows if row['verdict'] == verdict]
    return '\n'.join(lines)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the rows as JSON, and as a Markdown table beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON has no NaN, which is the value where nobody was compared.
    plain = [row if row['value'] == row['value'] else dict(row, value=None) for row in rows]
    path.write_text(json.dumps(plain, indent=1) + '\n')
    header = ('check', 'what', 'verdict', 'value', 'limit', 'unit')
    text = to_markdown(header, ([_cell(row[key]) for key in header] for row in rows))
    path.with_suffix('.md').write_text(text + '\n')


def _cell(value: object) -> str:
    if value is None:
        return ''
    return f'{value:.2g}' if isinstance(value, float) else str(value)
