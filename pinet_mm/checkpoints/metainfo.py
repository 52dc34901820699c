"""The metainfo that a checkpoint brings: people read it, so it must have MMPose's form."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import CheckpointError

# Name -> kinds of numbers and columns of an array with a row for each keypoint or each link.
_OF_KEYPOINTS = dict(
    flip_indices=('iu', None),
    sigmas=('iuf', None),
    dataset_keypoint_weights=('iuf', None),
    keypoint_colors=('iuf', 3),
)
_OF_LINKS = dict(skeleton_links=('iu', 2), skeleton_link_colors=('iuf', 3))
_INDICES = ('flip_indices', 'skeleton_links')


def check_metainfo(metainfo: Any, source: str) -> None:
    """Check the parsed metainfo of a checkpoint, as far as it has what MMPose's has.

    Args:
        metainfo: what the file holds as `dataset_meta`.
        source: path, URL or package, for the message.

    Raises:
        CheckpointError: it is no mapping, its keypoints are not numbered from 0, or an array has
            another kind or shape, or names a keypoint that is not there.
    """
    if not isinstance(metainfo, Mapping):
        _refuse(source, 'dataset_meta', 'a mapping', metainfo)
    names = metainfo.get('keypoint_id2name')
    count = None
    if names is not None:
        if not _is_numbered(names):
            _refuse(source, 'keypoint_id2name', 'the names of keypoints from 0 on', names)
        count = len(names)
    for name, (kinds, columns) in {**_OF_KEYPOINTS, **_OF_LINKS}.items():
        rows = count if name in _OF_KEYPOINTS else None
        end = count if name in _INDICES else None
        if name in metainfo and not _is_array(metainfo[name], kinds, rows, columns, end):
            of = 'keypoint' if name in _OF_KEYPOINTS else 'link'
            entries = f'{columns} numbers' if columns else 'a number'
            where = f' below {end}' if end is not None else ''
            _refuse(source, name, f'{entries}{where} for each {of}', metainfo[name])


def _is_numbered(names: Any) -> bool:
    return (
        isinstance(names, Mapping)
        and set(names) == set(range(len(names)))
        and all(isinstance(each, str) for each in names.values())
    )


def _is_array(
    value: Any, kinds: str, rows: int | None, columns: int | None, end: int | None
) -> bool:
    """Return whether a value is (rows,) or (rows, columns) finite numbers, from 0 to `end`."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return False
    if array.shape == (0,) and not rows:
        return True
    if array.dtype.kind not in kinds or array.ndim != (2 if columns else 1):
        return False
    if rows not in (None, len(array)) or columns not in (None, array.shape[-1]):
        return False
    return bool(np.isfinite(array).all()) and (end is None or _is_below(array, end))


def _is_below(array: np.ndarray, end: int) -> bool:
    return bool(((array >= 0) & (array < end)).all())


def _refuse(source: str, name: str, wanted: str, found: Any) -> None:
    raise CheckpointError(
        f'the checkpoint {source} cannot be used: {name} must be {wanted}; found '
        f'{" ".join(repr(found).split())[:100]}'
    )
