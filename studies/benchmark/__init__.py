"""Measurements: what `tools/benchmark.py` runs and prints, one module for each part."""

from .decode import bench_decode
from .encode import bench_encode
from .gpu import bench_gpu
from .images import bench_images
from .plot import plot_scaling
from .report import Table, describe_machine, section, to_text, write_report
from .scaling import bench_scaling
from .training import bench_training

__all__ = [
    'Table',
    'bench_decode',
    'bench_encode',
    'bench_gpu',
    'bench_images',
    'bench_scaling',
    'bench_training',
    'describe_machine',
    'plot_scaling',
    'section',
    'to_text',
    'write_report',
]
