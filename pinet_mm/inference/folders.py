"""Images, videos and streams in; overlays, videos and one JSON file out."""

import copy
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .drawing.explanation import Sheet
from .drawing.sheets import before_and_after
from .drawing.skeletons import Style
from .explaining import explain, explain_each
from .people import AUTO, kind_of
from .prediction import predict
from .results.pose_result import PoseResult
from .runs.options import DEFAULTS, InferOptions
from .runs.report import Report
from .runs.running import Drawing, Finder, overlay, run, settle, style_of


def infer(
    model: PINet | OnnxPoses,
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    batch_size: int = 8,
    pose_thr: float | str = AUTO,
    before_fusion: bool = False,
    options: InferOptions = DEFAULTS,
) -> Report:
    """Write an overlay for every image or video and one `predictions.json` with all of them.

    Each image's poses are first appended to `predictions.jsonl`; the JSON is made of it at the end,
    also after an error or Ctrl-C. What cannot be read is reported; images that lie in `out_dir` are
    no inputs. `overview.jpg` shows the first twelve overlays. Memory does not grow with the number
    of frames.

    Args:
        model: what `load` or `load_onnx` returns.
        inputs: images, videos, streams and more, see `find_sources`.
        out_dir: made if it is missing.
        batch_size: images per pass, as in `predict`; 1 for streams.
        pose_thr: people with a lower score are left out, see `lowest_score`; a run that is
            resumed keeps the one that it began with.
        before_fusion: overlays show the proposed poses beside the fused ones; needs a PINet.
        options: what is written, and of which frames.

    Returns:
        A `Report`; docs/predictions.md describes the JSON.

    Raises:
        InputError: `before_fusion` or `options.explain` with another model, or options other than
            those of the run that is to be resumed.
        FileNotFoundError: an input is missing, or all images lie in `out_dir`.
        OSError: some overlays could not be written; the JSON is complete, and names the others.
    """
    for name, wanted in (('before_fusion', before_fusion), ('explain', options.explain)):
        if wanted and not isinstance(model, PINet):
            raise InputError(
                f'{name} needs the poses before they are fused, which only a PINet with its '
                f'weights has; found {type(model).__name__}'
            )
    pose_thr = settle(pose_thr, kind_of(model), out_dir, options)
    drawing = overlay(model.dataset_meta, pose_thr, options)
    find = partial(predict, model)
    if options.explain and options.overlays:
        drawing, find = _step_by_step(model, style_of(pose_thr, options)), _explained(model)
    elif before_fusion:
        drawing = _beside_proposals(model, drawing)
    finder = Finder(model.dataset_meta, find, PoseResult.of_arrays, kind_of(model))
    return run(finder, inputs, out_dir, batch_size, pose_thr, drawing, options)


def _beside_proposals(model: PINet, after: Drawing) -> Drawing:
    def draw(image: np.ndarray, result: Any, min_side: int) -> np.ndarray:
        (proposed,) = predict(_without_fusion(model), [image])
        return before_and_after(*(after.draw(image, each, min_side) for each in (proposed, result)))

    return Drawing(draw, columns=3, cell=640)


def _step_by_step(model: PINet, style: Style) -> Drawing:
    skeleton, names = model.dataset_meta['skeleton_links'], model.head.layout.part_names

    def draw(image: np.ndarray, result: Any, min_side: int) -> np.ndarray:
        # What was found before the run was resumed comes without its steps.
        steps = result.get('explanation') or explain(model, image)
        return Sheet(image, steps, skeleton, names, style).draw(result)

    return Drawing(draw, columns=2, cell=960)


def _explained(model: PINet) -> Callable[[Iterable[np.ndarray], int], Iterator[PoseResult]]:
    def find(images: Iterable[np.ndarray], _: int) -> Iterator[PoseResult]:
        for sample, steps in explain_each(model, images):
            result = PoseResult.of(sample, model.dataset_meta)
            result.explanation = steps
            yield result

    return find


def _without_fusion(model: PINet) -> PINet:
    twin = copy.copy(model)  # shares the weights
    twin.test_cfg = dict(model.test_cfg or {}, oks_thr=1.0)  # no two poses are one person
    return twin
