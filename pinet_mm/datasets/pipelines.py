"""The pipelines of the configs, each a function of the codec setting that it serves.

A config holds plain values: the input size, which codec, crop and resize share, would have to be
changed in three places, and a step of a pipeline only by its position. The configs therefore call
these functions, and the config that a run dumps has plain steps. Configs import this module below
their `_base_`; MMEngine leaves modules out of a config's values.

`codec` is a setting: a mapping with `input_size` (w, h) and, for `PINetCodec`, `convention`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError, RunError
from .wrapped import steps_named

RESIZING = ('BottomupResize', 'WholeCentreResize')  # steps of test pipelines

# `flip_indices` and the three `input_*` map predictions back to the original image.
TEST_META_KEYS = (
    'id',
    'img_id',
    'img_path',
    'crowd_index',
    'ori_shape',
    'img_shape',
    'input_size',
    'input_center',
    'input_scale',
    'flip_indices',
    'skeleton_links',
    'raw_ann_info',
)


def of_size(codec: Mapping, input_size: tuple[int, int]) -> dict:
    """Return a codec setting for another input size, its maps of the same stride.

    Args:
        codec: the setting, which stays as it is.
        input_size: (w, h) px.

    Raises:
        InputError: the stride does not divide the size.
    """
    stride = codec['input_size'][0] // codec['heatmap_size'][0]
    if any(side < stride or side % stride for side in input_size):
        raise InputError(
            f'input_size must be multiples of the stride {stride} of the maps; found {input_size}'
        )
    heatmap_size = tuple(side // stride for side in input_size)
    return dict(codec, input_size=tuple(input_size), heatmap_size=heatmap_size)


def train(codec: Mapping, ignored_regions: bool = False, **factors) -> list[dict]:
    """Return the steps from an image file to a training sample.

    Args:
        codec: of the targets.
        ignored_regions: see `ReleasePersons`; without effect in the paper's convention.
        **factors: see `crop`.
    """
    persons = [dict(type='ReleasePersons', ignored_regions=ignored_regions)]
    return [
        load(codec),
        *(persons if _is_release(codec) else []),
        crop(codec, **factors),
        *targets(codec),
    ]


def test(codec: Mapping, input_size: tuple[int, int] | None = None) -> list[dict]:
    """Return the steps from an image file to what a model predicts from: the whole image.

    Args:
        codec: of the model.
        input_size: (w, h) to whose short side images are resized, by default the codec's.
    """
    size = tuple(input_size or codec['input_size'])
    resize = dict[str, Any](type='WholeCentreResize', input_size=size)
    if not _is_release(codec):
        resize.update(type='BottomupResize', size_factor=64, resize_mode='expand')
    return [load(codec), resize, dict(type='PackPoseInputs', meta_keys=TEST_META_KEYS)]


def set_short_side(settings: Sequence | Mapping, pixels: int) -> None:
    """Resize whole images to another short side.

    Args:
        settings: a test pipeline or a dataset with one, in whatever wrapper; changed in place.
        pixels: of the network input.

    Raises:
        RunError: no step resizes images.
    """
    resizing = list(steps_named(settings, *RESIZING))
    if not resizing:
        raise RunError('no short side can be set: no step of the test pipeline resizes images')
    for step in resizing:
        step['input_size'] = (pixels, pixels)


def load(codec: Mapping) -> dict:
    """Return the step that reads an image, upright by its EXIF tag in the paper's convention."""
    if _is_release(codec):
        return dict(type='LoadImage', color_type='color_ignore_orientation')
    return dict(type='LoadImage')


def crop(
    codec: Mapping,
    scale_factor: tuple[float, float] = (0.75, 1.5),
    shift_factor: float = 0.2,
    rotate_factor: float = 30.0,
) -> dict:
    """Return the step that takes a random crop of the codec's input size.

    Args:
        codec: gives the size.
        scale_factor: range of the crop's side by the image's short side.
        shift_factor: largest shift by the crop's side.
        rotate_factor: largest angle, degrees.
    """
    kind = 'ReleaseCrop' if _is_release(codec) else 'RandomCropAffine'
    # The official implementation knows no other side.
    side = {} if _is_release(codec) else dict(scale_type='short')
    return dict(
        type=kind,
        input_size=tuple(codec['input_size']),
        scale_factor=scale_factor,
        shift_factor=shift_factor,
        rotate_factor=rotate_factor,
        **side,
    )


def targets(codec: Mapping, meta_keys: Sequence[str] | None = None) -> list[dict]:
    """Return the steps from a crop to a training sample: flip, targets, mask, packing.

    Args:
        codec: of the targets.
        meta_keys: what of an image's record is packed, by default as in MMPose's transform.
    """
    flip = dict(type='RandomInputFlip', direction='horizontal', prob=0.5)
    mask = dict(type='ValidHeatmapMask')
    if _is_release(codec):
        flip['keypoint_stride'] = codec['input_size'][0] // codec['heatmap_size'][0]
        mask = dict(type='ReleaseHeatmapMask')
    pack = dict(type='PackPoseInputs', **(dict(meta_keys=meta_keys) if meta_keys else {}))
    return [flip, dict(type='GenerateTarget', encoder=codec), mask, pack]


def _is_release(codec: Mapping) -> bool:
    return codec.get('convention') == 'release'
