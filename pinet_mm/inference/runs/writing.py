"""Where the results of a run go: journal, overlays and videos, source after source."""

import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from ...environment.printing import one_line
from ..sources.items import Item, Source
from ..sources.videos import DEFAULT_RATE, video_facts
from .journal import Journal, saying_how_to_go_on
from .options import InferOptions
from .overlays import OverlayFolder
from .video_files import VideoWriter

# An image (H, W, 3), what was found in it, and the least length of the drawing's long side.
Draw = Callable[[np.ndarray, Any, int], np.ndarray]
LONG_SIDE = 480  # px, of drawings of small images; frames of a video keep their size
ROW = 360  # px, about the height of a drawing on the overview


class Outputs:
    """Write what was found, image by image.

    Args:
        journal: takes the records.
        overlays: takes the drawings.
        draw: makes a drawing.
        record: makes the record of a result.
        options: those of `infer`.
        is_redrawn: drawings are made anew for the overview, so that tags can be read there.
    """

    def __init__(
        self,
        journal: Journal,
        overlays: OverlayFolder,
        draw: Draw,
        record: Callable[[Any], dict],
        options: InferOptions,
        is_redrawn: bool = False,
    ):
        self._journal, self._overlays, self._draw = journal, overlays, draw
        self._record, self._options, self._is_redrawn = record, options, is_redrawn
        self._source: Source | None = None
        self._tracker: Any = None
        self._tracked: Source | Path | None = None
        self._video: VideoWriter | None = None
        self._frames = 0

    def write(self, item: Item, result: Any, is_new: bool = True) -> None:
        """Write what was found in an image; one that the journal has already is only drawn.

        Args:
            item: the image, or why there is none.
            result: what was found, None without an image.
            is_new: it is not in the journal yet.
        """
        if item.source is not self._source:
            self.finish()
            self._begin(item.source)
        if self._tracker and result is not None:
            ids = self._tracker.update(result)  # also if their ids are known, to go on from there
            result.ids = ids if is_new else result.ids
        drawn = self._write_drawing(item, result)
        if is_new:
            self._journal.append(self._entry(item, result, drawn))
        if result is None:
            why = item.error if item.frame is None else f'{item.name} {item.error}'
            tqdm.write(one_line(why), file=sys.stderr)
        self._frames += result is not None

    def _begin(self, source: Source) -> None:
        self._source, self._frames = source, 0
        # the images of a folder are the frames of a video
        video = Path(source.name).parent if source.kind == 'image' else source
        if self._options.tracker and video != self._tracked:
            self._tracker, self._tracked = self._options.tracker(), video

    def _entry(self, item: Item, result: Any, drawn: str | None) -> dict:
        name = dict(file=item.source.shown)
        times = {}
        if item.frame is not None:
            times = dict(frame=item.frame, seconds=round(item.seconds, 3))
        if result is None:
            return dict(name, **times, error=item.error)
        record = dict(self._record(result), **name)
        if item.frame is None:
            return dict(record, overlay=drawn)
        return {'file': record.pop('file'), **times, **record}

    def _write_drawing(self, item: Item, result: Any) -> str | None:
        if result is None or not self._options.overlays:
            return None
        if item.frame is None:
            name = self._overlays.name_of(item.source, '.jpg')
            drawing = self._draw(item.image, result, LONG_SIDE)
            small, title = self._draw_small(item.image, result), Path(item.source.shown).name
            return self._overlays.write(name, drawing, small, title)
        drawing = self._draw(item.image, result, 1)
        if self._video is None:
            self._video = self._open_video(item.source)
            small = self._draw_small(item.image, result)
            self._overlays.show(drawing if small is None else small, item.source.shown)
        with saying_how_to_go_on():
            self._video.write(drawing, item.seconds)
        return None

    def _draw_small(self, image: np.ndarray, result: Any) -> np.ndarray | None:
        # Line and letters grow with the image: shrunk to the overview, they could not be read.
        zoom = ROW / image.shape[0]
        if not (self._is_redrawn and self._overlays.has_room and zoom < 1):
            return None
        small = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        people = {name: np.asarray(value) for name, value in result.pred_instances.items()}
        for name in {'keypoints', 'bboxes'} & people.keys():
            people[name] = people[name] * zoom
        return self._draw(small, result.with_people(people), 1)

    def _open_video(self, source: Source) -> VideoWriter:
        path = self._overlays.path / self._overlays.name_of(source, '.mp4')
        with saying_how_to_go_on():
            if source.kind == 'stream':
                return VideoWriter(path, DEFAULT_RATE)
            clip = self._options.clip
            rate = Fraction(video_facts(source.name).rate) / clip.every
            return VideoWriter(path, rate, source.name, clip.start)

    def finish(self, is_whole: bool = True) -> None:
        """Close the video of the last source, and enter it in the journal.

        Args:
            is_whole: all frames of the source were seen.

        Raises:
            OSError: it cannot be closed, such as on a full disk; the message says how to go on.
        """
        # Forgotten first: what cannot be finished is not tried again.
        video, self._video = self._video, None
        source, self._source = self._source, None
        if video is not None:
            with saying_how_to_go_on():
                video.close()
        overlay = video and video.path.name
        if source and source.kind == 'video' and self._frames and is_whole:
            entry: Mapping = dict(video=source.shown, frames=self._frames, overlay=overlay)
            self._journal.append(entry)

    @property
    def folder(self) -> Path:
        """Where the drawings are."""
        return self._overlays.path
