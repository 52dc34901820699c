"""What a run of MMEngine leaves behind in its process, and how a test gets rid of it."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager

import pinet_mm  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)

import cv2
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

# Each keeps its instances by name; the last one is "the current one" to whoever asks.
MANAGERS = (DefaultScope, MessageHub, MMLogger, Visualizer)


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Restore what MMEngine's managers hold, OpenCV's threads, and how processes start."""
    kept = [list(manager._instance_dict.items()) for manager in MANAGERS]
    threads, start = cv2.getNumThreads(), multiprocessing.get_start_method(allow_none=True)
    yield
    for manager, instances in zip(MANAGERS, kept):
        manager._instance_dict.clear()
        manager._instance_dict.update(instances)
    cv2.setNumThreads(threads)
    multiprocessing.set_start_method(start, force=True)
