"""Segmentations: polygons and run-length codes, as exporters write them."""

import math
from collections.abc import Sequence

import numpy as np

from .findings import Findings
from .listing import is_integer


def check_region(annotation: dict, size: tuple[int, int], findings: Findings) -> None:
    """Check the segmentation of an annotation; mend it in place.

    Args:
        annotation: one record.
        size: (w, h) of its image, infinite if it is not known.
        findings: receives every fault.
    """
    region, record_id = annotation.get('segmentation'), annotation['id']
    if region is None:
        annotation.pop('segmentation', None)
    elif isinstance(region, dict):
        _check_run_lengths(annotation, size, record_id, findings)
    elif isinstance(region, list) and region:
        annotation['segmentation'] = _polygons(region, record_id, findings)
    elif region != []:
        findings.add('region-type', record_id, region)


def fill_regions(annotations: Sequence[dict], findings: Findings) -> None:
    """Give an empty region, in place, to people without one in images where others have polygons.

    Args:
        annotations: the records, each checked by `check_region`.
        findings: receives every fault.
    """
    with_polygons = {
        each['image_id'] for each in annotations if isinstance(each.get('segmentation'), list)
    }
    for each in annotations:
        if each['image_id'] in with_polygons and 'segmentation' not in each:
            findings.add('region-missing', each['id'])
            each['segmentation'] = []


def box_of(region: object) -> list | None:
    """Return the box (x, y, w, h) around a region; None if it is empty or its code is broken.

    Args:
        region: checked by `check_region`.
    """
    if isinstance(region, dict):
        runs = _runs(region)
        return None if runs is None else _box_of_runs(runs, region['size'][0])
    if not isinstance(region, list) or not region:
        return None
    return box_around(np.reshape([number for part in region for number in part], (-1, 2)))


def _runs(region: dict) -> list[int] | None:
    # The lengths of a code, checked against its size; None if it is broken. Here, since the light
    # installation has no pycocotools.
    counts, (height, width) = region['counts'], region['size']
    runs = _unpack(counts) if isinstance(counts, str) else counts
    return runs if runs is not None and sum(runs) == height * width else None


def _unpack(text: str) -> list[int] | None:
    # COCO's packing: six bits per letter from '0' on, the lowest first: five of the number, one
    # that says whether it goes on. From the fourth on, a number is the difference to the last but
    # one.
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - ord('0')
        if not 0 <= bits < 64:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (bits & 16) << shift - 4  # the sign
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs if shift == 0 and min(runs, default=-1) >= 0 else None


def _box_of_runs(runs: list[int], height: int) -> list | None:
    # Every second run, down the columns, is of the region.
    ends = np.cumsum(runs)[1::2]
    starts = ends - np.array(runs)[1::2]
    starts, ends = starts[starts < ends], ends[starts < ends]
    if not len(starts):
        return None
    left, right = starts[0] // height, (ends[-1] - 1) // height
    is_split = starts // height < (ends - 1) // height  # from one column into the next
    top = 0 if is_split.any() else (starts % height).min()
    bottom = height - 1 if is_split.any() else ((ends - 1) % height).max()
    return [float(side) for side in (left, top, right - left + 1, bottom - top + 1)]


def box_around(points: np.ndarray) -> list:
    """Return the box (x, y, w, h), of a pixel at least, around points (N, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    return [*low.tolist(), *np.maximum(high - low, 1).tolist()]


def _check_run_lengths(
    annotation: dict, size: tuple[int, int], record_id: int, findings: Findings
) -> None:
    region = annotation['segmentation']
    counts, sides = region.get('counts'), region.get('size')
    integers = isinstance(counts, list) and all(is_integer(each) and each >= 0 for each in counts)
    if not (integers or isinstance(counts, str)) or not _are_sides(sides):
        findings.add('region-type', record_id, {key: type(each) for key, each in region.items()})
        annotation['segmentation'] = []  # for the checks that follow
        return
    is_other = math.inf not in size and sides != [size[1], size[0]]
    if is_other or _runs(region) is None:
        findings.add('region-size', record_id, sides)


def _are_sides(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(is_integer(side) and side > 0 for side in value)
    )


def _polygons(region: list, record_id: int, findings: Findings) -> list:
    parts = [each for each in region if each is not None]
    if parts and _are_numbers(parts):
        findings.add('region-form', record_id, region)
        parts = [parts]
    elif len(parts) > 2 and all(map(_is_point, parts)):
        findings.add('region-form', record_id, region)
        parts = [[number for point in parts for number in point]]
    kept = []
    for part in parts:
        points = _flat(part)
        if points is None:
            findings.add('region-type', record_id, part)
        elif len(points) >= 6:
            kept.append(points)
            if points is not part:
                findings.add('region-form', record_id, part)
    if len(kept) < len(parts) or None in region:
        findings.add('region-empty', record_id, region)
    return kept


def _flat(part: object) -> Sequence | None:
    """Return the numbers x1, y1, x2, y2 ... of a polygon; None if it is none."""
    if not isinstance(part, list):
        return None
    if part and isinstance(part[0], list) and all(map(_is_point, part)):
        part = [number for point in part for number in point]
    return part if len(part) % 2 == 0 and _are_numbers(part) else None


def _are_numbers(values: Sequence) -> bool:
    # Types and sum are fast; this runs for every polygon of a file.
    try:
        return set(map(type, values)) <= {int, float} and math.isfinite(sum(values))
    except OverflowError:  # an integer beyond all floats
        return False


def _is_point(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2
