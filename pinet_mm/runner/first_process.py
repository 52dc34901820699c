"""What only the first process of a machine does, before the processes of a run have met."""

import os

from mmengine.logging import print_log

from ..environment.printing import Lines

# Variables in which launchers number the processes of a machine, or of all machines.
RANKS = ('LOCAL_RANK', 'SLURM_LOCALID', 'OMPI_COMM_WORLD_LOCAL_RANK', 'RANK')


def is_first() -> bool:
    """Return whether this is the first process of its machine."""
    given = (os.environ[name] for name in RANKS if name in os.environ)
    return next(given, '0') == '0'


def say(*lines: str) -> None:
    """Log lines once per machine."""
    if lines and is_first():
        print_log(Lines.of(lines), 'current')
