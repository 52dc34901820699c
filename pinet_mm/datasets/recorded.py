"""What an annotation file says of an image, kept until the image is read: size and place.

MMPose's datasets forget both. Sizes are (w, h); boxes are pixels of the image.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import print_log
from mmpose.datasets.datasets import BaseCocoStyleDataset

from ..errors import InputError
from ..method.layouts import names_of
from .check.listing import is_outside
from .check.people import AREA_OF_BOX
from .file_order import require_order

_SAID: set[str] = set()  # annotation files whose exchanged sizes were told by this process


class Recorded(NamedTuple):
    """The record of an image.

    Attributes:
        size: (w, h), None for each side that the file does not say.
        outside: whether its file name leads out of the image folder.
        file: the annotation file.
    """

    size: tuple[int | None, int | None]
    outside: bool
    file: str


def keep_records() -> None:
    """Let samples of MMPose's COCO-style datasets carry `recorded`, see `Recorded`.

    What it needs is part of the data that MMEngine serializes, which all data workers share. Files
    whose keypoints are in another order than the metainfo's are refused, by classes that read
    people as they are.
    """
    owner = BaseCocoStyleDataset
    if not hasattr(owner, 'image_records'):
        owner.image_records = None
        owner._load_annotations = _keeping(owner._load_annotations)
        owner.load_data_list = _moving(owner.load_data_list)
        owner.get_data_info = _adding(owner.get_data_info)


def _keeping(load: Callable) -> Callable:
    @functools.wraps(load)
    def load_and_keep(self) -> tuple[list, list]:
        people, images = load(self)
        if type(self).parse_data_info is BaseCocoStyleDataset.parse_data_info:
            require_order(self.coco.dataset, names_of(self._metainfo), str(self.ann_file))
        self.image_records = {
            each['img_id']: (each.get('width'), each.get('height'), is_outside(each['file_name']))
            for each in images
        }
        return people, images

    return load_and_keep


def _moving(load: Callable) -> Callable:
    @functools.wraps(load)
    def load_with_records(self) -> list[dict]:
        infos, records = load(self), self.image_records or {}
        for each in infos:
            each['recorded'] = records.get(each.get('img_id'))
        self.image_records = None
        return infos

    return load_with_records


def _adding(get: Callable) -> Callable:
    @functools.wraps(get)
    def get_with_record(self, idx: int) -> dict:
        info = get(self, idx)
        kept = info.get('recorded')
        return dict(info, recorded=kept and Recorded(kept[:2], kept[2], str(self.ann_file)))

    return get_with_record


def require_inside(recorded: Recorded, path: str) -> None:
    """Check that an image lies in its folder.

    Args:
        recorded: of the image.
        path: of its file.

    Raises:
        InputError: its name leads out of the folder.
    """
    if recorded.outside:
        raise InputError(
            f'{path}: {recorded.file} must name files inside the image folder; found a path that '
            'leads out of it; to read it all the same: --allow-outside, or allow_outside=True of '
            'LoadImage in the pipeline'
        )


def match_size(results: dict) -> None:
    """Compare an image that was read with its record.

    Where width and height were exchanged, the people's boxes, which MMPose clipped by them, are
    clipped anew, in place, and a line says so once.

    Args:
        results: of a pipeline, with `img` and `recorded`.

    Raises:
        InputError: the image has another size.
    """
    recorded, path = results['recorded'], results['img_path']
    found = results['img'].shape[1::-1]
    if recorded.size == found or not all(isinstance(side, int) for side in recorded.size):
        return
    (w, h), written = found, '×'.join(map(str, recorded.size))
    fault = f'expected {written} pixels as {recorded.file} says, found {w}×{h}'
    if recorded.size != found[::-1]:
        raise InputError(
            f'{path}: {fault}; annotations were made on images of another size: export those images'
        )
    _say_swapped(recorded.file, f'{path}: {fault}')
    if isinstance(results.get('raw_ann_info'), list):
        _clip_anew(results, found)


def _say_swapped(file: str, fault: str) -> None:
    if file not in _SAID:
        _SAID.add(file)
        cure = f'pinet-mm data check {file} --images DIR --fix DIR corrects the file'
        print_log(
            f'{fault}; width and height change places, in this and other images; {cure}',
            'current',
            logging.WARNING,
        )


def _clip_anew(results: dict[str, Any], size: tuple[int, int]) -> None:
    """Give boxes, areas that were derived from them, and regions of nobody by another size."""
    people = results['raw_ann_info']
    xywh = np.array([each['bbox'] for each in people], dtype=np.float64).reshape(-1, 4)
    corners = np.concatenate((xywh[:, :2], xywh[:, :2] + xywh[:, 2:]), axis=1)
    boxes = np.clip(corners, 0, np.array(size * 2) - 1)
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = np.maximum(AREA_OF_BOX * sides.prod(axis=1), 1).tolist()
    labeled = zip(people, boxes, results['keypoints'])
    results.update(
        bbox=boxes.astype(np.float32),
        area=np.array(
            [each.get('area', area) for each, area in zip(people, areas)], dtype=np.float32
        ),
        invalid_segs=[
            each.get('segmentation')
            for each, box, keypoints in labeled
            if not BaseCocoStyleDataset._is_valid_instance(
                dict(each, bbox=box[None], keypoints=keypoints)
            )
        ],
    )
