"""Images, videos and streams in; overlays, videos and one JSON file out; by any model.

Needs no torch: a `Finder` brings the model.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ...atomic import require_writable
from ...onnx_runner import MEAN
from ..drawing.skeletons import Style, draw_poses
from ..people import AUTO, lowest_score, person_scores
from ..results.records import facts, from_record, header, to_record
from ..sources.items import Item, Source, count_images, find_sources, read_items
from .journal import Journal, begun_with
from .options import InferOptions
from .overlays import OverlayFolder
from .report import Report
from .writing import Draw, Outputs

JOURNAL = 'predictions.jsonl'


@dataclass(frozen=True)
class Finder:
    """What finds the poses of images.

    Attributes:
        dataset_meta: MMPose's metainfo of the people that it finds.
        predict: called with images (H, W, 3; uint8, BGR) and how many may go through at once;
            yields an `Answer` for each, which has `set_metainfo`.
        answer: makes an `Answer` of arrays named as in `pred_instances`, and metainfo.
        score_kind: what the scores of people are.
    """

    dataset_meta: Mapping
    predict: Callable[[Iterable[np.ndarray], int], Iterator[Any]]
    answer: Callable[[dict[str, np.ndarray], dict], Any]
    score_kind: str = MEAN


class Drawing(NamedTuple):
    """How images are drawn: by what, and the columns and cells (px) of the overview.

    Drawings are made anew for the overview, in the size that they have there, where `is_redrawn`.
    """

    draw: Draw
    columns: int = 4
    cell: int = 480
    is_redrawn: bool = False


def overlay(dataset_meta: Mapping, pose_thr: float, options: InferOptions) -> Drawing:
    """Return the drawing of an image with its people over it.

    Args:
        dataset_meta: MMPose's metainfo, for the skeleton.
        pose_thr: people with a lower score are left out.
        options: what else is drawn.
    """
    style = style_of(pose_thr, options)

    def draw(image: np.ndarray, result: Any, min_side: int) -> np.ndarray:
        people = result.pred_instances
        return draw_poses(image, people, dataset_meta, min_side=min_side, style=style)

    return Drawing(draw, is_redrawn=True)


def settle(
    pose_thr: float | str, score_kind: str, out_dir: str | Path, options: InferOptions
) -> float:
    """Return the lowest score of people who are drawn and written in a run.

    Args:
        pose_thr: see `lowest_score`; a run that is resumed keeps what it began with.
        score_kind: what the scores are.
        out_dir: of the run.
        options: of the run.
    """
    begun = begun_with(Path(out_dir, JOURNAL)) if options.resume and pose_thr == AUTO else None
    return lowest_score(pose_thr, score_kind) if begun is None else begun


def style_of(pose_thr: float, options: InferOptions) -> Style:
    """Return how people are drawn.

    Args:
        pose_thr: people with a lower score are left out.
        options: what else is drawn.
    """
    return Style(pose_thr, options.keypoint_thr, boxes=options.boxes, tags=True)


def run(
    finder: Finder,
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    batch_size: int,
    pose_thr: float,
    drawing: Drawing,
    options: InferOptions,
) -> Report:
    """Find the poses of all images of the inputs and write them, see `folders.infer`.

    Args:
        finder: finds them.
        inputs: see `find_sources`.
        out_dir: made if it is missing.
        batch_size: images per pass; 1 for streams.
        pose_thr: people with a lower score are left out.
        drawing: of an image.
        options: what is written, and of which frames.
    """
    out_dir, target = Path(out_dir), Path(out_dir, 'predictions.json')
    sources, start = find_sources(inputs, out_dir), perf_counter()
    require_writable(target)
    overlays = OverlayFolder(out_dir, drawing.columns, drawing.cell, gap=6)
    overlays.name_sources(sources)
    lowest = None if options.all_poses or options.schema == 1 else pose_thr
    journal = _open_journal(out_dir, finder, lowest, options)
    outputs = Outputs(
        journal,
        overlays,
        drawing.draw,
        lambda result: to_record(result, '', lowest, options.schema),
        options,
        is_redrawn=drawing.is_redrawn,
    )
    best, is_whole = array('d'), False
    try:
        todo = [each for each in sources if not journal.has(each.shown, each.kind == 'video')]
        with tqdm(total=count_images(todo, options.clip), unit=' images') as progress:
            for item, result, is_new in _found(finder, todo, journal, options, batch_size):
                outputs.write(item, result, is_new)
                if result is not None:
                    best.append(person_scores(result.pred_instances).max(initial=0))
                progress.update()
        is_whole = True
    finally:
        try:
            outputs.finish(is_whole)
        finally:  # also where a video cannot be finished
            journal.close()
            unreadable = journal.write_document(target)
    overlays.write_overview()
    overlays.require_all(target)
    seconds, has_overlays = perf_counter() - start, not overlays.is_empty
    facts_of_run = len(best), seconds, list(best), has_overlays, pose_thr, journal.is_begun
    return Report(target, unreadable, *facts_of_run)


def _open_journal(
    out_dir: Path, finder: Finder, lowest: float | None, options: InferOptions
) -> Journal:
    known, clip = facts(finder.dataset_meta), options.clip
    names, links = known['keypoint_names'], known['keypoint_links']
    head = header(names, links, lowest, options.schema, finder.score_kind)
    settings = dict(model=options.model, every=clip.every, start=clip.start, end=clip.end)
    return Journal(out_dir / JOURNAL, head, settings, options.resume)


def _found(
    finder: Finder,
    sources: Iterable[Source],
    journal: Journal,
    options: InferOptions,
    batch_size: int,
) -> Iterator[tuple[Item, Any, bool]]:
    # Every image, what was found in it, and whether it is new to the journal.
    noted = (each for source in sources for each in _with_notes(source, journal, options))
    for is_new, group in groupby(noted, lambda each: each[1] is None):
        if is_new:
            items = (item for item, _ in group)
            yield from ((*each, True) for each in _predict_items(finder, items, batch_size))
        else:
            for item, entry in group:
                yield item, _of_entry(finder, item, entry), False


def _with_notes(
    source: Source, journal: Journal, options: InferOptions
) -> Iterator[tuple[Item, dict | None]]:
    # The journal's entries of a source are those of its first images, in their order.
    notes = journal.replay(source.shown)
    for item in read_items(source, options.clip):
        yield item, next(notes, None)


def _of_entry(finder: Finder, item: Item, entry: dict) -> Any:
    if 'persons' not in entry:
        return None
    known = facts(finder.dataset_meta)
    people = from_record(entry, len(known['keypoint_names']))
    return finder.answer(people, dict(known, score=finder.score_kind, **_place(item)))


def _place(item: Item) -> dict:
    place = dict(img_path=item.source.shown, ori_shape=item.image.shape[:2])
    if item.frame is None:
        return place
    return dict(place, frame_index=item.frame, seconds=item.seconds)


def _predict_items(
    finder: Finder, items: Iterable[Item], batch_size: int
) -> Iterator[tuple[Item, Any]]:
    for is_live, group in groupby(items, lambda item: item.source.kind == 'stream'):
        # Reading ahead would delay a stream.
        if not is_live:
            yield from _predict_batch(finder, group, batch_size)
            continue
        for item in group:
            yield from _predict_batch(finder, [item], 1)


def _predict_batch(
    finder: Finder, items: Iterable[Item], batch_size: int
) -> Iterator[tuple[Item, Any]]:
    # `predict` reads ahead: `pending` keeps what belongs to each image until its poses are there.
    pending: deque[Item] = deque()

    def images() -> Iterator[np.ndarray]:
        for item in items:
            pending.append(item)
            if item.image is not None:
                yield item.image

    for result in finder.predict(images(), batch_size):
        while pending[0].image is None:
            yield pending.popleft(), None
        item = pending.popleft()
        result.set_metainfo(_place(item))
        yield item, result
    yield from ((item, None) for item in pending)
