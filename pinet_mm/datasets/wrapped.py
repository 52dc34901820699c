"""Datasets, steps and metrics in a config, in whatever wrappers and under whatever scope.

Datasets are wrapped in RepeatDataset, ConcatDataset, CombinedDataset and the like, steps in
TransformBroadcaster, RandomApply and the like; `type` may be a class, `Name` or `scope.Name`.
"""

import os.path as osp
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..configs import mappings
from ..errors import InputError, RunError


def bare_name(settings: Mapping) -> str:
    """Return the name of the class that settings are of, without a scope; empty without one."""
    kind = settings.get('type', '')
    # What is no class is left to MMEngine, which says so.
    return (kind if isinstance(kind, str) else getattr(kind, '__name__', '')).rpartition('.')[2]


def is_ours(settings: Mapping, *names: str) -> bool:
    """Return whether settings are of one of these classes, as this package or MMPose has it.

    Args:
        settings: whose `type` may have the scope of another package, such as `mmdet.CocoMetric`.
        *names: without a scope.
    """
    if bare_name(settings) not in names:
        return False
    kind = settings['type']
    scope = kind.rpartition('.')[0] if isinstance(kind, str) else kind.__module__.partition('.')[0]
    return scope in ('', 'mmpose', 'pinet_mm')


def metrics_in(node: Mapping | Sequence | None) -> Iterator[dict]:
    """Yield the settings of metrics, also of those inside `MultiDatasetEvaluator`."""
    for each in node if isinstance(node, (list, tuple)) else [node]:
        if isinstance(each, dict) and 'metrics' in each:
            yield from metrics_in(each['metrics'])
        elif isinstance(each, dict) and 'type' in each:
            yield each


def steps_named(node: Any, *names: str) -> Iterator[dict]:
    """Iterate the settings of classes of these names, at any depth.

    Args:
        node: settings of a dataset, or steps of a pipeline.
        *names: without a scope.
    """
    return (each for each in mappings(node) if bare_name(each) in names)


def datasets_in(node: Any, around: Sequence[dict] = ()) -> Iterator[tuple[dict, list[dict]]]:
    """Iterate the settings of datasets that read a file, each with all steps of its samples.

    Args:
        node: settings of a dataset, or a list of them.
        around: steps that follow those of the datasets.
    """
    if isinstance(node, (list, tuple)):
        for each in node:
            yield from datasets_in(each, around)
    elif isinstance(node, dict):
        steps = [*(node.get('pipeline') or ()), *around]
        if node.get('ann_file'):
            yield node, steps
        for key in ('dataset', 'datasets'):
            yield from datasets_in(node.get(key), steps)


def existing_path(dataset: dict, loader: str) -> str | None:
    """Return the path of a dataset's file as MMEngine joins it; None if it is no local file.

    Args:
        dataset: settings with an `ann_file`.
        loader: name of the setting that it is of, for the error.

    Raises:
        RunError: the file does not exist.
    """
    path = osp.join(dataset.get('data_root') or '', dataset['ann_file'])
    if '://' in path:
        return None
    if not osp.isfile(path):
        raise RunError(
            f'the annotation file {path} of {loader} does not exist: put it there, or set '
            'data_root and ann_file (docs/data.md in the repository)'
        )
    return path


def predicting_steps(config: Mapping) -> list[dict]:
    """Return the steps by which a model predicts: those of the test data.

    Args:
        config: of the model.

    Raises:
        InputError: neither the dataset of `test_dataloader` nor any inside it has steps.
    """
    for each in mappings(config['test_dataloader']['dataset']):  # wrappers come first
        if each.get('pipeline'):
            return each['pipeline']
    raise InputError('the config has no steps to predict by: test_dataloader.dataset.pipeline')
