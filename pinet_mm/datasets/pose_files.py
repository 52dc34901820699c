"""Files of poses in COCO's result format: read, written, checked.

Shape shorthand: N poses, K keypoints. Coordinates are pixels of the image.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..atomic import write_whole
from ..errors import InputError
from .check.reading import read_json


class Poses(NamedTuple):
    """The poses of an image.

    Attributes:
        keypoints: (N, K, 2) pixels of the image.
        keypoint_scores: (N, K).
    """

    keypoints: np.ndarray
    keypoint_scores: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """(N,) score of every pose, the mean of its keypoint scores."""
        return self.keypoint_scores.mean(axis=1)


class Results(NamedTuple):
    """The content of a file of poses.

    Attributes:
        images: image id to its poses, in the file's order.
        category_id: of the poses, None if the file does not say it.
        note: a line on poses without a category; None if there are none.
    """

    images: dict[Any, Poses]
    category_id: Any = None
    note: str | None = None


def read_results(
    path: str | Path, category_id: Any = None, num_keypoints: int | None = None
) -> Results:
    """Read a file in COCO's result format.

    Where the `score` of a pose is not the mean of its keypoint scores (MMPose's `CocoMetric` may
    multiply it by that of a box), these are multiplied by a factor that makes it so: the fusion
    compares keypoint scores and ranks by their mean.

    Args:
        path: a list of entries with `image_id`, `keypoints` and `score`, as `CocoResults` and
            `CocoMetric` write it.
        category_id: poses of other categories are left out; by default there may be only one.
        num_keypoints: K, as there are sigmas; by default that of the first pose.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not in this format, or poses differ in their number of keypoints or in
            their category.
    """
    entries = _of_category(_read_list(path), category_id, path)
    images: dict[Any, list] = defaultdict(list)
    counts = {}
    for i, entry in entries:
        poses = images[_image_id(entry, path, i)]
        poses.append(_pose(entry, path, i))
        counts[i] = len(poses[-1])
    _require_count(counts, num_keypoints, path)
    stacked = {image_id: np.stack(poses) for image_id, poses in images.items()}
    found = next((entry.get('category_id') for _, entry in entries), None)
    return Results(
        {image_id: Poses(poses[..., :2], poses[..., 2]) for image_id, poses in stacked.items()},
        found,
        _note_on_unnamed([entry for _, entry in entries], path),
    )


def read_entries(
    path: str | Path, num_keypoints: int | None = None
) -> tuple[list[dict], str | None]:
    """Read the entries of a file in COCO's result format as they are, once they are checked.

    Args:
        path: see `read_results`.
        num_keypoints: see `read_results`.

    Returns:
        The entries; a line on those without a category, None if there are none.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is not in this format, or poses have other numbers of keypoints.
    """
    entries, counts = _read_list(path), {}
    for i, entry in enumerate(entries):
        _image_id(entry, path, i)
        counts[i] = len(_pose(entry, path, i))
    _require_count(counts, num_keypoints, path)
    return entries, _note_on_unnamed(entries, path)


def _require_count(counts: Mapping[int, int], wanted: int | None, path: str | Path) -> None:
    """Check that all entries have one number of keypoints: the one that is wanted, if there is."""
    reason = ', as there are sigmas: is it of another dataset?'
    for i, found in counts.items():
        if wanted is None:
            wanted, reason = found, f', as entry {i} has'
        if found != wanted:
            raise InputError(f'{path}: entry {i} has {found} keypoints; expected {wanted}{reason}')


def _note_on_unnamed(entries: list[dict], path: str | Path) -> str | None:
    unnamed = sum(entry.get('category_id') is None for entry in entries)
    return f'{path}: {unnamed} poses without category_id count as people' if unnamed else None


def _read_list(path: str | Path) -> list:
    if not Path(path).is_file():
        raise FileNotFoundError(f'the file of poses {path} does not exist')
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InputError(
            f"{path} must hold a list, COCO's result format; found a {type(entries).__name__}"
        )
    return entries


def _of_category(entries: list, category_id: Any, path: str | Path) -> list[tuple[int, Any]]:
    """Return the entries of a category, or without one, and their places in the file."""
    named = [each.get('category_id') if isinstance(each, Mapping) else None for each in entries]
    known = {str(each): each for each in named if each is not None}
    if len(known) > 1 and str(category_id) not in known:
        raise InputError(
            f'{path} has poses of several categories: category_id {", ".join(sorted(known))}; '
            f'name the one of people: --category; found {category_id}'
        )
    if len(known) < 2:  # one category is people, whatever its id
        return list(enumerate(entries))
    return [
        (i, entry)
        for i, (entry, found) in enumerate(zip(entries, named))
        if found is None or str(found) == str(category_id)
    ]


def _key(entry: Any, key: str, path: str | Path, i: int) -> Any:
    if not isinstance(entry, Mapping) or key not in entry:
        found = sorted(entry) if isinstance(entry, Mapping) else type(entry).__name__
        raise InputError(
            f'{path}: entry {i} has no {key!r}; expected image_id, keypoints and '
            f'score, found {found}'
        )
    return entry[key]


def _image_id(entry: Any, path: str | Path, i: int) -> int | float | str:
    found = _key(entry, 'image_id', path, i)
    whole = isinstance(found, float) and found.is_integer()  # 1.0 is 1
    if not (isinstance(found, (int, str)) or whole) or isinstance(found, bool):
        raise InputError(
            f'{path}: entry {i}: image_id must be a whole number or text; found {found!r}'
        )
    return found


def _pose(entry: Any, path: str | Path, i: int) -> np.ndarray:
    # (K, 3): x, y, keypoint score.
    numbers, given = (_key(entry, key, path, i) for key in ('keypoints', 'score'))
    try:
        row, score = np.array(numbers, dtype=np.float64), float(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f'{path}: entry {i}: {error}') from error
    if row.ndim != 1 or not len(row) or len(row) % 3:
        raise InputError(
            f'{path}: entry {i}: keypoints must be a row of x, y and score of each; '
            f'found numbers of shape {row.shape}'
        )
    if not np.isfinite([*row, score]).all():
        raise InputError(f'{path}: entry {i}: all numbers must be finite')
    for each in (*numbers, given):
        if type(each) not in (int, float):  # numpy takes '3' and true
            raise InputError(f'{path}: entry {i}: expected numbers alone; found {each!r}')
    pose = row.reshape(-1, 3)
    mean = pose[:, 2].mean()
    if not np.isclose(mean, score, rtol=1e-5, atol=1e-12):
        pose[:, 2] = score * (pose[:, 2] / mean if mean > 0 else 1)
    return pose


def to_entries(
    image_id: Any,
    keypoints: np.ndarray,
    keypoint_scores: np.ndarray,
    category_id: int = 1,
    scores: np.ndarray | None = None,
) -> list[dict]:
    """Return the poses of an image as entries of COCO's result format.

    Args:
        image_id: of the image.
        keypoints: (N, K, 2) pixels of the image.
        keypoint_scores: (N, K).
        category_id: of people.
        scores: (N,) of the poses, by default the mean keypoint scores.
    """
    rows = np.concatenate((keypoints, keypoint_scores[..., None]), axis=-1, dtype=np.float64)
    return [
        dict(
            image_id=image_id,
            category_id=category_id,
            keypoints=row.ravel().tolist(),
            score=float(score),
        )
        for row, score in zip(rows, rows[..., 2].mean(axis=-1) if scores is None else scores)
    ]


def list_poses(images: Mapping[Any, Poses], category_id: Any = 1) -> list[dict]:
    """Return the poses of images as entries of COCO's result format.

    Args:
        images: image id to poses.
        category_id: of people.
    """
    return [
        entry
        for image_id, poses in images.items()
        for entry in to_entries(image_id, *poses, category_id)
    ]


def write_poses(path: str | Path, images: Mapping[Any, Poses], category_id: Any = 1) -> None:
    """Write poses as `CocoResults` does; the `score` of a pose is its mean keypoint score.

    Args:
        path: the file; its folder is made if it is missing.
        images: image id to poses.
        category_id: of people.
    """
    write_whole(path, json.dumps(list_poses(images, category_id)))
