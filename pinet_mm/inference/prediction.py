"""Poses in many images; images of one size go through the network together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import InstanceData
from mmpose.models.pose_estimators import BottomupPoseEstimator
from mmpose.structures import PoseDataSample

from ..errors import InputError
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses
from .sources import read_image

# How far `predict` reads ahead to batch images of one size: this many batches, or this many pixels
# if the images are large photographs.
LOOKAHEAD = 4
LOOKAHEAD_PIXELS = 64e6


@torch.no_grad()
def predict(
    model: BottomupPoseEstimator | OnnxPoses,
    images: Iterable[str | Path | np.ndarray] | str | Path | np.ndarray,
    batch_size: int = 8,
) -> Iterator[PoseDataSample]:
    """Predict the poses of images, in their order, `batch_size` at a time.

    Args:
        model: what `load` or `load_onnx` returns; models other than PINet predict image by image.
        images: paths or (H, W, 3) uint8 BGR arrays, of any sizes; or one of them.
        batch_size: images of one input size per pass, fewer if they are so large that reading
            ahead would fill the memory; changes speed and memory, not results.

    Yields:
        A sample for each image; its `pred_instances` are in pixels of that image.

    Raises:
        InputError: `batch_size` is below 1, an array is no color image, or a file no image.
    """
    if batch_size < 1:
        raise InputError(f'batch_size must be at least 1; found {batch_size}')
    if isinstance(images, (str, Path)) or (isinstance(images, np.ndarray) and images.ndim < 4):
        images = [images]
    if not isinstance(model, PINet):
        batch_size = 1  # CID of MMPose mixes the images of a batch, DEKR takes only one
    if isinstance(model, OnnxPoses):
        yield from (_onnx_sample(model, _source(image)['img']) for image in images)
        return
    for inputs in _windows(model, images, LOOKAHEAD * batch_size):
        samples = {}
        for batch in _batches_of_one_size(inputs, batch_size):
            found = model.test_step(pseudo_collate([inputs[i] for i in batch]))
            samples.update(zip(batch, found))
        yield from (samples[i] for i in range(len(inputs)))


def _windows(model: BottomupPoseEstimator, images: Iterable, most: int) -> Iterator[list[dict]]:
    # Prepared images, as many as may be read ahead.
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    inputs, pixels = [], 0
    for image in images:
        source = _source(image)
        pixels += source['img'][..., 0].size
        inputs.append(pipeline(dict(source, **model.dataset_meta)))
        if len(inputs) == most or pixels >= LOOKAHEAD_PIXELS:
            yield inputs
            inputs, pixels = [], 0
    if inputs:
        yield inputs


def _onnx_sample(model: OnnxPoses, image: np.ndarray) -> PoseDataSample:
    found = model(image)
    keypoints, scores = found['keypoints'], found['keypoint_scores']
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
    people = InstanceData(
        keypoints=keypoints,
        keypoint_scores=scores,
        keypoints_visible=scores,
        bboxes=boxes,
        bbox_scores=found['scores'],
    )
    return PoseDataSample(pred_instances=people, metainfo=dict(ori_shape=image.shape[:2]))


def _batches_of_one_size(inputs: list[dict], batch_size: int) -> Iterator[list[int]]:
    by_size: dict[tuple, list[int]] = defaultdict(list)
    for i, item in enumerate(inputs):
        by_size[tuple(item['inputs'].shape)].append(i)
    for members in by_size.values():
        yield from (members[i : i + batch_size] for i in range(0, len(members), batch_size))


def _source(image: str | Path | np.ndarray) -> dict:
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                'an image must be an (H, W, 3) uint8 array in BGR order; found '
                f'{image.shape} {image.dtype}'
            )
        return dict(img=image, img_path='')
    return dict(img=read_image(image), img_path=str(image))
