"""Training transforms that MMPose lacks: the paper's crop, any input size, crowd regions.

`_img` are pixels of the image before the crop, `_in` those of the network input; sizes are (w, h).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.datasets.transforms import converting
from mmpose.datasets.transforms.bottomup_transforms import (
    BottomupGetHeatmapMask,
    BottomupRandomAffine,
)
from mmpose.datasets.transforms.common_transforms import RandomFlip
from mmpose.registry import TRANSFORMS
from pycocotools import mask as coco_mask

from ..errors import InputError, check_number


def check_crop(options: Mapping) -> None:
    """Check the factors and probabilities of a random crop.

    Args:
        options: of the transform: `scale_factor`, `shift_factor`, `rotate_factor`, probabilities.

    Raises:
        InputError: one is not a number, or out of its range.
    """
    low_high = options.get('scale_factor', (1.0, 1.0))
    if not isinstance(low_high, (list, tuple)) or len(low_high) != 2:
        raise InputError(f'scale_factor must be (least, most); found {low_high!r}')
    for each in low_high:
        check_number('scale_factor', each, 0, above=True)
    if low_high[0] > low_high[1]:
        raise InputError(f'scale_factor must be (least, most); found {low_high!r}')
    for name in ('shift_factor', 'rotate_factor', 'shift_prob', 'scale_prob', 'rotate_prob'):
        check_number(name, options.get(name, 0), 0)
        if name.endswith('prob') and options.get(name, 0) > 1:
            raise InputError(f'{name} must be at most 1; found {options[name]!r}')


@TRANSFORMS.register_module()
class RandomCropAffine(BottomupRandomAffine):
    """Crop, rotate and scale at random, shifts being a share of the crop.

    MMPose's transform shifts by a share of the image; here, as in PINet's recipe, a crop of
    (w, h) pixels is shifted by up to `shift_factor` × w in x and `shift_factor` × h in y. Its side
    is `scale_factor` × the short side of the image, or its long side with `scale_type='long'`.
    Draws are uniform unless `distribution` says otherwise. Other arguments as
    `BottomupRandomAffine`.
    """

    def __init__(self, *args, distribution: str = 'uniform', **kwargs):
        check_crop(kwargs)
        super().__init__(*args, distribution=distribution, **kwargs)

    def _get_transform_params(self) -> tuple:
        offset, scale, rotate, shear = super()._get_transform_params()
        w, h = self.input_size
        crop_img = self._fix_aspect_ratio(self._size_img, w / h)  # of scale 1
        # The parent multiplies the shift by the image's (w, h).
        return offset * scale * crop_img / self._size_img, scale, rotate, shear

    def transform(self, results: dict) -> dict:
        """Apply one random crop to `img`, `keypoints`, `bbox` and `area`."""
        self._size_img = np.array(results['img_shape'][1::-1], dtype=np.float64)
        # OpenCV refuses to transform arrays of no points.
        empty = {
            key: results.pop(key)
            for key in ('keypoints', 'bbox')
            if key in results and not len(results[key])
        }
        results = super().transform(results)
        results.update(empty)
        return results


@TRANSFORMS.register_module()
class RandomInputFlip(RandomFlip):
    """Flip network inputs at random, also those that are not square.

    MMPose's transform takes `input_size`, which is (w, h), for (h, w). Other arguments as
    `RandomFlip`.

    Args:
        keypoint_stride: keypoints go to x = W - keypoint_stride - x, where 1 is exact. The
            official implementation mirrors them on its maps: the maps' stride, 4, puts them 3
            pixels left of where the mirrored image shows them.

    Raises:
        ValueError: `keypoint_stride` is below 1.
    """

    def __init__(self, *args, keypoint_stride: int = 1, **kwargs):
        super().__init__(*args, **kwargs)
        if keypoint_stride < 1:
            raise InputError(f'keypoint_stride must be at least 1; found {keypoint_stride}')
        self.keypoint_stride = keypoint_stride

    def transform(self, results: dict) -> dict:
        """Flip `img`, `keypoints`, `bbox` and `labeled_keypoints`, or leave them."""
        input_size = results['input_size']
        results = super().transform(dict(results, input_size=input_size[::-1]))
        # MMPose swaps left and right in these two directions alone.
        if results['flip_direction'] in ('horizontal', 'vertical'):
            results.update(
                {
                    key: np.take(results[key], results['flip_indices'], axis=-1)
                    for key in ('labeled_keypoints', 'keypoints_visible_weights')
                    if results.get(key) is not None
                }
            )
        if results['flip'] and 'keypoints' in results:
            results['keypoints'][..., 0] -= self.keypoint_stride - 1
        return dict(results, input_size=input_size)


@TRANSFORMS.register_module(force=True)
class KeypointConverter(converting.KeypointConverter):
    """Convert keypoints as MMPose's class of this name does, which it replaces in all configs.

    If its mapping has pairs, MMPose's class also writes `flip_indices` by the mapping's places, and
    fails if there are more targets than source keypoints. These indices have no effect: those of
    the `CombinedDataset` around it replace them. Takes the arguments of MMPose's class.
    """

    def transform(self, results: dict) -> dict:
        """Replace `keypoints` and `keypoints_visible`; drop `flip_indices` of too few sources."""
        flips = results.get('flip_indices')
        if flips is None or len(self.mapping) <= len(flips):
            return super().transform(results)
        return super().transform(dict(results, flip_indices=None))


class LabelConverter(BaseTransform):
    """Convert `labeled_keypoints` as MMPose's `KeypointConverter` converts keypoints.

    A target is labeled if its source is, or both of an interpolated pair. `LabeledCocoDataset`
    puts one behind every converter of its pipeline.

    Args:
        converter: the one whose mapping is followed.
    """

    def __init__(self, converter: KeypointConverter):
        self.converter = converter

    def transform(self, results: dict) -> dict:
        """Replace `labeled_keypoints` (source K,) by (target K,), boolean."""
        first = self.converter.source_index
        second = getattr(self.converter, 'source_index2', first)
        source = results['labeled_keypoints']
        labeled = np.zeros(self.converter.num_keypoints, dtype=bool)
        labeled[self.converter.target_index] = source[first] & source[second]
        return dict(results, labeled_keypoints=labeled)


@TRANSFORMS.register_module()
class ValidHeatmapMask(BottomupGetHeatmapMask):
    """Mark the map pixels that the heatmap loss may use: `heatmap_mask` (1, H, W), boolean.

    Not valid are crowd regions (polygons or run lengths, which MMPose's transform leaves out),
    people without keypoints, and what lies outside the image. Needs `heatmaps` for the map
    size; map pixel i is read at input pixel i·stride.
    """

    def _segs_to_mask(self, segs: Sequence, img_shape: tuple[int, int]) -> np.ndarray:
        h, w = img_shape[:2]
        rles = [rle for seg in segs if seg for rle in _run_lengths(seg, h, w)]
        if not rles:
            return np.zeros((h, w), dtype=np.uint8)
        return coco_mask.decode(coco_mask.merge(rles))

    def transform(self, results: dict) -> dict | None:
        """Add `heatmap_mask`."""
        map_h, map_w = results['heatmaps'].shape[1:]
        w, h = results['input_size']
        # Without `heatmaps` the parent returns the mask in input pixels.
        mask = super().transform(
            {key: value for key, value in results.items() if key != 'heatmaps'}
        )['heatmap_mask']
        results['heatmap_mask'] = mask[None, :: h // map_h, :: w // map_w]
        return results


def _run_lengths(segmentation, h: int, w: int) -> Sequence:
    # COCO writes polygons as lists, crowd regions as one dict of plain or packed counts.
    if isinstance(segmentation, dict) and isinstance(segmentation['counts'], (bytes, str)):
        return [segmentation]
    rles = coco_mask.frPyObjects(segmentation, h, w)
    return rles if isinstance(rles, list) else [rles]
