"""Transforms that MMPose lacks: the paper's crop, any input size, crowd regions; the release's."""

from typing import Dict, Optional, Sequence, Tuple

import cv2
import numpy as np
from mmcv.image import imflip
from mmcv.transforms import BaseTransform
from mmpose.datasets.transforms.bottomup_transforms import (BottomupGetHeatmapMask,
                                                            BottomupRandomAffine, BottomupResize)
from mmpose.datasets.transforms.common_transforms import RandomFlip
from mmpose.registry import TRANSFORMS
from mmpose.structures.bbox import bbox_xyxy2corner, get_warp_matrix
from pycocotools import mask as coco_mask


@TRANSFORMS.register_module()
class RandomCropAffine(BottomupRandomAffine):
    """Crop, rotate and scale at random, shifts being a share of the crop.

    MMPose's transform shifts by a share of the picture; here, as in PINet's recipe, the crop's
    side is `scale_factor` × the picture's short side (`scale_type='short'`, the default) and the
    shift `shift_factor` × that side. Draws are uniform unless `distribution` says otherwise. Other
    arguments as `BottomupRandomAffine`.
    """

    def __init__(self, *args, distribution: str = 'uniform', **kwargs):
        super().__init__(*args, distribution=distribution, **kwargs)

    def _get_transform_params(self) -> Tuple:
        offset, scale, rotate, shear = super()._get_transform_params()
        # The parent multiplies the shift by the picture's (w, h).
        return offset * scale * min(self._image_size) / self._image_size, scale, rotate, shear

    def transform(self, results: Dict) -> Dict:
        """Apply one random crop to `img`, `keypoints`, `bbox` and `area`."""
        self._image_size = np.array(results['img_shape'][1::-1])
        # OpenCV refuses to transform arrays of no points.
        empty = {key: results.pop(key) for key in ('keypoints', 'bbox')
                 if key in results and not len(results[key])}
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
            authors' release mirrors them on its maps: the maps' stride, 4, puts them 3 pixels
            left of where the mirrored picture shows them.

    Raises:
        ValueError: `keypoint_stride` is below 1.
    """

    def __init__(self, *args, keypoint_stride: int = 1, **kwargs):
        super().__init__(*args, **kwargs)
        if keypoint_stride < 1:
            raise ValueError(f'keypoint_stride must be at least 1; found {keypoint_stride}')
        self.keypoint_stride = keypoint_stride

    def transform(self, results: Dict) -> Dict:
        """Flip `img`, `keypoints` and `bbox`, or leave them."""
        input_size = results['input_size']
        results = super().transform(dict(results, input_size=input_size[::-1]))
        if results['flip'] and 'keypoints' in results:
            results['keypoints'][..., 0] -= self.keypoint_stride - 1
        return dict(results, input_size=input_size)


@TRANSFORMS.register_module()
class ValidHeatmapMask(BottomupGetHeatmapMask):
    """Mark the map pixels that the heatmap loss may use: `heatmap_mask` (1, H, W), boolean.

    Not valid are crowd regions (polygons or run lengths, which MMPose's transform leaves out),
    persons without keypoints, and what lies outside the picture. Needs `heatmaps` for the map
    size; map pixel i is read at input pixel i·stride.
    """

    def _segs_to_mask(self, segs: Sequence, img_shape: Tuple[int, int]) -> np.ndarray:
        h, w = img_shape[:2]
        rles = [rle for seg in segs if seg for rle in _run_lengths(seg, h, w)]
        if not rles:
            return np.zeros((h, w), dtype=np.uint8)
        return coco_mask.decode(coco_mask.merge(rles))

    def transform(self, results: Dict) -> Optional[Dict]:
        """Add `heatmap_mask`."""
        map_h, map_w = results['heatmaps'].shape[1:]
        w, h = results['input_size']
        # Without `heatmaps` the parent returns the mask in input pixels.
        mask = super().transform({key: value for key, value in results.items()
                                  if key != 'heatmaps'})['heatmap_mask']
        results['heatmap_mask'] = mask[None, ::h // map_h, ::w // map_w]
        return results


def _run_lengths(segmentation, h: int, w: int) -> Sequence:
    # COCO writes polygons as lists, crowd regions as one dict of plain or packed counts.
    if isinstance(segmentation, dict) and isinstance(segmentation['counts'], (bytes, str)):
        return [segmentation]
    rles = coco_mask.frPyObjects(segmentation, h, w)
    return rles if isinstance(rles, list) else [rles]


# --- the authors' release ------------------------------------------------------------------------


@TRANSFORMS.register_module()
class ReleasePersons(BaseTransform):
    """Read persons from their annotations as the authors' release does, in double precision.

    A person's area is width × height of the annotated box; single precision, in which MMPose
    loads areas and keypoints, would change who wins a pixel of the offset maps. A crowd without
    labelled keypoints is nobody. To stand before the crop, which scales areas.

    Args:
        ignored_regions: whether the heatmap loss leaves out crowds and persons without labelled
            keypoints. The release does so on COCO, not on CrowdPose and OCHuman.
    """

    def __init__(self, ignored_regions: bool = True):
        self.ignored_regions = ignored_regions

    def transform(self, results: Dict) -> Dict:
        """Replace `keypoints`, `keypoints_visible`, `area` and `invalid_segs`."""
        persons = results['raw_ann_info']
        keypoints = np.array([person['keypoints'] for person in persons], dtype=np.float64)
        keypoints = keypoints.reshape(*results['keypoints'].shape[:2], 3)
        boxes = np.array([person['bbox'] for person in persons], dtype=np.float64).reshape(-1, 4)
        crowd = np.array([bool(person.get('iscrowd')) for person in persons], dtype=bool)
        empty = np.array([person.get('num_keypoints', (labels > 0).sum()) == 0
                          for person, labels in zip(persons, keypoints[..., 2])], dtype=bool)
        ignored = (crowd | empty) & self.ignored_regions
        # MMPose wants the number of rows kept: whoever is nobody loses the labels instead.
        visible = np.minimum(keypoints[..., 2], 1) * ~(crowd & empty)[:, None]
        return dict(results, keypoints=keypoints[..., :2], keypoints_visible=visible,
                    area=boxes[:, 2] * boxes[:, 3],
                    invalid_segs=[persons[n].get('segmentation') for n in np.nonzero(ignored)[0]])


@TRANSFORMS.register_module()
class ReleaseCrop(BaseTransform):
    """Crop, rotate and scale at random as the authors' release does, by whole-pixel shifts.

    A square crop about the picture's middle, (w / 2, h / 2), moved by whole pixels, is turned
    about its own middle and fills the input. np.random draws scale, angle, shift in x, shift in y,
    in this order. Outside of the picture is black. All is computed in double precision, whereas
    `RandomCropAffine` rounds the crop's corners to single.

    Args:
        input_size: (w, h) of the network input, w = h.
        scale_factor: range of the crop's side by the picture's short side.
        shift_factor: the middle moves by -n to n - 1 pixels, n the whole part of `shift_factor` ×
            the crop's side.
        rotate_factor: largest angle, degrees.

    Raises:
        ValueError: `input_size` is not square.
    """

    def __init__(self, input_size: Tuple[int, int],
                 scale_factor: Tuple[float, float] = (0.75, 1.5), shift_factor: float = 0.2,
                 rotate_factor: float = 30.):
        if input_size[0] != input_size[1]:
            raise ValueError('input_size must be square, the release knows no other; found '
                             f'{tuple(input_size)}')
        self.input_size = tuple(input_size)
        self.scale_factor, self.shift_factor = scale_factor, shift_factor
        self.rotate_factor = rotate_factor

    def draw(self, size: Tuple[int, int]) -> Tuple[np.ndarray, float, float]:
        """Draw a crop of a picture of (w, h) pixels: middle (2,), side in pixels, degrees."""
        low, high = self.scale_factor
        # Sides in units of 200 pixels, as the release has them, so that they round alike.
        scale = min(size) / 200 * (low + (high - low) * np.random.random())
        angle = self.rotate_factor * (2 * np.random.random() - 1)
        reach = int(200 * self.shift_factor * scale)
        # A crop of a few pixels leaves nothing to draw from.
        shift = [np.random.randint(-reach, reach) if reach else 0 for _ in size]
        return np.array(size) / 2 + shift, 200 * scale, angle

    def transform(self, results: Dict) -> Dict:
        """Apply one crop to `img`, `keypoints`, `bbox`, `area`; add `warp_mat`, `input_size`."""
        h, w = results['img_shape'][:2]
        middle, side, angle = self.draw((w, h))
        zoom = self.input_size[0] / side
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        turn = zoom * np.array([[cos, sin], [-sin, cos]])
        move = np.array(self.input_size) / 2 - turn @ middle
        warp = np.column_stack((turn, move))
        img = cv2.warpAffine(results['img'], warp, self.input_size, flags=cv2.INTER_LINEAR)
        results = dict(results, img=img, warp_mat=warp, input_size=self.input_size)
        if 'bbox' in results:  # its corners, as MMPose's transform leaves them
            results['bbox'] = bbox_xyxy2corner(results['bbox']) @ turn.T + move
        if 'keypoints' in results:
            results['keypoints'] = results['keypoints'] @ turn.T + move
        if 'area' in results:
            results['area'] = results['area'] * zoom**2
        return results


@TRANSFORMS.register_module()
class ReleaseHeatmapMask(ValidHeatmapMask):
    """Mark what the heatmap loss may use as the authors' release does: on the maps.

    The mask of the picture is brought to the maps in one step and mirrored there, as keypoints
    are; `ValidHeatmapMask` mirrors it in input pixels. To stand after `ReleaseCrop`.
    """

    def transform(self, results: Dict) -> Dict:
        """Add `heatmap_mask` (1, H, W), boolean."""
        map_h, map_w = results['heatmaps'].shape[1:]
        warp = results['warp_mat'] * map_w / results['input_size'][0]
        invalid = self._segs_to_mask(results.get('invalid_segs', []), results['img_shape'])
        mask = cv2.warpAffine((1 - invalid) * np.uint8(255), warp, (map_w, map_h),
                              flags=cv2.INTER_LINEAR) / 255 > 0.5
        if results.get('flip'):
            mask = imflip(mask, results['flip_direction'])
        return dict(results, heatmap_mask=np.ascontiguousarray(mask[None]))


@TRANSFORMS.register_module()
class WholeCentreResize(BottomupResize):
    """Resize as `BottomupResize` with `resize_mode='expand'`, about a whole pixel, as the release.

    The picture's middle, (w / 2, h / 2), is rounded, halves upwards: of a side of odd length the
    picture moves by half a pixel. Takes `input_size` and `size_factor`.
    """

    def __init__(self, input_size: Tuple[int, int], size_factor: int = 64):
        super().__init__(input_size, size_factor=size_factor, resize_mode='expand')

    def transform(self, results: Dict) -> Dict:
        """Resize `img`; add `input_size`, `input_center`, `input_scale`."""
        side = np.array(results['img_shape'][1::-1])
        actual, padded = self._get_input_size(side, self.input_size)
        center = np.floor(side / 2 + 0.5)
        scale = side * padded / np.array(actual)
        warp = get_warp_matrix(center, scale, 0, padded)
        img = cv2.warpAffine(results['img'], warp, padded, flags=cv2.INTER_LINEAR)
        return dict(results, img=img, img_shape=padded[::-1], input_size=padded,
                    input_center=center, input_scale=scale, aug_scale=None)
