"""Transforms of the official implementation: its people, crop, mask and resize.

Coordinates are pixels (x, y): of the image before `ReleaseCrop`, of the network input after it; map
pixel i is input pixel i·stride. Training is computed in double precision. Mirroring is
`RandomInputFlip` with the maps' stride; images for inference are resized by `WholeCentreResize`.
"""

import cv2
import numpy as np
from mmcv.image import imflip
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS
from mmpose.structures.bbox import bbox_xyxy2corner

from ..datasets.transforms import ValidHeatmapMask, check_crop
from ..errors import InputError


@TRANSFORMS.register_module()
class ReleasePersons(BaseTransform):
    """Read people from their annotations as the official implementation does, in double precision.

    A person's area is width × height of the annotated box. Single precision, in which MMPose loads
    areas and keypoints, would change who owns a pixel of the offset maps. A crowd without labeled
    keypoints counts as nobody. Goes before the crop, which scales areas. Keypoints that a step
    before it has changed, such as MMPose's `KeypointConverter`, stay as that step left them.

    Args:
        ignored_regions: whether the heatmap loss ignores crowds and people without labeled
            keypoints, as the official implementation does on COCO, but not on CrowdPose and
            OCHuman.
    """

    def __init__(self, ignored_regions: bool = True):
        self.ignored_regions = ignored_regions

    def transform(self, results: dict) -> dict:
        """Replace `keypoints`, `keypoints_visible`, `area` and `invalid_segs`."""
        persons = results['raw_ann_info']
        annotated = np.array([person['keypoints'] for person in persons], dtype=np.float64)
        annotated = annotated.reshape(len(persons), annotated[:1].size // 3, 3)
        boxes = np.array([person['bbox'] for person in persons], dtype=np.float64).reshape(-1, 4)
        crowd = np.array([bool(person.get('iscrowd')) for person in persons], dtype=bool)
        empty = np.array(
            [
                person.get('num_keypoints', (labels > 0).sum()) == 0
                for person, labels in zip(persons, annotated[..., 2])
            ],
            dtype=bool,
        )
        ignored = (crowd | empty) & self.ignored_regions
        keypoints, visible = _in_double_precision(annotated, results)
        # MMPose needs the number of rows kept: those who count as nobody lose their labels.
        labels = visible if visible.ndim == 2 else visible[..., 0]
        labels[crowd & empty] = 0
        return dict(
            results,
            keypoints=keypoints,
            keypoints_visible=visible,
            area=boxes[:, 2] * boxes[:, 3],
            invalid_segs=[persons[n].get('segmentation') for n in np.nonzero(ignored)[0]],
        )


def _in_double_precision(annotated: np.ndarray, results: dict) -> tuple[np.ndarray, np.ndarray]:
    # Keypoints (N, K, 2) and their labels: as annotated (N, K', 3) if those are what was loaded.
    # A converter leaves labels (N, K, 2), the second of which are weights.
    keypoints, visible = results['keypoints'], results['keypoints_visible']
    with np.errstate(over='ignore'):  # what is not labeled may be any number
        loaded = annotated[..., :2].astype(np.float32)
    if visible.ndim == 2 and np.array_equal(loaded, np.float32(keypoints), equal_nan=True):
        return annotated[..., :2], np.minimum(annotated[..., 2], 1)
    return keypoints.astype(np.float64), visible.copy()


@TRANSFORMS.register_module()
class ReleaseCrop(BaseTransform):
    """Crop, rotate and scale at random as the official implementation does.

    A square around the image's center (w / 2, h / 2) is shifted by whole pixels, rotated about its
    own center and resized to the input. np.random draws scale, angle, shift in x and shift in y, in
    this order. Pixels outside the image are black. Everything is computed in double precision,
    whereas `RandomCropAffine` rounds the crop's corners to single.

    Args:
        input_size: (w, h) of the network input, w = h.
        scale_factor: range of the crop's side divided by the image's short side.
        shift_factor: the center moves by -n to n - 1 pixels, n the integer part of `shift_factor` ×
            the crop's side.
        rotate_factor: largest angle, degrees.

    Raises:
        ValueError: `input_size` is not square.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        scale_factor: tuple[float, float] = (0.75, 1.5),
        shift_factor: float = 0.2,
        rotate_factor: float = 30.0,
    ):
        if input_size[0] != input_size[1]:
            raise InputError(
                'input_size must be square, as in the official implementation; found '
                f'{tuple(input_size)}'
            )
        check_crop(
            dict(scale_factor=scale_factor, shift_factor=shift_factor, rotate_factor=rotate_factor)
        )
        self.input_size = tuple(input_size)
        self.scale_factor, self.shift_factor = scale_factor, shift_factor
        self.rotate_factor = rotate_factor

    def draw(self, size: tuple[int, int]) -> tuple[np.ndarray, float, float]:
        """Draw a crop of an image of (w, h) pixels: center (2,), side in pixels, degrees."""
        low, high = self.scale_factor
        # Sides in units of 200 pixels, as in the official implementation, so that they round alike.
        scale = min(size) / 200 * (low + (high - low) * np.random.random())
        angle = self.rotate_factor * (2 * np.random.random() - 1)
        reach = int(200 * self.shift_factor * scale)
        # A crop of a few pixels leaves nothing to draw from.
        shift = [np.random.randint(-reach, reach) if reach else 0 for _ in size]
        return np.array(size) / 2 + shift, 200 * scale, angle

    def transform(self, results: dict) -> dict:
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
    """Mark the map pixels that the heatmap loss uses, as the official implementation does.

    The image's mask is warped to the maps in one step and mirrored there, as keypoints are;
    `ValidHeatmapMask` mirrors it in input pixels. Goes after `ReleaseCrop`.
    """

    def transform(self, results: dict) -> dict:
        """Add `heatmap_mask` (1, H, W), boolean."""
        map_h, map_w = results['heatmaps'].shape[1:]
        warp = results['warp_mat'] * map_w / results['input_size'][0]
        invalid = self._segs_to_mask(results.get('invalid_segs', []), results['img_shape'])
        mask = (
            cv2.warpAffine(
                (1 - invalid) * np.uint8(255), warp, (map_w, map_h), flags=cv2.INTER_LINEAR
            )
            / 255
            > 0.5
        )
        if results.get('flip'):
            mask = imflip(mask, results['flip_direction'])
        return dict(results, heatmap_mask=np.ascontiguousarray(mask[None]))


@TRANSFORMS.register_module()
class WholeCentreResize(BaseTransform):
    """Resize an image for inference as the official implementation does, digit for digit.

    The short side becomes `input_size`, rounded up to a multiple of `size_factor`. The long side
    is rounded up to such a multiple too, but less than a pixel beyond one is cut off: 500×333
    gives 768×512, not 832×512 as with MMPose's `BottomupResize`. The image's center, rounded to
    whole pixels, halves up, goes to the center of the input; padding is black.

    Args:
        input_size: (w, h), w = h, the length of the short side.
        size_factor: both sides are multiples of it.

    Raises:
        ValueError: `input_size` is not square.
    """

    def __init__(self, input_size: tuple[int, int], size_factor: int = 64):
        if input_size[0] != input_size[1]:
            raise InputError(
                'input_size must be square, the length of the short side twice; '
                f'found {tuple(input_size)}'
            )
        self.short, self.size_factor = self._multiple(input_size[0], size_factor), size_factor

    @staticmethod
    def _multiple(side: float, factor: int) -> int:
        return int((side + factor - 1) // factor * factor)

    def transform(self, results: dict) -> dict:
        """Resize `img`; add `input_size`, `input_center`, `input_scale`."""
        h, w = results['img_shape'][:2]
        long = self._multiple(self.short / min(w, h) * max(w, h), self.size_factor)
        size = (self.short, long) if w < h else (long, self.short)
        sides = (w, long / self.short * w) if w < h else (long / self.short * h, h)
        # The official implementation keeps scales in units of 200 pixels, which decides the last
        # digit.
        scale = np.array(sides) / 200 * 200
        center = np.floor(np.array((w, h)) / 2 + 0.5)
        img = cv2.warpAffine(
            results['img'], _release_warp(center, scale[0], size), size, flags=cv2.INTER_LINEAR
        )
        return dict(
            results,
            img=img,
            img_shape=size[::-1],
            input_size=size,
            input_center=center,
            input_scale=scale,
            aug_scale=None,
        )


def _release_warp(center: np.ndarray, width: float, size: tuple[int, int]) -> np.ndarray:
    # (2, 3) matrix that takes `width` pixels around the center to the input. Its second point is
    # above the center, where MMPose's is beside it: they differ by up to 3e-5 pixels.
    triangles = []
    for middle, side in ((center, width), (np.array(size) / 2, size[0])):
        points = np.zeros((3, 2), dtype=np.float32)
        points[:2] = middle, middle - (0, side / 2)
        x, y = points[0] - points[1]
        points[2] = points[1] + np.array((-y, x))
        triangles.append(points)
    return cv2.getAffineTransform(*triangles)
