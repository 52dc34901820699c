"""The poses of many pictures, those of one size together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import InstanceData
from mmpose.models.pose_estimators import BottomupPoseEstimator
from mmpose.structures import PoseDataSample

from ..errors import InputError
from ..models.estimator import PINet
from ..onnx_runner import OnnxPoses

# What `predict` reads ahead, to put pictures of one size together: batches, or pixels if the
# pictures are photographs of many.
LOOKAHEAD = 4
LOOKAHEAD_PIXELS = 64e6


@torch.no_grad()
def predict(
    model: BottomupPoseEstimator | OnnxPoses,
    pictures: Iterable[str | Path | np.ndarray],
    batch_size: int = 8,
) -> Iterator[PoseDataSample]:
    """Predict the poses of pictures, in their order, `batch_size` at a time.

    Args:
        model: what `load` or `load_onnx` returns; all but a PINet take picture by picture.
        pictures: paths or (H, W, 3) uint8 BGR arrays, of any sizes; or one path.
        batch_size: pictures of one input size that go through together, fewer if they are so
            large that reading them ahead would fill the memory; changes speed and memory, not
            results.

    Yields:
        A sample for each picture; its `pred_instances` are in pixels of that picture.

    Raises:
        ValueError: `batch_size` is below 1, an array is no colour picture, or a file none at all.
    """
    if batch_size < 1:
        raise InputError(f'batch_size must be at least 1; found {batch_size}')
    pictures = [pictures] if isinstance(pictures, (str, Path)) else pictures
    if not isinstance(model, PINet):
        batch_size = 1  # of MMPose's models CID mixes the pictures of a batch, DEKR takes one only
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
    # Prepared pictures, as many as may be read ahead.
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
                'a picture must be an (H, W, 3) uint8 array in BGR order; found '
                f'{picture.shape} {picture.dtype}'
            )
        return dict(img=picture, img_path='')
    return dict(img=read_picture(picture), img_path=str(picture))


def read_picture(path: str | Path) -> np.ndarray:
    """Read a file as (H, W, 3) uint8 BGR, turned as its camera's orientation tag says.

    Raises:
        ValueError: it is no picture.
    """
    # People see it upright, whatever the test pipeline reads.
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise InputError(f'{path} is no picture that can be read')
    return pixels
