"""Poses of an evaluation that ends before its last image: they are written all the same."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric, DumpResults
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..datasets.evaluation import CocoResults
from ..environment.printing import one_line


@contextmanager
def keeping_poses(runner: Runner) -> Iterator[None]:
    """Write what `--json` and `--dump` have when an evaluation fails or is stopped.

    The error keeps its kind and its traceback, and says in a note where the poses are. Of several
    processes each has the poses of its own images, and a file for them, such as `poses.rank1.json`;
    only the one that fails is sure to get here.

    Args:
        runner: of the evaluation.
    """
    try:
        yield
    except BaseException as error:
        for metric in _writers(runner):
            _add_note(error, _write(metric))
        raise


def _writers(runner: Runner) -> list[BaseMetric]:
    # A metric that has written its file at the end of the run has no results any more.
    evaluator = getattr(runner._test_loop, 'evaluator', None)  # the property would build a loop
    metrics = getattr(evaluator, 'metrics', ())
    return [
        each for each in metrics if isinstance(each, (CocoResults, DumpResults)) and each.results
    ]


def _write(metric: BaseMetric) -> str:
    name = 'path' if isinstance(metric, CocoResults) else 'out_file_path'
    path = Path(getattr(metric, name))
    if get_rank():
        path = path.with_suffix(f'.rank{get_rank()}{path.suffix}')
        setattr(metric, name, str(path))
    try:
        metric.compute_metrics(metric.results)
    except Exception as error:  # the one that ended the evaluation counts
        return f'{path} could not be written: {error}'
    count = len(metric.results)
    before = 'the image before are' if count == 1 else f'the {count} images before are'
    return f'the poses of {before} in {path}'


def _add_note(error: BaseException, note: str) -> None:
    vars(error).setdefault('__notes__', []).append(note)
    if sys.version_info < (3, 11):  # whose tracebacks have no notes
        print_log(one_line(note), 'current', logging.WARNING)
