"""Images, videos and streams in; overlays, videos and one JSON file out."""

import copy
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .items import Item, Source, count_images, find_sources, read_items
from .journal import Journal
from .options import DEFAULTS, InferOptions
from .overlays import OverlayFolder
from .prediction import predict
from .records import facts, from_record, header, person_scores, to_record
from .report import Report
from .results import PoseResult
from .sheets import before_and_after
from .skeletons import Style, draw_poses
from .writing import Draw, Outputs


def infer(
    model: PINet | OnnxPoses,
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    batch_size: int = 8,
    pose_thr: float = 0.1,
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
        pose_thr: people with a lower score are left out.
        before_fusion: overlays show the proposed poses beside the fused ones; needs a PINet.
        options: what is written, and of which frames.

    Returns:
        A `Report`; docs/predictions.md describes the JSON.

    Raises:
        InputError: `before_fusion` with another model, or options other than those of the run that
            is to be resumed.
        FileNotFoundError: an input is missing, or all images lie in `out_dir`.
        OSError: some overlays could not be written; the JSON is complete, and names the others.
    """
    style = Style(pose_thr, options.keypoint_thr, boxes=options.boxes, tags=True)
    draw = _drawing_of(model, style, before_fusion)
    out_dir = Path(out_dir)
    sources, start = find_sources(inputs, out_dir), perf_counter()
    overlays = OverlayFolder(out_dir, *((3, 640) if before_fusion else (4, 480)), gap=6)
    overlays.name_sources(sources)
    lowest = None if options.all_poses or options.schema == 1 else pose_thr
    known, target = facts(model.dataset_meta), out_dir / 'predictions.json'
    head = header(known['keypoint_names'], known['keypoint_links'], lowest, options.schema)
    clip = options.clip
    run = dict(model=options.model, every=clip.every, start=clip.start, end=clip.end)
    journal = Journal(out_dir / 'predictions.jsonl', head, run, options.resume)
    outputs = Outputs(
        journal,
        overlays,
        draw,
        lambda result: to_record(result, '', lowest, options.schema),
        options,
    )
    best = array('d')
    is_whole = False
    try:
        todo = [each for each in sources if not journal.has(each.name, each.kind == 'video')]
        with tqdm(total=count_images(todo, clip), unit=' images') as progress:
            for item, result, is_new in _found(model, todo, journal, options, batch_size):
                outputs.write(item, result, is_new)
                if result is not None:
                    best.append(person_scores(result.pred_instances).max(initial=0))
                progress.update()
        is_whole = True
    finally:
        outputs.finish(is_whole)
        journal.close()
        unreadable = journal.write_document(target)
    overlays.write_overview()
    overlays.require_all(target)
    return Report(target, unreadable, len(best), perf_counter() - start, list(best))


def _drawing_of(model: PINet | OnnxPoses, style: Style, before_fusion: bool) -> Draw:
    if before_fusion and not isinstance(model, PINet):
        raise InputError(
            'before_fusion needs the poses before they are fused, which only a PINet with its '
            f'weights has; found {type(model).__name__}'
        )

    def draw(image: np.ndarray, result: Any, min_side: int) -> np.ndarray:
        def drawn(found: Any) -> np.ndarray:
            people = found.pred_instances
            return draw_poses(image, people, model.dataset_meta, min_side=min_side, style=style)

        if not before_fusion:
            return drawn(result)
        (proposed,) = predict(_without_fusion(model), [image])
        return before_and_after(drawn(proposed), drawn(result))

    return draw


def _without_fusion(model: PINet) -> PINet:
    twin = copy.copy(model)  # shares the weights
    twin.test_cfg = dict(model.test_cfg or {}, oks_thr=1.0)  # no two poses are one person
    return twin


def _found(
    model: PINet | OnnxPoses,
    sources: Iterable[Source],
    journal: Journal,
    options: InferOptions,
    batch_size: int,
) -> Iterator[tuple[Item, PoseResult | None, bool]]:
    # Every image, what was found in it, and whether it is new to the journal.
    noted = (each for source in sources for each in _with_notes(source, journal, options))
    for is_new, group in groupby(noted, lambda each: each[1] is None):
        if is_new:
            items = (item for item, _ in group)
            yield from ((*each, True) for each in _predict_items(model, items, batch_size))
        else:
            for item, entry in group:
                yield item, _of_entry(model, item, entry), False


def _with_notes(
    source: Source, journal: Journal, options: InferOptions
) -> Iterator[tuple[Item, dict | None]]:
    # The journal's entries of a source are those of its first images, in their order.
    notes = journal.replay(source.name)
    for item in read_items(source, options.clip):
        yield item, next(notes, None)


def _of_entry(model: PINet | OnnxPoses, item: Item, entry: dict) -> PoseResult | None:
    if 'persons' not in entry:
        return None
    known = facts(model.dataset_meta)
    people = from_record(entry, len(known['keypoint_names']))
    return PoseResult.of_arrays(people, dict(known, **_place(item)))


def _place(item: Item) -> dict:
    place = dict(img_path=item.source.name, ori_shape=item.image.shape[:2])
    if item.frame is None:
        return place
    return dict(place, frame_index=item.frame, seconds=item.seconds)


def _predict_items(
    model: PINet | OnnxPoses, items: Iterable[Item], batch_size: int
) -> Iterator[tuple[Item, PoseResult | None]]:
    for is_live, group in groupby(items, lambda item: item.source.kind == 'stream'):
        # Reading ahead would delay a stream.
        if not is_live:
            yield from _predict_batch(model, group, batch_size)
            continue
        for item in group:
            yield from _predict_batch(model, [item], 1)


def _predict_batch(
    model: PINet | OnnxPoses, items: Iterable[Item], batch_size: int
) -> Iterator[tuple[Item, PoseResult | None]]:
    # `predict` reads ahead: `pending` keeps what belongs to each image until its poses are there.
    pending: deque[Item] = deque()

    def images() -> Iterator[np.ndarray]:
        for item in items:
            pending.append(item)
            if item.image is not None:
                yield item.image

    for result in predict(model, images(), batch_size):
        while pending[0].image is None:
            yield pending.popleft(), None
        item = pending.popleft()
        result.set_metainfo(_place(item))
        yield item, result
    yield from ((item, None) for item in pending)
