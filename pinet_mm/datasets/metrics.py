"""MMPose's keypoint metric by the sigmas of a model's layout, with its numbers explained."""

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

import numpy as np
from mmengine.logging import MessageHub, print_log
from mmpose.evaluation.metrics import CocoMetric
from mmpose.registry import METRICS

from ..errors import InputError
from ..method.layouts import names_of
from ..onnx_runner import MEAN
from .file_order import require_order
from .limits import BOUNDS_NOTE, note_on_proposals
from .pose_files import to_entries
from .reasons import BEHIND, FEW, why_no_number, why_zero

BEFORE_TEST = 'iterations of the checkpoint'  # where MMEngine's hub holds them
MANY = 1000  # images, from which COCO's evaluation takes so long that a line announces it


@METRICS.register_module()
class LayoutCocoMetric(CocoMetric):
    """Evaluate as `CocoMetric` does, with the sigmas of the model's layout.

    It logs which crowd indices make an image easy, medium or hard, and why AP is 0 or -1. With a
    `gt_converter` annotations are converted once, as MMPose's `KeypointConverter` does it; a person
    is labeled if any converted keypoint is. A `pred_converter` converts poses in the same way; a
    pair of sources has the mean of their scores.

    Args:
        sigmas: K OKS sigmas of the model's keypoints; by default those of the metainfo.
        max_per_part: how many poses each part of the model proposes per image; a line is logged if
            images have more people.
        *args: those of `CocoMetric`.
        **options: those of `CocoMetric`.

    Raises:
        InputError: a `gt_converter` makes other keypoints than there are sigmas.
    """

    gt_converter: Mapping[str, Any] | None
    pred_converter: Mapping[str, Any] | None
    _score_kind = MEAN

    def __init__(
        self,
        *args,
        sigmas: Sequence[float] | None = None,
        max_per_part: int | None = None,
        **options,
    ):
        super().__init__(*args, **options)
        if self.coco is not None and max_per_part:
            note = note_on_proposals(self.coco.dataset['annotations'], max_per_part)
            if note:
                print_log(note, 'current')
        self.sigmas = sigmas and np.array(sigmas, dtype=np.float32)
        made = (self.gt_converter or {}).get('num_keypoints')
        if sigmas and made and made != len(sigmas):
            raise InputError(
                f'gt_converter must make the {len(sigmas)} keypoints of the model; found '
                f'num_keypoints={made}'
            )

    @property
    def dataset_meta(self) -> dict | None:
        """MMPose's metainfo of the dataset, with the sigmas that count."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        """Take the metainfo of the dataset, but for the sigmas of the layout.

        Raises:
            InputError: the annotations have their keypoints in another order, or a converter is not
                for them.
        """
        own = dict(dataset_meta)  # MMPose's class writes into it, and all metrics share it
        converter, known = self.gt_converter, dataset_meta['num_keypoints']
        check_converter('gt_converter', converter, sources=known)
        check_converter('pred_converter', self.pred_converter, made=known)
        if self.sigmas is not None:
            self.gt_converter = None  # the sigmas are those of converted keypoints already
            own.update(sigmas=self.sigmas, num_keypoints=len(self.sigmas))
        CocoMetric.dataset_meta.fset(self, own)
        self.gt_converter = converter
        if self.coco is not None and not (converter or self.pred_converter):
            require_order(self.coco.dataset, names_of(own), str(self.ann_file))

    def process(self, data_batch: Sequence[dict], data_samples: Sequence[dict]) -> None:
        """Keep what is evaluated, and what the scores are, see MMPose's class."""
        super().process(data_batch, data_samples)
        for sample in data_samples:
            self._score_kind = sample.get('score', MEAN)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the numbers, and log what explains them.

        Args:
            results: what `process` kept of every image.
        """
        if self.gt_converter and self.coco is not None:
            _convert_people(self.coco.anns.values(), self.gt_converter)
            self.gt_converter = None  # in each validation MMPose's class would convert again
        if converter := self.pred_converter:
            results = [(_convert_poses(pred, converter), truth) for pred, truth in results]
        if len(results) >= MANY:
            print_log(f'evaluating the poses of {len(results)} images', 'current')
        self.pred_converter = None  # MMPose's takes no pairs
        try:
            metrics = super().compute_metrics(results)
        finally:
            self.pred_converter = converter
        if 'AP(E)' in metrics:
            print_log(BOUNDS_NOTE, 'current')
        if metrics.get('AP', 1) <= 0:
            print_log(self._reason(metrics['AP'], [pred for pred, _ in results]), 'current')
        return metrics

    def _reason(self, ap: float, predictions: Sequence[Mapping]) -> str:
        annotations = self.coco.dataset['annotations']
        if ap < 0:
            return f'AP is -1: {why_no_number(annotations)}'
        entries = [
            entry
            for pred in predictions
            for entry in to_entries(
                pred['img_id'],
                pred['keypoints'],
                pred['keypoint_scores'],
                pred['category_id'],
                pred['bbox_scores'] if self.score_mode == 'bbox' else None,
            )
        ]
        use_area, sigmas = self.use_area, self._dataset_meta['sigmas']
        kind = self._score_kind if self.score_mode == 'bbox' else MEAN
        reason = why_zero(annotations, entries, sigmas, use_area, _iterations(), kind)
        return f'AP is 0: {reason or BEHIND}'


@METRICS.register_module(name='CocoMetric', force=True)
class PlainCocoMetric(LayoutCocoMetric):
    """MMPose's `CocoMetric` in MMPose's own tools, which explains its numbers too.

    `pinet-mm train` and `pinet-mm test` check the annotations and set the sigmas of the model.
    MMPose's tools do neither: there this class stands for `CocoMetric`, and says so.

    Args:
        *args: those of `CocoMetric`.
        **options: those of `CocoMetric`.
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        print_log(
            f'{self.ann_file or "the file of annotations"} is not checked here, and OKS takes the '
            "sigmas of the dataset's metainfo, not those of the model's layout. pinet-mm data "
            'check finds faults of the file; pinet-mm test checks it and takes the sigmas of the '
            'layout.',
            'current',
        )


def _iterations() -> int | None:
    """Return the iterations so far of the training whose validation this is.

    In an evaluation, what `tell_iterations` was told, or None.
    """
    hub = MessageHub.get_current_instance()
    if hub.get_info('loop_stage') != 'val':
        return hub.get_info(BEFORE_TEST)
    last = hub.get_info('iter')
    return None if last is None else last + 1


def tell_iterations(hub: MessageHub, iterations: object) -> None:
    """Let the reason of AP 0 say that a checkpoint has hardly been trained, where that is so.

    Args:
        hub: of the run.
        iterations: what the checkpoint says of its training.
    """
    # After many, weak poses rather ask whether this is the right checkpoint.
    is_few = isinstance(iterations, int) and 0 <= iterations < FEW
    hub.update_info(BEFORE_TEST, iterations if is_few else None)


def check_converter(
    name: str, converter: Mapping | None, sources: int | None = None, made: int | None = None
) -> None:
    """Check a converter of keypoints before anything is computed.

    Args:
        name: of the setting.
        converter: settings of a `KeypointConverter`, if there is one.
        sources: how many keypoints there are to convert, if that is known.
        made: how many there must be then.

    Raises:
        InputError: it is for others, or has another form.
    """
    if not converter:
        return
    try:
        count = index(converter['num_keypoints'])
        first, second, target = _indices(converter)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f'{name} must have num_keypoints, and as mapping pairs (source, keypoint) of indices, '
            f'where a source may be a pair itself; found {converter}'
        ) from error
    if made is not None and count != made:
        raise InputError(f'{name} must make {made} keypoints; found num_keypoints={count}')
    known = [('to', target, count)]
    if sources is not None:
        known.append(('from', first + second, sources))
    for what, places, end in known:
        wrong = [place for place in places if not 0 <= place < end]
        if wrong:
            raise InputError(
                f'{name}.mapping must lead {what} keypoints 0 to {end - 1}; found {wrong[0]}'
            )


def _indices(converter: Mapping[str, Any]) -> tuple[list[int], list[int], list[int]]:
    """Return both sources of each keypoint that is made, the same twice for one; and its place."""
    first, second, target = [], [], []
    for source, place in converter['mapping']:
        one, other = source if isinstance(source, (list, tuple)) else (source, source)
        first.append(index(one))
        second.append(index(other))
        target.append(index(place))
    return first, second, target


def _convert_poses(pred: Mapping[str, Any], converter: Mapping[str, Any]) -> dict:
    """Return the poses of an image with other keypoints; what is not mapped has a score of 0."""
    first, second, target = _indices(converter)
    made = {}
    for name in ('keypoints', 'keypoint_scores'):
        found = np.asarray(pred[name])  # (N, K, 2) and (N, K)
        made[name] = np.zeros(
            (len(found), converter['num_keypoints'], *found.shape[2:]), found.dtype
        )
        made[name][:, target] = (found[:, first] + found[:, second]) / 2
    return {**pred, **made}


def _convert_people(annotations, converter: Mapping[str, Any]) -> None:
    """Convert annotated people in place; a pair of sources is their mean, if both are labeled."""
    first, second, target = _indices(converter)
    for each in annotations:
        points = np.reshape(each['keypoints'], (-1, 3))
        labeled = (points[first, 2] > 0) & (points[second, 2] > 0)
        made = np.zeros((converter['num_keypoints'], 3))
        made[target, :2] = np.where(
            labeled[:, None], (points[first, :2] + points[second, :2]) / 2, 0
        )
        made[target, 2] = np.where(labeled, np.minimum(points[first, 2], points[second, 2]), 0)
        each.update(keypoints=made.ravel().tolist(), num_keypoints=int((made[:, 2] > 0).sum()))
