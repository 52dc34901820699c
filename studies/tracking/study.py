"""Run the study: videos, poses, two trackers whose thresholds are chosen on other videos."""

import json
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from pinet_mm.atomic import write_whole
from pinet_mm.inference.tracking import Tracker, TrackerSettings

import numpy as np
from tabulate import tabulate

from .measures import Follow, measure
from .scenes import SOURCES, VIDEOS, Poses, Video, load_model, make_video

SCHEMA = 'pinet_mm.tracking/1'
OURS, BYTE = 'this tracker', 'ByteTrack'
# what is chosen on the validation videos: the score at which somebody begins to be followed, and
# for ByteTrack also that from which poses choose first, up to it
STARTS = (0.1, 0.2, 0.3, 0.4, 0.5)


def run(out: Path, val_videos: int = 3, test_videos: int = 5) -> dict:
    """Write `results.json` into a folder.

    Args:
        out: made if missing.
        val_videos: number of videos on which thresholds are chosen.
        test_videos: number of videos that are measured.

    Returns:
        What `results.json` holds.
    """
    start, model = time.process_time(), load_model()
    sigmas = np.asarray(model.dataset_meta['sigmas'], float)
    val = [make_video(model, index, 'val') for index in range(val_videos)]
    test = [make_video(model, index, 'test') for index in range(test_videos)]
    rows = [
        dict(poses=source, tracker=name, **_compare(val, test, source, candidates, sigmas))
        for source in SOURCES
        for name, candidates in _trackers(sigmas).items()
    ]
    results = dict(
        schema=SCHEMA,
        videos=dict(val=val_videos, test=test_videos, **VIDEOS.as_dict()),
        people=sum(len({*np.concatenate([frame.ids for frame in v.truth])}) for v in test),
        libraries={name: version(name) for name in ('trackers', 'supervision', 'numpy', 'scipy')},
        cpu_seconds=round(time.process_time() - start),
        rows=rows,
    )
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / 'results.json', json.dumps(results, indent=1) + '\n')
    return results


def _compare(
    val: Sequence[Video],
    test: Sequence[Video],
    source: str,
    candidates: dict[str, Callable[[], Follow]],
    sigmas: np.ndarray,
) -> dict:
    """Return what the candidate that keeps most identities of `val` does on `test`."""
    tried = {name: measure(val, source, make, sigmas)['IDF1'] for name, make in candidates.items()}
    best = max(tried, key=lambda name: tried[name])
    return dict(
        settings=best, val_IDF1=tried[best], **measure(test, source, candidates[best], sigmas)
    )


def _trackers(sigmas: np.ndarray) -> dict[str, dict[str, Callable[[], Follow]]]:
    """Return both trackers with each setting that is tried."""
    return {
        OURS: {f'start {start}': _ours(sigmas, start) for start in STARTS},
        BYTE: {
            f'activation {start}, high {high}': _byte(start, high)
            for start in STARTS
            for high in STARTS
            if high <= start
        },
    }


def _ours(sigmas: np.ndarray, start: float) -> Callable[[], Follow]:
    def make() -> Follow:
        tracker = Tracker(sigmas, TrackerSettings(start=start))
        return lambda poses: tracker.update(*poses)

    return make


def _byte(start: float, high: float) -> Callable[[], Follow]:
    """Return ByteTrack of `trackers` on the boxes around the poses."""
    import supervision as sv
    from trackers import ByteTrackTracker

    def make() -> Follow:
        tracker = ByteTrackTracker(
            frame_rate=VIDEOS.fps, track_activation_threshold=start, high_conf_det_threshold=high
        )

        def follow(poses: Poses) -> np.ndarray:
            ids = np.full(len(poses.scores), -1)
            boxes = np.concatenate([poses.keypoints.min(1), poses.keypoints.max(1)], 1)
            numbers = dict(number=np.arange(len(ids)))
            found = tracker.update(
                sv.Detections(boxes, confidence=poses.scores.astype(float), data=numbers)
            )
            if len(found):
                ids[found.data['number']] = found.tracker_id
            return ids

        return follow

    return make


def to_table(rows: Sequence[dict]) -> str:
    """Return the rows as a table in Markdown.

    Args:
        rows: of `results.json`.
    """
    header = ('poses', 'tracker', 'IDF1', 'switches', 'MOTA', 'HOTA', 'recall', 'precision')
    cells = [
        [f'{row[name]:.3f}' if isinstance(row[name], float) else row[name] for name in header]
        for row in rows
    ]
    return tabulate(cells, header, tablefmt='github', disable_numparse=True)
