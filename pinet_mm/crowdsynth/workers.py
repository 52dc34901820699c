"""Drawing in several processes."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np


def spread(function: Callable, items: Iterable, workers: int, chunk: int = 16) -> list:
    """Return the function's results in order, from several processes.

    Args:
        function: Takes one item; both can be pickled.
        items: What it is called with.
        workers: Number of processes; 1 stays in this one.
        chunk: So many items are sent to a process at once.
    """
    _keep_freed_memory()
    if workers == 1:
        return [function(item) for item in items]
    # fork spares each worker the import of the parent's libraries
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn'
    with (
        _one_opencv_thread(),
        ProcessPoolExecutor(workers, multiprocessing.get_context(method)) as pool,
    ):
        return list(pool.map(function, items, chunksize=chunk))


def _keep_freed_memory() -> None:
    """Make the C library keep large freed blocks, in this process and its forks.

    Freeing a block of up to 32 MB raises the size from which glibc returns blocks to the system.
    Requesting them again for every array takes as long as the drawing itself.
    """
    block = np.empty(31 << 20, np.uint8)
    del block


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Run OpenCV with one thread in the block.

    Its threads do not survive a fork: a forked process that sets its own number of threads, to
    have one per worker, tries to end threads that do not exist, and hangs or dies.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
