"""Images and folders in; overlays and one JSON file out; by an exported model, without torch.

The results are those of `folders.infer` with the same file.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from ..atomic import write_whole
from ..errors import InputError
from ..onnx_runner import OnnxPoses
from .answers import Answer
from .overlays import OverlayFolder, overlay_names
from .records import POSE_THR, document_lines, facts, header, person_scores
from .report import Report
from .skeletons import draw_skeletons
from .sources import find_images, read_image


class LightResult(Answer):
    """What was found in an image, with the properties of `Answer`.

    Args:
        pred_instances: arrays named as in MMPose, in pixels of the original image.
        metainfo: `ori_shape`, `img_path` and what `records.facts` returns.
    """

    def __init__(self, pred_instances: Mapping[str, Any], metainfo: Mapping[str, Any]):
        self.pred_instances, self.metainfo = pred_instances, metainfo

    def _with(self, people: dict[str, np.ndarray]) -> 'LightResult':
        return LightResult(people, self.metainfo)


def predict_image(model: OnnxPoses, image: np.ndarray, file: str = '') -> LightResult:
    """Find the poses of an image.

    Args:
        model: an exported model.
        image: (H, W, 3) uint8 BGR.
        file: that it was read from.
    """
    found = model(image)
    people = dict(
        keypoints=found['keypoints'],
        keypoint_scores=found['keypoint_scores'],
        bbox_scores=found['scores'],
    )
    known = facts(model.dataset_meta)
    return LightResult(people, dict(ori_shape=image.shape[:2], img_path=file, **known))


def predict_files(
    model: OnnxPoses,
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    pose_thr: float = POSE_THR,
    all_poses: bool = False,
) -> Report:
    """Write an overlay for every image and one `predictions.json` with all of them.

    Files that are not images are reported; images that lie in `out_dir` are no inputs.
    `overview.jpg` shows the first twelve overlays.

    Args:
        model: an exported model.
        inputs: images and folders.
        out_dir: made if it is missing.
        pose_thr: people with a lower score are left out.
        all_poses: the JSON has people of any score.

    Raises:
        FileNotFoundError: an input is missing, or all images lie in `out_dir`.
        OSError: some overlays could not be written; the JSON is complete, and names the others.
    """
    files, start = find_images(inputs, out_dir), perf_counter()
    overlays = OverlayFolder(Path(out_dir), columns=4, cell=480)
    records, unreadable, best = [], [], []
    lowest = None if all_poses else pose_thr
    for file, name in tqdm(list(zip(files, overlay_names(files))), unit=' images'):
        try:
            image = read_image(file)
        except InputError:
            unreadable.append(str(file))
            continue
        result = predict_image(model, image, str(file))
        written = overlays.write(name, draw_skeletons(image, result, pose_thr))
        records.append(dict(result.to_record(lowest), overlay=written))
        best.append(float(person_scores(result.pred_instances).max(initial=0)))
    overlays.write_overview()
    target, known = Path(out_dir, 'predictions.json'), facts(model.dataset_meta)
    head = header(known['keypoint_names'], known['keypoint_links'], lowest)
    write_whole(target, ''.join(document_lines(head, records, unreadable)))
    overlays.require_all(target)
    return Report(target, unreadable, len(records), perf_counter() - start, best)
