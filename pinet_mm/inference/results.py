"""Pictures and folders in, overlays and one JSON file out."""

import copy
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import cv2
import numpy as np
from mmpose.structures import PoseDataSample
from tqdm import tqdm

from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .drawing import before_and_after, contact_sheet, draw_poses
from .prediction import predict
from .sources import find_pictures

SCHEMA = 'pinet_mm.predictions/1'  # docs/predictions.md says what it holds


class Report(NamedTuple):
    """What `infer` did: its JSON, files that it could not read, pictures, seconds they took.

    `best_scores` holds the score of the best person of each image, 0 where there is none.
    """

    json: Path
    unreadable: list[str]
    pictures: int
    seconds: float
    best_scores: Sequence[float] = ()


def to_record(sample: PoseDataSample, name: str) -> dict:
    """Put a sample's persons into plain numbers, in pixels of the original picture.

    Returns:
        `file`, `width`, `height` and `persons`, the best first, each with `score`, `bbox` (x1, y1,
        x2, y2) and `keypoints`, a list of [x, y, score].
    """
    people, (height, width) = sample.pred_instances, sample.metainfo['ori_shape'][:2]
    keypoints = np.concatenate((people.keypoints, people.keypoint_scores[..., None]), axis=-1)
    persons = [
        dict(
            score=round(float(people.bbox_scores[i]), 4),
            bbox=people.bboxes[i].round(2).tolist(),
            keypoints=keypoints[i].round(4).tolist(),
        )
        for i in np.argsort(-people.bbox_scores, kind='stable')
    ]
    return dict(file=name, width=int(width), height=int(height), persons=persons)


def infer(
    model: PINet | OnnxPoses,
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    batch_size: int = 8,
    pose_thr: float = 0.1,
    before_fusion: bool = False,
) -> Report:
    """Write an overlay for every picture and one `predictions.json` with all of them.

    Files that are no pictures are reported, those in `out_dir` are no input; `overview.jpg` shows
    the first twelve overlays.

    Args:
        model: what `load` or `load_onnx` returns.
        inputs: pictures and folders.
        out_dir: made if it is missing.
        batch_size: pictures a pass, as in `predict`.
        pose_thr: persons with a lower score are left out of the overlays (the JSON has them).
        before_fusion: overlays show every proposed pose on their left; needs a model of `load`.

    Returns:
        A `Report`; docs/predictions.md describes the JSON.

    Raises:
        FileNotFoundError: an input is missing, or all pictures lie in `out_dir`.
    """
    out_dir = Path(out_dir)
    files = find_pictures(inputs, out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    records, overlays, unreadable, pending = [], [], [], deque()
    meta, start = model.dataset_meta, perf_counter()
    with tqdm(total=len(files), unit=' pictures') as progress:
        pictures = _read_pictures(files, pending, unreadable, progress)
        for sample in predict(model, pictures, batch_size):
            file, name, picture = pending.popleft()
            overlay = draw_poses(picture, sample.pred_instances, meta, pose_thr)
            if before_fusion:
                proposed = next(predict(_without_fusion(model), [picture])).pred_instances
                overlay = before_and_after(draw_poses(picture, proposed, meta, pose_thr), overlay)
            cv2.imwrite(str(out_dir / name), overlay)
            overlays = (overlays + [overlay])[:12]
            records.append(dict(to_record(sample, str(file)), overlay=name))
            progress.update()
    if overlays:
        columns, cell = (3, 640) if before_fusion else (4, 480)
        cv2.imwrite(str(out_dir / 'overview.jpg'), contact_sheet(overlays, columns, cell))
    target = out_dir / 'predictions.json'
    target.write_text(json.dumps(_document(meta, records, unreadable), indent=1))
    best_scores = [
        max((person['score'] for person in record['persons']), default=0.0) for record in records
    ]
    return Report(target, unreadable, len(records), perf_counter() - start, best_scores)


def _without_fusion(model: PINet) -> PINet:
    twin = copy.copy(model)  # shares the weights
    twin.test_cfg = dict(model.test_cfg or {}, oks_thr=1.0)  # no two poses are one person
    return twin


def _read_pictures(
    files: list[Path], pending: deque, unreadable: list, progress: tqdm
) -> Iterator[np.ndarray]:
    # Yields pictures for `predict` and leaves in `pending` what belongs to each.
    for file, name in zip(files, overlay_names(files)):
        picture = cv2.imread(str(file))
        if picture is None:
            unreadable.append(str(file))
            progress.update()
        else:
            pending.append((file, name, picture))
            yield picture


def _document(meta: dict, records: list[dict], unreadable: list[str]) -> dict:
    keypoint_names = [meta['keypoint_id2name'][i] for i in range(len(meta['keypoint_id2name']))]
    return dict(
        schema=SCHEMA,
        keypoint_names=keypoint_names,
        skeleton=[list(map(int, link)) for link in meta['skeleton_links']],
        pictures=records,
        unreadable=unreadable,
    )


def overlay_names(files: Iterable[Path]) -> list[str]:
    """Name a .jpg for each picture: those of one name in two folders keep apart."""
    names, used = [], {'overview.jpg'}
    for file in files:
        name, i = f'{file.stem}.jpg', 1
        while name in used:
            name, i = f'{file.stem}-{i}.jpg', i + 1
        used.add(name)
        names.append(name)
    return names
