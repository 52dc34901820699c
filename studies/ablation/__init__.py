"""Do parts, refinement and fusion help in crowds? Trained variants, test switches and baselines."""

from .report import write_report
from .study import run
from .training import Budget

__all__ = ['Budget', 'run', 'write_report']
