"""Measurements: what `tools/benchmark.py` runs and prints, one module for each part."""

from .encode import bench_encode
from .timing import processor_times, to_markdown

__all__ = ['bench_encode', 'processor_times', 'to_markdown']
