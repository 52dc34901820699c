"""The layout of the model's codec, brought into a config: data must have its keypoints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS, HOOKS

from ..configs import mappings
from ..datasets.drawn import CrowdSynthDataset
from ..datasets.metrics import check_converter
from ..datasets.wrapped import bare_name, is_ours, metrics_in
from ..errors import InputError
from ..method.layouts import PartLayout, names_of
from ..models.codec import build_layout
from ..models.keypoints import describe_difference
from ..models.test_cfg import TestSettings

# The second name is in configs that an earlier run wrote into its work folder.
METRICS = ('CocoMetric', 'LayoutCocoMetric')
CURE = "name the same metainfo in the codec's layout and in the dataset"


def follow_layout(cfg: Config, *loaders: str) -> None:
    """Evaluate by the sigmas of the model's layout, and compare its keypoints with those of data.

    Models without a layout are evaluated by the metainfo of their data.

    Args:
        cfg: changed in place: `LayoutCocoMetric` takes the place of `CocoMetric`.
        *loaders: names of settings such as `val_dataloader`.

    Raises:
        InputError: data have other keypoints, or other mirror pairs, or another order.
    """
    layout = _layout(cfg)
    for loader in loaders:
        metrics = list(metrics_in(cfg.get(loader.replace('dataloader', 'evaluator'))))
        for metric in metrics:
            if is_ours(metric, *METRICS):
                metric['type'] = 'LayoutCocoMetric'
        if layout is not None:
            _set_layout(metrics, layout, cfg)
            _require_keypoints(cfg.get(loader), metrics, layout, loader)
    if layout and bare_name(cfg.get('visualizer') or {}) == 'CrowdVisualizer':
        cfg.visualizer.layout = cfg.model.head.decoder.layout


def _set_layout(metrics: Sequence[dict], layout: PartLayout, cfg: Config) -> None:
    for metric in metrics:
        if metric['type'] == 'LayoutCocoMetric':
            metric['max_per_part'] = _max_per_part(cfg)
            # Converted poses have the keypoints of the annotations.
            converter = metric.get('pred_converter')
            check_converter('pred_converter', converter, sources=layout.num_keypoints)
            if not converter:
                metric['sigmas'] = list(layout.sigmas)


def _require_keypoints(
    settings: Mapping | None, metrics: Sequence[dict], layout: PartLayout, loader: str
) -> None:
    """Compare the datasets of a loader with the layout, unless its metric converts keypoints."""
    converts = any(each.get('gt_converter') or each.get('pred_converter') for each in metrics)
    if loader == 'train_dataloader' or not converts:
        for dataset in _outermost((settings or {}).get('dataset')):
            _require_same(dataset, layout, loader)


def _layout(cfg: Config) -> PartLayout | None:
    head = cfg.get('model', {}).get('head') or {}
    codec = head.get('decoder') or {}
    return build_layout(codec['layout']) if bare_name(codec) == 'PINetCodec' else None


def _max_per_part(cfg: Config) -> int:
    return (cfg.model.get('test_cfg') or {}).get('max_per_part', TestSettings().max_per_part)


def _outermost(node: Mapping | None) -> Iterator[dict]:
    """Yield the settings of datasets whose metainfo a run reads, in whatever wrapper they are."""
    if not isinstance(node, dict):
        return
    if node.get('metainfo') or 'dataset' not in node and 'datasets' not in node:
        yield node
        return
    inner = node.get('datasets') or [node.get('dataset')]
    for each in inner:
        yield from _outermost(each)


def _require_same(dataset: Mapping, layout: PartLayout, loader: str) -> None:
    """Compare a dataset, and its members, with the layout."""
    if 'KeypointConverter' in _steps(dataset):
        raise InputError(
            f'{loader}: a dataset with a KeypointConverter in its pipeline must be a member of a '
            "CombinedDataset that has the metainfo of the model's layout; found it on its own"
        )
    _compare(dataset, layout, loader)
    for member in (each for node in dataset.get('datasets', ()) for each in _outermost(node)):
        steps = _steps(member)
        if 'KeypointConverter' not in steps:
            _compare(member, layout, f'{loader}: a member without a KeypointConverter')
        elif (made := steps['KeypointConverter']['num_keypoints']) != layout.num_keypoints:
            raise InputError(
                f'{loader}: a KeypointConverter must make the {layout.num_keypoints} keypoints of '
                f"the model's layout; found num_keypoints={made}"
            )


def _steps(dataset: Mapping) -> dict[str, Mapping]:
    """Return the steps of a pipeline by their names, those inside others too."""
    return {bare_name(each): each for each in mappings(dataset.get('pipeline'))}


def _compare(dataset: Mapping, layout: PartLayout, owner: str) -> None:
    meta = _metainfo(dataset)
    if meta is None:
        return
    require_keypoints(meta, layout, owner)
    if not np.array_equal(np.float32(meta['sigmas']), np.float32(layout.sigmas)):
        print_log(
            f"{owner}: the sigmas of the model's layout count, not those of the data's metainfo",
            'current',
        )


def require_keypoints(meta: Mapping, layout: PartLayout, owner: str) -> None:
    """Check that data have the keypoints of a layout, in its order and with its mirror pairs.

    Args:
        meta: MMPose's parsed metainfo of the data.
        layout: of the model.
        owner: what messages call the data.

    Raises:
        InputError: they have others.
    """
    names = names_of(meta)
    if names != layout.keypoint_names:
        difference = describe_difference(names, layout.keypoint_names)
        raise InputError(
            f"{owner}: the keypoints of the data must be those of the model's layout, in its order"
            f"; {difference}; {CURE}, or convert with MMPose's KeypointConverter "
            '(docs/custom_dataset.md in the repository, "Merged datasets")'
        )
    if tuple(meta['flip_indices']) != layout.flip_indices:
        pairs = zip(names, meta['flip_indices'], layout.flip_indices)
        name, found, wanted = next(each for each in pairs if each[1] != each[2])
        raise InputError(
            f"{owner}: the data mirror {name} to {names[found]}, the model's layout to "
            f'{names[wanted]}; {CURE}'
        )


def _metainfo(dataset: Mapping) -> dict | None:
    """Return the parsed metainfo of a dataset; None if it has none."""
    kind = dataset.get('type')
    kind = kind if isinstance(kind, type) else DATASETS.get(kind)
    given = dataset.get('metainfo') or getattr(kind, 'METAINFO', None)
    if kind is CrowdSynthDataset:
        given = dataset.get('metainfo') or kind.metainfo_of(dataset.get('settings'))
    return parse_pose_metainfo(dict(given)) if given else None


@HOOKS.register_module()
class LayoutGuard(Hook):
    """Compare the keypoints of data with those of the model's layout before MMPose's own tools run.

    `pinet-mm train` and `pinet-mm test` do so before they build a model.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the data of a training."""
        _guard(runner, runner.train_dataloader, 'train_dataloader')

    def before_val(self, runner: Runner) -> None:
        """Compare the data of a validation, unless its metric converts keypoints."""
        if not _converts(runner.val_evaluator.metrics):
            _guard(runner, runner.val_dataloader, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        """Compare the data of an evaluation, unless its metric converts keypoints."""
        if not _converts(runner.test_evaluator.metrics):
            _guard(runner, runner.test_dataloader, 'test_dataloader')


def _converts(metrics: Sequence) -> bool:
    names = ('gt_converter', 'pred_converter')
    return any(getattr(metric, name, None) for metric in metrics for name in names)


def _guard(runner: Runner, loader: Any, owner: str) -> None:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    layout = getattr(getattr(model, 'head', None), 'layout', None)
    meta = getattr(loader.dataset, 'metainfo', None)
    if isinstance(layout, PartLayout) and meta:
        require_keypoints(meta, layout, owner)
