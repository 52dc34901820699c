"""Peak memory of a computation."""

import multiprocessing
import resource
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import torch

MB = 2**20


@contextmanager
def peak_memory(device: str) -> Iterator[Callable[..., float]]:
    """Return a function that calls another one and returns its peak memory in MB.

    On a GPU that is the most that torch allocated. On a CPU it is that of a process that does
    nothing else, libraries and weights included: every call gets a new process, so the function
    and its arguments must be picklable.

    Args:
        device: where it computes.
    """
    if torch.device(device).type == 'cuda':
        yield _allocated
        return
    # The server has loaded the libraries, but computed nothing.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__package__ + '.scaling'])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        yield lambda function, *args: pool.submit(resident, function, *args).result()


def _allocated(function: Callable, *args) -> float:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    function(*args)
    return torch.cuda.max_memory_allocated() / MB


def resident(function: Callable, *args) -> float:
    """Call a function and return the largest memory, in MB, that this process ever had."""
    function(*args)
    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB
