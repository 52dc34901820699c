"""Images and folders in, overlays and one JSON file out."""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from mmpose.structures import PoseDataSample
from tqdm import tqdm

from ..atomic import write_whole
from ..errors import InputError
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .drawing import draw_poses
from .overlays import OverlayFolder, overlay_names
from .prediction import predict
from .records import document_lines, header, person_scores, to_record
from .results import Report, facts
from .sheets import before_and_after
from .sources import find_images, read_image

# An image (H, W, 3) and what was found in it: its overlay.
Draw = Callable[[np.ndarray, PoseDataSample], np.ndarray]


@dataclass(frozen=True)
class Form:
    """What the JSON of `infer` holds.

    Attributes:
        all_poses: people of any score, not only those who are drawn.
        schema: 2, or 1 for the form of version 0.1, which has people of any score.
    """

    all_poses: bool = False
    schema: int = 2


DEFAULT_FORM = Form()


def infer(
    model: PINet | OnnxPoses,
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    batch_size: int = 8,
    pose_thr: float = 0.1,
    before_fusion: bool = False,
    form: Form = DEFAULT_FORM,
) -> Report:
    """Write an overlay for every image and one `predictions.json` with all of them.

    Files that are not images are reported, and images in `out_dir` are not read. `overview.jpg`
    shows the first twelve overlays.

    Args:
        model: what `load` or `load_onnx` returns.
        inputs: images and folders.
        out_dir: made if it is missing.
        batch_size: images per pass, as in `predict`.
        pose_thr: people with a lower score are left out.
        before_fusion: overlays show every proposed pose on their left; needs a PINet.
        form: of the JSON.

    Returns:
        A `Report`; docs/predictions.md describes the JSON.

    Raises:
        FileNotFoundError: an input is missing, or all images lie in `out_dir`.
        OSError: overlays could not be written; the JSON is, and names only the others.
        ValueError: `before_fusion` with another model.
    """
    draw = _drawing_of(model, pose_thr, before_fusion)
    out_dir = Path(out_dir)
    files, start = find_images(inputs, out_dir), perf_counter()
    overlays = OverlayFolder(out_dir, *((3, 640) if before_fusion else (4, 480)))
    lowest = None if form.all_poses or form.schema == 1 else pose_thr
    make = partial(to_record, pose_thr=lowest, schema=form.schema)
    records, unreadable, best = _predict_and_draw(model, files, batch_size, draw, overlays, make)
    overlays.write_overview()
    target, known = out_dir / 'predictions.json', facts(model.dataset_meta)
    head = header(known['keypoint_names'], known['keypoint_links'], lowest, form.schema)
    write_whole(target, ''.join(document_lines(head, records, unreadable)))
    overlays.require_all(target)
    return Report(target, unreadable, len(records), perf_counter() - start, best)


def _drawing_of(model: PINet | OnnxPoses, pose_thr: float, before_fusion: bool) -> Draw:
    if before_fusion and not isinstance(model, PINet):
        raise InputError(
            'before_fusion needs the poses before they are fused, which only a PINet with its '
            f'weights has; found {type(model).__name__}'
        )

    def draw(image: np.ndarray, sample: PoseDataSample) -> np.ndarray:
        overlay = draw_poses(image, sample.pred_instances, model.dataset_meta, pose_thr)
        if not before_fusion:
            return overlay
        (proposed,) = predict(_without_fusion(model), [image])
        before = draw_poses(image, proposed.pred_instances, model.dataset_meta, pose_thr)
        return before_and_after(before, overlay)

    return draw


def _without_fusion(model: PINet) -> PINet:
    twin = copy.copy(model)  # shares the weights
    twin.test_cfg = dict(model.test_cfg or {}, oks_thr=1.0)  # no two poses are one person
    return twin


def _predict_and_draw(
    model: PINet | OnnxPoses,
    files: Sequence[Path],
    batch_size: int,
    draw: Draw,
    overlays: OverlayFolder,
    make: Callable,
) -> tuple[list[dict], list[str], list[float]]:
    # Records of the images, the files that are not images, the best score of each image.
    records, unreadable, best, pending = [], [], [], deque()
    with tqdm(total=len(files), unit=' images') as progress:
        images = _read(files, pending, unreadable, progress)
        for sample in predict(model, images, batch_size):
            file, name, image = pending.popleft()
            written = overlays.write(name, draw(image, sample))
            records.append(dict(make(sample, str(file)), overlay=written))
            best.append(float(person_scores(sample.pred_instances).max(initial=0)))
            progress.update()
    return records, unreadable, best


def _read(
    files: Sequence[Path], pending: deque, unreadable: list[str], progress: tqdm
) -> Iterator[np.ndarray]:
    # `predict` reads ahead: `pending` keeps what belongs to each image until its poses are there.
    for file, name in zip(files, overlay_names(files)):
        try:
            image = read_image(file)
        except InputError:
            unreadable.append(str(file))
            progress.update()
        else:
            pending.append((file, name, image))
            yield image
