"""Training targets of a dataset, drawn: what a network will learn, before it is trained.

Shape shorthand: K keypoints, M parts, P pixels with offset targets, h×w maps.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS, KEYPOINT_CODECS
from mmpose.structures import PoseDataSample

from ..datasets.wrapped import datasets_in, existing_path
from ..errors import InputError
from ..method.layouts import PartLayout
from ..models.codec import PINetCodec
from .drawing.files import write_image
from .drawing.maps import color_of, draw_arrows, draw_maps, draw_mask, write_legend
from .drawing.sheets import side_by_side
from .drawing.skeletons import draw_poses

SIDE = 420  # px; smaller samples are enlarged so that arrows can be told apart
_MOST_PIXELS = 120  # pixels from which arrows are drawn; of more, evenly spread ones


def browse(config: Config, out_dir: str | Path, count: int = 8, seed: int = 0) -> list[Path]:
    """Draw training samples as the network gets them, a sheet per sample.

    Args:
        config: of a PINet, see `read_config`.
        out_dir: made if it is missing.
        count: samples, spread evenly over the dataset.
        seed: of crops and flips.

    Returns:
        The sheets: `000000.jpg`, named by the number of the sample.

    Raises:
        InputError: the model has no PINetCodec, or `count` is below 1.
        RunError: the dataset's file does not exist.
        OSError: a sheet cannot be written.
    """
    if count < 1:
        raise InputError(f'count must be at least 1; found {count}')
    codec = _codec_of(config)
    for settings, _ in datasets_in(config.train_dataloader.dataset):
        existing_path(settings, 'train_dataloader')
    with DefaultScope.overwrite_default_scope('mmpose'):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    written = []
    for number in sorted({*np.linspace(0, len(dataset) - 1, count).astype(int).tolist()}):
        np.random.seed([seed, number])  # MMPose's transforms draw from the global generator
        sample = dataset[number]
        sheet = draw_targets(sample, codec, dataset.metainfo)
        path = Path(out_dir) / f'{number:06d}.jpg'
        write_image(path, sheet)
        written.append(path)
    return written


def _codec_of(config: Config) -> PINetCodec:
    found = (config.model.get('head') or {}).get('decoder') or config.get('codec') or {}
    with DefaultScope.overwrite_default_scope('mmpose'):
        codec = KEYPOINT_CODECS.build(found) if found else None
    if not isinstance(codec, PINetCodec):
        raise InputError(f'only what a PINetCodec makes can be drawn; found {type(codec).__name__}')
    return codec


def draw_targets(sample: dict[str, Any], codec: PINetCodec, metainfo: dict) -> np.ndarray:
    """Draw one training sample: people, heatmaps, part centers, offsets, what is ignored.

    Args:
        sample: `inputs` (3, H, W) uint8 BGR and `data_samples`, as the pipeline packs them.
        codec: the one that made its targets.
        metainfo: of the dataset.

    Returns:
        (H', W', 3) uint8 BGR, five titled panels beside each other.
    """
    image = np.ascontiguousarray(sample['inputs'].numpy().transpose(1, 2, 0))
    targets, layout = sample['data_samples'], codec.layout
    zoom = max(1.0, SIDE / min(image.shape[:2]))
    large = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    heatmaps = targets.gt_fields.heatmaps.numpy()
    keypoint_maps, part_maps = np.split(heatmaps, [layout.num_keypoints])
    part_colors = [color_of(number) for number in range(layout.num_parts)]
    parts = draw_maps(large, part_maps)
    write_legend(parts, layout.part_names, part_colors)
    keypoints = draw_maps(large, keypoint_maps)
    write_legend(
        keypoints, layout.keypoint_names, [color_of(n) for n in range(layout.num_keypoints)]
    )
    panels = {
        'people as they are annotated': _people(large, targets, zoom, layout, metainfo),
        'keypoint heatmaps': keypoints,
        'part centers': parts,
        'offsets: part pixel to keypoint': _offsets(large, targets, codec, zoom),
        'red: no heatmap loss': _ignored(large, targets, layout),
    }
    return side_by_side(list(panels.values()), list(panels), gap=4)


def _people(
    image: np.ndarray, targets: PoseDataSample, zoom: float, layout: PartLayout, metainfo: dict
) -> np.ndarray:
    found = targets.gt_instances
    visible = np.asarray(found.keypoints_visible)
    people = InstanceData(
        keypoints=np.where(visible[..., None] > 0, found.keypoints * zoom, 0),
        keypoints_visible=visible,
    )
    return draw_poses(image, people, layout.to_metainfo(metainfo), min_side=0)


def _offsets(
    image: np.ndarray, targets: PoseDataSample, codec: PINetCodec, zoom: float
) -> np.ndarray:
    """Draw keypoint = pixel - offset from some pixels of each part of each person."""
    pixels, offsets, taught = _offset_targets(targets, codec)
    # Neighboring pixels of a person and part point to the same keypoint: some are enough.
    kept = np.zeros(len(pixels), bool)
    kept[:: len(pixels) // _MOST_PIXELS + 1] = True
    rows, keypoints = np.nonzero(taught & kept[:, None])
    starts_hm = pixels[rows, :0:-1].astype(float)
    ends_hm = starts_hm - offsets[rows, keypoints]
    colors = np.array([color_of(part) for part in pixels[rows, 0]]).reshape(-1, 3)
    scale = zoom * codec.stride
    canvas = draw_arrows(image, starts_hm * scale, ends_hm * scale, colors)
    names = codec.layout.part_names
    write_legend(canvas, names, [color_of(number) for number in range(len(names))])
    return canvas


def _offset_targets(
    targets: PoseDataSample, codec: PINetCodec
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pixels (P, 3; part, y, x), offsets (P, K, 2), and which of them have a loss (P, K)."""
    if codec.sparse_offsets:
        labels = targets.gt_instance_labels
        arrays = labels.target_pixels, labels.target_offsets, labels.target_weights > 0
        return tuple(np.asarray(array) for array in arrays)
    fields, layout = targets.gt_fields, codec.layout
    shape = layout.num_parts, layout.num_keypoints, 2, *fields.offsets.shape[1:]
    weights = np.asarray(fields.offset_weights).reshape(shape)[:, :, 0].transpose(0, 2, 3, 1)
    offsets = np.asarray(fields.offsets).reshape(shape).transpose(0, 3, 4, 1, 2)
    pixels = np.argwhere((weights > 0).any(-1))
    where = tuple(pixels.T)
    return pixels, offsets[where], weights[where] > 0


def _ignored(image: np.ndarray, targets: PoseDataSample, layout: PartLayout) -> np.ndarray:
    """Draw where no heatmap has a loss, and name the channels without any loss."""
    fields = targets.gt_fields
    weights = np.asarray(fields.heatmap_weights)
    valid = np.ones(weights.shape[1:], bool)
    if 'heatmap_mask' in fields:
        valid = np.asarray(fields.heatmap_mask)[0].astype(bool)
    canvas = draw_mask(image, valid)
    names = (*layout.keypoint_names, *(f'part {name}' for name in layout.part_names))
    silent = [f'no loss: {name}' for name, each in zip(names, weights) if not each.any()]
    write_legend(canvas, silent, [np.array([60, 60, 255])] * len(silent))
    return canvas
