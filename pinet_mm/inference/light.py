"""Images, videos and streams in; overlays and one JSON file out; by an exported model.

Needs no torch. The results are those of `folders.infer` with the same file.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..onnx_runner import SHIPPED, OnnxPoses
from .people import AUTO, kind_of
from .results.answers import Answer
from .results.records import facts
from .runs.options import DEFAULTS, InferOptions
from .runs.report import Report
from .runs.running import Finder, overlay, run, settle
from .sources.given import read_sources


class LightResult(Answer):
    """What was found in an image, with the properties of `Answer`.

    Args:
        pred_instances: arrays named as in MMPose, in pixels of the original image.
        metainfo: `ori_shape`, `img_path` and what `records.facts` returns; of a frame also
            `frame_index` and `seconds`.
    """

    def __init__(self, pred_instances: Mapping[str, Any], metainfo: Mapping[str, Any]):
        self.pred_instances, self.metainfo = dict(pred_instances), dict(metainfo)

    def set_metainfo(self, metainfo: Mapping[str, Any]) -> None:
        """Add to the metainfo, or replace what has the same name there."""
        self.metainfo.update(metainfo)

    def with_people(self, people: dict[str, np.ndarray]) -> 'LightResult':
        """Return the same with other people.

        Args:
            people: arrays named as in `pred_instances`.
        """
        return LightResult(people, self.metainfo)


def load(
    path: str | Path | None = None, threads: int = 0, short_side: int | None = None
) -> OnnxPoses:
    """Load an exported model.

    Args:
        path: of its file; None for the one that the package ships.
        threads: of ONNX Runtime; 0 for one per core.
        short_side: pixels to which images are resized; None for those of the file.

    Raises:
        FileNotFoundError: there is no such file.
        RunError: ONNX Runtime is missing or cannot run the file, or `short_side` is given and the
            file does not say how to resize images.
    """
    path = path or SHIPPED
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist: name a file that pinet-mm export wrote')
    try:
        model = OnnxPoses(str(path), threads=threads)
    except (ImportError, ValueError) as error:
        raise RunError(str(error)) from error
    if short_side:
        require_resize(model, path)
        model.resize.update(size=[short_side, short_side])
    return model


def require_resize(model: OnnxPoses, path: str | Path) -> None:
    """Check that an exported model says how to resize images.

    Args:
        model: an exported model.
        path: of its file.

    Raises:
        RunError: it says nothing.
    """
    if not model.resize:
        raise RunError(
            f'{path} does not say how to resize images: the test pipeline of its config has '
            'neither BottomupResize (resize_mode=expand) nor WholeCentreResize'
        )


def predict(model: OnnxPoses, images: Any) -> Iterator[LightResult]:
    """Predict the poses of images, one by one, in their order.

    Args:
        model: an exported model.
        images: paths of images and videos, arrays, PIL images or tensors, or one of them, see
            `given.read_sources`.

    Yields:
        A result for each image and each frame.
    """
    known = dict(facts(model.dataset_meta), score=kind_of(model))
    for source in read_sources(images):
        found, image = model(source['img']), source.pop('img')
        people = dict(
            keypoints=found['keypoints'],
            keypoint_scores=found['keypoint_scores'],
            bbox_scores=found['scores'],
        )
        yield LightResult(people, dict(source, ori_shape=image.shape[:2], **known))


def predict_files(
    model: OnnxPoses,
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    pose_thr: float | str = AUTO,
    options: InferOptions = DEFAULTS,
) -> Report:
    """Write an overlay for every image or video and one `predictions.json` with all of them.

    Args:
        model: an exported model.
        inputs: images, videos, streams and more, see `find_sources`.
        out_dir: made if it is missing.
        pose_thr: people with a lower score are left out, see `lowest_score`.
        options: what is written, and of which frames.

    Returns:
        What `folders.infer` returns, which says more of it.

    Raises:
        InputError: options other than those of the run that is to be resumed.
        FileNotFoundError: an input is missing, or all images lie in `out_dir`.
        OSError: some overlays could not be written; the JSON is complete, and names the others.
    """
    pose_thr = settle(pose_thr, kind_of(model), out_dir, options)
    drawing = overlay(model.dataset_meta, pose_thr, options)
    finder = Finder(
        model.dataset_meta, lambda images, _: predict(model, images), LightResult, kind_of(model)
    )
    return run(finder, inputs, out_dir, 1, pose_thr, drawing, options)
