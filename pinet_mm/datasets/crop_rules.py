"""What the steps of a training pipeline say about crops, as numbers that a device can draw from."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmpose.datasets.transforms.common_transforms import YOLOXHSVRandomAug

from ..errors import InputError
from .transforms import RandomCropAffine


class CropRules(NamedTuple):
    """How crops are drawn, for one dataset (plain values) or B images (tensors with B rows).

    Attributes:
        scale: (2,) range of the crop's side by the image's side.
        by_long_side: whether that is the image's long side; else its short one.
        shift: largest shift by the crop's side.
        angle: largest rotation, radians.
        color_deltas: (3,) largest changes of hue (2 degrees), saturation and value (of 255).
    """

    scale: Any
    by_long_side: Any
    shift: Any
    angle: Any
    color_deltas: Any


def read_rules(steps: Sequence[Any], input_size: tuple[int, int]) -> CropRules:
    """Read the rules from the steps of a pipeline that come before flip and targets.

    Args:
        steps: `LoadImage`, perhaps `YOLOXHSVRandomAug`, and `RandomCropAffine`.
        input_size: (w, h) that the crops must have.

    Raises:
        ValueError: a step or a setting is none of those that a device can take.
    """
    kinds = [type(step).__name__ for step in steps]
    if kinds not in (
        ['LoadImage', 'RandomCropAffine'],
        ['LoadImage', 'YOLOXHSVRandomAug', 'RandomCropAffine'],
    ):
        raise InputError(
            'a pipeline on the device consists of LoadImage, YOLOXHSVRandomAug (or not) and '
            f'RandomCropAffine; found {kinds}'
        )
    crop, colors = steps[-1], steps[1]
    _check_crop(crop, input_size)
    deltas = (0, 0, 0)
    if isinstance(colors, YOLOXHSVRandomAug):
        deltas = (colors.hue_delta, colors.saturation_delta, colors.value_delta)
    return CropRules(
        tuple(map(float, crop.scale_factor)),
        crop.scale_type == 'long',
        float(crop.shift_factor),
        math.radians(crop.rotate_factor),
        tuple(map(float, deltas)),
    )


def _check_crop(crop: RandomCropAffine, input_size: tuple[int, int]) -> None:
    expected = dict(
        input_size=tuple(input_size),
        transform_mode='affine',
        distribution='uniform',
        clip_border=False,
        shift_prob=1,
        scale_prob=1,
        rotate_prob=1,
    )
    found = {name: getattr(crop, name) for name in expected}
    found['input_size'] = tuple(found['input_size'])
    for name, value in expected.items():
        if found[name] != value:
            raise InputError(
                f'on the device RandomCropAffine takes {name}={value!r} alone; '
                f'found {found[name]!r}'
            )
