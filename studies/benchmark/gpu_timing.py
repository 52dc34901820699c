"""Clocks of a device: time of a call, of its kernels, and its memory."""

import statistics
import time
from collections.abc import Callable

import torch

from .memory import MB


def kernel_times(
    function: Callable[[], object], device: str, count: int = 14
) -> list[dict[str, object]]:
    """Profile a call: what takes a device longest, and the sum; on a CPU, of its operations.

    Args:
        function: of no arguments.
        device: where it computes.
        count: kernels that are listed.
    """
    cuda = torch.device(device).type == 'cuda'
    for _ in range(3):
        function()
    synchronize(device)
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CPU, *[kinds.CUDA] * cuda]) as profile:
        function()
        synchronize(device)
    field = 'self_device_time_total' if cuda else 'self_cpu_time_total'
    events = [
        (getattr(event, field) / 1000, event.count, event.key)
        for event in profile.key_averages()
        if not cuda or event.device_type == torch.autograd.DeviceType.CUDA
    ]
    events = sorted((event for event in events if event[0] > 0), reverse=True)
    rows = [dict(kernel=name[:90], calls=calls, ms=ms) for ms, calls, name in events[:count]]
    return rows + [
        dict(
            kernel='all',
            calls=sum(calls for _, calls, _ in events),
            ms=sum(ms for ms, *_ in events),
        )
    ]


@torch.no_grad()
def device_time(function: Callable[[], object], device: str, seconds: float = 0.6) -> float:
    """Measure a call in milliseconds, the median of back-to-back calls after three to warm up.

    On a GPU, events on its stream are the clock, and the host waits for none of 5 to 50 calls.

    Args:
        function: of no arguments.
        device: where it computes.
        seconds: that the measured calls take about.
    """
    for _ in range(2):
        function()
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    count = int(seconds / max(time.perf_counter() - start, 1e-6))
    if torch.device(device).type != 'cuda':
        return statistics.median(_on_wall(function) for _ in range(min(count, 50) + 1))
    count = min(max(count, 5), 50)
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    marks[0].record()
    for mark in marks[1:]:
        function()
        mark.record()
    torch.cuda.synchronize()
    return statistics.median(first.elapsed_time(then) for first, then in zip(marks, marks[1:]))


def _on_wall(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def synchronize(device: str) -> None:
    """Wait for a device; a CPU has nothing to wait for."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def peak_of(device: str, function: Callable[[], object]) -> float | None:
    """Return the most memory in MB that torch had allocated in a call; None on a CPU."""
    if torch.device(device).type != 'cuda':
        function()
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    function()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) / MB
