"""Checks of the package on a GPU: what `tools/gpu_check.py` runs and prints."""

from .check import CHECKS, check_gpu, line, summary, write_rows
from .running import failed

__all__ = ['CHECKS', 'check_gpu', 'failed', 'line', 'summary', 'write_rows']
