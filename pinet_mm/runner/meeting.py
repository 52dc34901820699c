"""The start of a distributed run: what a launcher says of its processes, and whether they meet."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from ..errors import RunError
from .workers import naming_dead_workers

# Launcher -> the variables by which it numbers processes and says where they meet.
VARIABLES = dict(
    none=(),
    pytorch=('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    slurm=('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_SIZE'),
)
START_BY = dict(pytorch='torchrun or tools/dist_train.sh', slurm='srun', mpi='mpirun')
# Variables that hold whole numbers, and the least of each.
LEAST = dict(
    RANK=0,
    LOCAL_RANK=0,
    WORLD_SIZE=1,
    LOCAL_WORLD_SIZE=1,
    MASTER_PORT=0,
    SLURM_PROCID=0,
    SLURM_NTASKS=1,
    OMPI_COMM_WORLD_RANK=0,
    OMPI_COMM_WORLD_LOCAL_RANK=0,
    OMPI_COMM_WORLD_SIZE=1,
)
LAST_PORT = 65535


def check_launcher(launcher: str) -> None:
    """Check the variables that a launcher sets.

    Args:
        launcher: none, pytorch, slurm or mpi.

    Raises:
        RunError: one is missing or holds a number that makes no sense, or slurm is to number GPUs
            where none is.
    """
    missing = [name for name in VARIABLES[launcher] if name not in os.environ]
    if missing:
        raise RunError(
            f'--launcher {launcher} is for runs that {START_BY[launcher]} starts, which sets '
            f'{", ".join(VARIABLES[launcher])}; missing: {", ".join(missing)}'
        )
    if launcher == 'mpi' and 'MASTER_ADDR' not in os.environ:
        raise RunError(
            '--launcher mpi needs the name of the machine of process 0: mpirun -x MASTER_ADDR=NAME'
        )
    # How many processes share the cores is asked of every run.
    ours = 'LOCAL_WORLD_SIZE', *VARIABLES[launcher], *(['LOCAL_RANK'] * (launcher == 'pytorch'))
    numbers = {name: _number(name) for name in ours if name in LEAST and name in os.environ}
    if launcher == 'pytorch':
        _require_at_most('RANK', numbers['RANK'], numbers['WORLD_SIZE'] - 1)
        _require_at_most('MASTER_PORT', numbers['MASTER_PORT'], LAST_PORT)
    if launcher == 'slurm' and not torch.cuda.device_count():
        raise RunError('--launcher slurm numbers processes by GPUs, and this machine has none')


def _number(name: str) -> int:
    text = os.environ[name]
    if not (text.isascii() and text.isdigit()) or int(text) < LEAST[name]:
        raise RunError(
            f'the variable {name} must be a whole number of at least {LEAST[name]}; found {text!r}'
        )
    return int(text)


def _require_at_most(name: str, number: int, most: int) -> None:
    if number > most:
        raise RunError(f'the variable {name} must be at most {most}; found {number}')


@contextmanager
def meeting() -> Iterator[None]:
    """Answer processes that do not meet, or have different models, with one sentence.

    Raises:
        RunError: the processes do not meet, or their models differ.
    """
    try:
        with naming_dead_workers():
            yield
    except distributed.DistError as error:
        where = f'{os.environ.get("MASTER_ADDR")}:{os.environ.get("MASTER_PORT")}'
        raise RunError(
            f'the {os.environ.get("WORLD_SIZE")} processes of this run did not meet at {where}: '
            f'{_first_line(error)} (env_cfg.dist_cfg.timeout says how many seconds they wait)'
        ) from error
    except RuntimeError as error:
        if 'appears not to match' not in str(error):
            raise
        raise RunError(
            f'the processes of this run must have the same model; found {_first_line(error)}'
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip('.')
