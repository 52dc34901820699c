"""Poses in many images; images of one size go through the network together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmpose.models.pose_estimators import BottomupPoseEstimator
from torch import Tensor

from ..datasets.wrapped import predicting_steps
from ..errors import InputError
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .people import kind_of, person_boxes
from .results.pose_result import PoseResult
from .results.records import facts
from .sources.given import read_sources

# How far `predict` reads ahead to batch images of one size: this many batches, or this many pixels
# if the images are large photographs.
LOOKAHEAD = 4
LOOKAHEAD_PIXELS = 64e6


@torch.no_grad()
def predict(
    model: BottomupPoseEstimator | OnnxPoses,
    images: Iterable[Any] | str | Path | np.ndarray | Tensor,
    batch_size: int = 8,
) -> Iterator[PoseResult]:
    """Predict the poses of images, in their order, `batch_size` at a time.

    Args:
        model: what `load` or `load_onnx` returns; models other than PINet predict image by image.
        images: paths of images and videos, arrays, PIL images or tensors, of any sizes; or one of
            them. An array is (H, W, 3) uint8 in BGR order, as OpenCV reads; a tensor (3, H, W) in
            RGB order, as torchvision reads, uint8 or floats in [0, 1]. A video's frames are read
            as they are needed, so that memory does not grow with its length.
        batch_size: images of one input size per pass, fewer if they are so large that reading
            ahead would fill the memory; changes speed and memory, not results.

    Yields:
        A result for each image and each frame of a video, in pixels of that image: MMPose's
        sample, with `keypoints`, `scores` and more as properties.

    Raises:
        InputError: `batch_size` is below 1, or an image is not one of the above.
        RunError: there is a video, and PyAV is not installed.
    """
    if batch_size < 1:
        raise InputError(f'batch_size must be at least 1; found {batch_size}')
    sources = read_sources(images)
    if not isinstance(model, PINet):
        batch_size = 1  # CID of MMPose mixes the images of a batch, DEKR takes only one
    if isinstance(model, OnnxPoses):
        yield from (_onnx_result(model, source) for source in sources)
        return
    for inputs, places in _windows(model, sources, LOOKAHEAD * batch_size):
        samples = {}
        for batch in _batches_of_one_size(inputs, batch_size):
            found = model.test_step(pseudo_collate([inputs[i] for i in batch]))
            samples.update(zip(batch, found))
        for i, place in enumerate(places):
            result = PoseResult.of(samples[i], model.dataset_meta)
            result.set_metainfo(place)
            yield result


def _windows(
    model: BottomupPoseEstimator, sources: Iterable[dict], most: int
) -> Iterator[tuple[list[dict], list[dict]]]:
    # Prepared images and where they come from, as many as may be read ahead.
    pipeline = Compose(predicting_steps(model.cfg))
    inputs, places, pixels = [], [], 0
    for source in sources:
        pixels += source['img'][..., 0].size
        inputs.append(pipeline(dict(source, **model.dataset_meta)))
        places.append(_place(source))
        if len(inputs) == most or pixels >= LOOKAHEAD_PIXELS:
            yield inputs, places
            inputs, places, pixels = [], [], 0
    if inputs:
        yield inputs, places


def _place(source: dict) -> dict:
    return {name: source[name] for name in ('frame_index', 'seconds') if name in source}


def _onnx_result(model: OnnxPoses, source: dict) -> PoseResult:
    found = model(source['img'])
    people = dict(
        keypoints=found['keypoints'],
        keypoint_scores=found['keypoint_scores'],
        keypoints_visible=found['keypoint_scores'],
        bboxes=person_boxes(found),
        bbox_scores=found['scores'],
    )
    metainfo = dict(ori_shape=source['img'].shape[:2], img_path=source['img_path'])
    metainfo.update(_place(source), score=kind_of(model), **facts(model.dataset_meta))
    return PoseResult.of_arrays(people, metainfo)


def _batches_of_one_size(inputs: list[dict], batch_size: int) -> Iterator[list[int]]:
    by_size: dict[tuple, list[int]] = defaultdict(list)
    for i, item in enumerate(inputs):
        by_size[tuple(item['inputs'].shape)].append(i)
    for members in by_size.values():
        yield from (members[i : i + batch_size] for i in range(0, len(members), batch_size))
