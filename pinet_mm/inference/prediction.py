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

from ..errors import InputError
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .given import as_many, read_source
from .records import person_boxes
from .results import PoseResult, facts

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
        images: paths, arrays, PIL images or tensors, of any sizes; or one of them. An array is
            (H, W, 3) uint8 in BGR order, as OpenCV reads; a tensor (3, H, W) in RGB order, as
            torchvision reads, uint8 or floats in [0, 1].
        batch_size: images of one input size per pass, fewer if they are so large that reading
            ahead would fill the memory; changes speed and memory, not results.

    Yields:
        A result for each image, in pixels of that image: MMPose's sample, with `keypoints`,
        `scores` and more as properties.

    Raises:
        InputError: `batch_size` is below 1, or an image is not one of the above.
    """
    if batch_size < 1:
        raise InputError(f'batch_size must be at least 1; found {batch_size}')
    images = as_many(images)
    if not isinstance(model, PINet):
        batch_size = 1  # CID of MMPose mixes the images of a batch, DEKR takes only one
    if isinstance(model, OnnxPoses):
        yield from (_onnx_result(model, read_source(image)) for image in images)
        return
    for inputs in _windows(model, images, LOOKAHEAD * batch_size):
        samples = {}
        for batch in _batches_of_one_size(inputs, batch_size):
            found = model.test_step(pseudo_collate([inputs[i] for i in batch]))
            samples.update(zip(batch, found))
        yield from (PoseResult.of(samples[i], model.dataset_meta) for i in range(len(inputs)))


def _windows(model: BottomupPoseEstimator, images: Iterable, most: int) -> Iterator[list[dict]]:
    # Prepared images, as many as may be read ahead.
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    inputs, pixels = [], 0
    for image in images:
        source = read_source(image)
        pixels += source['img'][..., 0].size
        inputs.append(pipeline(dict(source, **model.dataset_meta)))
        if len(inputs) == most or pixels >= LOOKAHEAD_PIXELS:
            yield inputs
            inputs, pixels = [], 0
    if inputs:
        yield inputs


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
    return PoseResult.of_arrays(people, dict(metainfo, **facts(model.dataset_meta)))


def _batches_of_one_size(inputs: list[dict], batch_size: int) -> Iterator[list[int]]:
    by_size: dict[tuple, list[int]] = defaultdict(list)
    for i, item in enumerate(inputs):
        by_size[tuple(item['inputs'].shape)].append(i)
    for members in by_size.values():
        yield from (members[i : i + batch_size] for i in range(0, len(members), batch_size))
