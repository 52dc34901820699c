"""The poses of many images, those of one size together."""

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
from .sources import read_picture

# What `predict` reads ahead, to put images of one size together: so many batches, or so many pixels
# if the images are large photographs.
LOOKAHEAD = 4
LOOKAHEAD_PIXELS = 64e6


@torch.no_grad()
def predict(
    model: BottomupPoseEstimator | OnnxPoses,
    pictures: Iterable[str | Path | np.ndarray],
    batch_size: int = 8,
) -> Iterator[PoseDataSample]:
    """Predict the poses of images, in their order, `batch_size` at a time.

    Args:
        model: what `load` or `load_onnx` returns; all but a PINet take image by image.
        pictures: paths or (H, W, 3) uint8 BGR arrays, of any sizes; or one path.
        batch_size: images of one input size that go through together, fewer if they are so
            large that reading them ahead would fill the memory; changes speed and memory, not
            results.

    Yields:
        A sample for each image; its `pred_instances` are in pixels of that image.

    Raises:
        ValueError: `batch_size` is below 1, an array is no color image, or a file none at all.
    """
    if batch_size < 1:
        raise InputError(f'batch_size must be at least 1; found {batch_size}')
    pictures = [pictures] if isinstance(pictures, (str, Path)) else pictures
    if not isinstance(model, PINet):
        batch_size = 1  # CID of MMPose mixes the images of a batch, DEKR takes only one
    if isinstance(model, OnnxPoses):
        yield from (_onnx_sample(model, _source(picture)['img']) for picture in pictures)
        return
    for inputs in _windows(model, pictures, LOOKAHEAD * batch_size):
        samples = {}
        for batch in _batches_of_one_size(inputs, batch_size):
            found = model.test_step(pseudo_collate([inputs[i] for i in batch]))
            samples.update(zip(batch, found))
        yield from (samples[i] for i in range(len(inputs)))


def _windows(model: BottomupPoseEstimator, pictures: Iterable, most: int) -> Iterator[list[dict]]:
    # Prepared images, as many as may be read ahead.
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    inputs, pixels = [], 0
    for picture in pictures:
        source = _source(picture)
        pixels += source['img'][..., 0].size
        inputs.append(pipeline(dict(source, **model.dataset_meta)))
        if len(inputs) == most or pixels >= LOOKAHEAD_PIXELS:
            yield inputs
            inputs, pixels = [], 0
    if inputs:
        yield inputs


def _onnx_sample(model: OnnxPoses, picture: np.ndarray) -> PoseDataSample:
    found = model(picture)
    keypoints, scores = found['keypoints'], found['keypoint_scores']
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
    people = InstanceData(
        keypoints=keypoints,
        keypoint_scores=scores,
        keypoints_visible=scores,
        bboxes=boxes,
        bbox_scores=found['scores'],
    )
    return PoseDataSample(pred_instances=people, metainfo=dict(ori_shape=picture.shape[:2]))


def _batches_of_one_size(inputs: list[dict], batch_size: int) -> Iterator[list[int]]:
    by_size: dict[tuple, list[int]] = defaultdict(list)
    for i, item in enumerate(inputs):
        by_size[tuple(item['inputs'].shape)].append(i)
    for members in by_size.values():
        yield from (members[i : i + batch_size] for i in range(0, len(members), batch_size))


def _source(picture: str | Path | np.ndarray) -> dict:
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise InputError(
                'an image must be an (H, W, 3) uint8 array in BGR order; found '
                f'{picture.shape} {picture.dtype}'
            )
        return dict(img=picture, img_path='')
    return dict(img=read_picture(picture), img_path=str(picture))
