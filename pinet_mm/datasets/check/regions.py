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
        # Here, since the light installation lacks it, and few files need it.
        from pycocotools import mask

        (height, width), packed = region['size'], isinstance(region['counts'], str)
        try:
            packed_region = region if packed else mask.frPyObjects(region, height, width)
            x, y, w, h = mask.toBbox(packed_region).tolist()
        except (OverflowError, UnicodeError):  # numbers and letters of no code
            return None
        is_inside = x + w <= width and y + h <= height
        return [x, y, w, h] if is_inside and min(w, h) > 0 else None
    if not isinstance(region, list) or not region:
        return None
    return box_around(np.reshape([number for part in region for number in part], (-1, 2)))


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
    if is_other or (integers and sum(counts) != sides[0] * sides[1]):
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
