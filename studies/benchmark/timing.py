"""Timing of functions, and of the stages of a chain, against each other."""

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

from pinet_mm.errors import InputError

import torch

# Stages by name, in their order. Each takes what the one before returned, the first None.
Chain = Mapping[str, Callable[[object], object]]


def chain_of(owner: object, *names: str) -> Chain:
    """Make a chain of an object's methods; the object keeps what they hand on."""

    def stage(method: Callable[[], object]) -> Callable[[object], object]:
        return lambda _: method()

    return {name: stage(getattr(owner, name)) for name in names}


def run_chain(chain: Chain) -> object:
    """Run the stages of a chain one after the other and return what the last one does."""
    value = None
    for stage in chain.values():
        value = stage(value)
    return value


def clock_of(device: str | torch.device) -> Callable[[], float]:
    """Choose a clock, in seconds, for what a device does.

    Processor time for one thread, since other work on the machine does not count in it. Wall-clock
    time for several threads and for GPUs, where waiting is part of the work.
    """
    device = torch.device(device)
    if device.type == 'cpu':
        return time.process_time if torch.get_num_threads() == 1 else time.perf_counter

    def finished() -> float:
        torch.get_device_module(device).synchronize(device)
        return time.perf_counter()

    return finished


def chain_times(
    chains: Mapping[str, Chain], repeats: int = 7, clock: Callable[[], float] = time.process_time
) -> dict[str, dict[str, float]]:
    """Measure every stage of every chain, in milliseconds: {chain: {stage: median}}.

    The chains take turns, so that a change of the machine's pace affects all alike.

    Args:
        chains: by name. Run them once before: the first run loads what later ones find loaded.
        repeats: turns; of every stage the median of them is returned.
        clock: gives seconds.

    Raises:
        ValueError: `repeats` is below 1.
    """
    if repeats < 1:
        raise InputError(f'repeats must be at least 1; found {repeats}')
    times: dict[str, dict[str, list[float]]] = {
        name: {stage: [] for stage in chain} for name, chain in chains.items()
    }
    for _ in range(repeats):
        for name, chain in chains.items():
            for stage, seconds in _laps(chain, clock).items():
                times[name][stage].append(seconds)
    return {
        name: {stage: 1000 * statistics.median(values) for stage, values in stages.items()}
        for name, stages in times.items()
    }


def _laps(chain: Chain, clock: Callable[[], float]) -> dict[str, float]:
    laps, value, start = {}, None, clock()
    for name, stage in chain.items():
        value = stage(value)
        end = clock()
        laps[name], start = end - start, end
    return laps


def call_times(
    functions: Mapping[str, Callable[[], object]],
    repeats: int = 7,
    least: float = 0.02,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Measure a call of every function, in milliseconds.

    In a turn a fast function is called until `least` seconds have passed, and its calls are
    averaged.

    Args:
        functions: what is called, by name, without arguments.
        repeats: see `chain_times`.
        least: seconds per turn.
        clock: gives seconds.

    Raises:
        ValueError: `repeats` is below 1.
    """
    if repeats < 1:
        raise InputError(f'repeats must be at least 1; found {repeats}')
    counts = {name: _calls_for(function, least, clock) for name, function in functions.items()}
    chains = {
        name: dict(calls=partial(_call, function, counts[name]))
        for name, function in functions.items()
    }
    return {
        name: stages['calls'] / counts[name]
        for name, stages in chain_times(chains, repeats, clock).items()
    }


def _calls_for(function: Callable[[], object], least: float, clock: Callable[[], float]) -> int:
    function()  # the first call loads what later ones find loaded
    seconds = _laps(dict(call=lambda _: function()), clock)['call']
    return max(1, int(least / max(seconds, 1e-6)))


def _call(function: Callable[[], object], count: int, _: object) -> None:
    for _ in range(count):
        function()
