"""Keypoints, boxes and areas of people, checked for a whole file at once.

Shape shorthand: N annotations, K keypoints. Coordinates are pixels of the image.
"""

from collections.abc import Sequence

import numpy as np

from .findings import Findings, Said
from .regions import box_around, box_of

FAR_OUTSIDE = 0.1  # of the image's side: labels this far outside are accepted
HUGE = 1e300  # integers beyond it are no float
LARGE = 1.5  # area over that of the box, above which they are not of the same person
AREA_OF_BOX = 0.53  # MMPose's estimate of a person's area where none is annotated


def check_keypoints(
    annotations: Sequence[dict],
    num_keypoints: int,
    order: Sequence[int] | None,
    findings: Findings,
) -> tuple[list[dict], list[dict], np.ndarray]:
    """Check keypoints and visibility, and mend them in place.

    Args:
        annotations: the records.
        num_keypoints: K.
        order: for each keypoint its place in the file; None keeps the file's order.
        findings: receives every fault.

    Returns:
        The N records that are not refused, those that are, and (N, K, 3): x, y and visibility 0,
        1 or 2 of the former; a keypoint without a label is 0, 0, 0.
    """
    pairs = [(each, _row(each, num_keypoints, findings)) for each in annotations]
    kept = [each for each, row in pairs if row is not None]
    refused = [each for each, row in pairs if row is None]
    rows = [row for _, row in pairs if row is not None]
    try:
        raw = np.array(rows, dtype=np.float64).reshape(len(rows), num_keypoints, 3)
    except OverflowError:  # an integer beyond all floats
        rows = [_bounded(row, each, findings) for row, each in zip(rows, kept)]
        raw = np.array(rows, dtype=np.float64).reshape(len(rows), num_keypoints, 3)
    return kept, refused, _labels(kept, raw, order, findings)


def _labels(
    annotations: list[dict], raw: np.ndarray, order: Sequence[int] | None, findings: Findings
) -> np.ndarray:
    """Return (N, K, 3) valid keypoints for what the file holds; mend the records in place."""
    labeled = raw[..., 2] > 0
    bad = ~np.isfinite(raw).all(axis=-1)
    _tell(annotations, bad & labeled, 'keypoints-not-finite', raw, findings)
    _tell(annotations, bad & ~labeled, 'keypoints-unlabeled', raw, findings)
    odd = ~bad & ~np.isin(raw[..., 2], (0, 1, 2))
    _tell(annotations, odd, 'visibility', raw[..., 2], findings)
    points = np.where((labeled & ~bad)[..., None], raw, 0)
    points[..., 2] = np.where(np.isin(points[..., 2], (0, 1)), points[..., 2], 2)
    if order is not None:
        points = points[:, order]
    changed = (bad | odd).any(axis=1) | (order is not None)
    missing = np.array([not each.get('keypoints') for each in annotations], dtype=bool)
    for i in np.flatnonzero(changed | missing):
        annotations[i]['keypoints'] = points[i].ravel().tolist()
    _check_all(labeled, points, findings)
    return points


def _check_all(labeled: np.ndarray, points: np.ndarray, findings: Findings) -> None:
    """Check what shows only in all people together."""
    valid = points[..., 2] > 0
    if labeled.any() and not valid.any():
        findings.add('labels-lost')
    elif len(points) and not valid.any():
        findings.add('no-labels')
    places = points[valid][:, :2]
    if len(places) > 1 and places.min() >= 0 and 0 < places.max() <= 1:
        findings.add('keypoints-normalized', None, Said(f'{places[0].tolist()} and others'))


def _row(annotation: dict, num_keypoints: int, findings: Findings) -> list | None:
    """Return 3 K numbers; None if the record is refused."""
    given = annotation.get('keypoints')
    if not given:
        if not annotation.get('iscrowd'):
            findings.add('keypoints-missing', annotation['id'])
        return [0.0] * (3 * num_keypoints)
    if not isinstance(given, list) or len(given) != 3 * num_keypoints:
        if isinstance(given, list):
            given = Said(f'{len(given)} numbers for {num_keypoints} keypoints')
        findings.add('keypoints-length', annotation['id'], given)
        return None
    if set(map(type, given)) <= {int, float}:
        return given
    values = [np.nan if each is None else each for each in given]
    if not all(isinstance(each, (int, float)) for each in values):
        findings.add('keypoints-type', annotation['id'], given)
        return None
    # A visibility of `null` means no label.
    return [0 if i % 3 == 2 and each != each else each for i, each in enumerate(values)]


def _bounded(row: list, annotation: dict, findings: Findings) -> list:
    try:
        np.array(row, dtype=np.float64)
    except OverflowError:
        findings.add('keypoints-type', annotation['id'], Said('an integer beyond all floats'))
        return [0.0] * len(row)
    return row


def _tell(
    annotations: list[dict], faulty: np.ndarray, kind: str, values: np.ndarray, findings: Findings
) -> None:
    # `faulty` (N, K); of each person the first faulty keypoint is shown.
    for i in np.flatnonzero(faulty.any(axis=1)):
        k = int(faulty[i].argmax())
        shown = Said(f'{values[i, k].tolist()} of keypoint {k}')
        findings.add(kind, annotations[i]['id'], shown)


def check_places(
    annotations: list[dict], points: np.ndarray, sizes: np.ndarray, findings: Findings
) -> None:
    """Report labeled keypoints outside their images.

    Args:
        annotations: the N records.
        points: (N, K, 3) as `check_keypoints` returns them.
        sizes: (N, 2), w and h of their images.
        findings: receives every fault.
    """
    labeled = points[..., 2] > 0
    beyond = np.maximum(-points[..., :2], points[..., :2] - sizes[:, None])
    outside = (beyond > FAR_OUTSIDE * sizes[:, None]).any(axis=-1) & labeled
    _tell(annotations, outside, 'keypoints-outside', points, findings)


def check_counts(annotations: list[dict], points: np.ndarray, findings: Findings) -> None:
    """Check how many keypoints are labeled; wrong counts are mended in place.

    CrowdPose's files count visible keypoints only, and `keypoints_crowd` ignores people of 0: their
    counts stay.

    Args:
        annotations: the N records.
        points: (N, K, 3) as `check_keypoints` returns them.
        findings: receives every fault.
    """
    labeled, visible = (points[..., 2] > 0).sum(axis=1), (points[..., 2] == 2).sum(axis=1)
    counts = [each.get('num_keypoints') for each in annotations]
    of_visible = _are_of_visible(counts, labeled, visible)
    for each, count, seen, total in zip(annotations, counts, visible.tolist(), labeled.tolist()):
        if count == total or (count == seen and seen):
            continue
        if count == seen and of_visible:
            findings.add('num-keypoints-visible', each['id'], count)
            continue
        findings.add('num-keypoints', each['id'], count)
        each['num_keypoints'] = total


def _are_of_visible(counts: list, labeled: np.ndarray, visible: np.ndarray) -> bool:
    """Return whether most counts are those of visible keypoints, as far as the labels tell."""
    telling = (visible > 0) & (visible < labeled)
    telling = telling if telling.any() else visible > 0
    same = [counts[i] == visible[i] for i in np.flatnonzero(telling)]
    return sum(same) > len(same) / 2


def check_boxes(
    annotations: list[dict], points: np.ndarray, sizes: np.ndarray, findings: Findings
) -> list[dict]:
    """Check boxes and mend them in place.

    Args:
        annotations: the N records.
        points: (N, K, 3) as `check_keypoints` returns them.
        sizes: (N, 2), w and h of their images.
        findings: receives every fault.

    Returns:
        The annotations that have a box, a region or a labeled keypoint.
    """
    given = [_box(annotation) for annotation in annotations]
    _check_all_boxes(np.array([box for box, _ in given if box]).reshape(-1, 4), findings)
    kept, beyond = [], 0
    for annotation, (box, fault), person, size in zip(annotations, given, points, sizes.tolist()):
        if box is None:
            box = _box_around(annotation, person)
            _tell_of_box(annotation, fault, box is not None, findings)
        if box is None:
            continue
        annotation['bbox'] = box
        beyond += box[0] + box[2] > size[0] + 1 or box[1] + box[3] > size[1] + 1
        kept.append(annotation)
    if len(kept) >= 4 and beyond > len(kept) / 2:
        found = Said(f'{beyond} of {len(kept)} boxes beyond their image')
        findings.add('box-corners', None, found)
    return kept


def check_boxes_of_refused(annotations: Sequence[dict], findings: Findings) -> None:
    """Report what is wrong with boxes and areas of people whose keypoints are refused.

    Args:
        annotations: the records.
        findings: receives every fault.
    """
    for annotation in annotations:
        box, fault = _box(annotation)
        if box is not None:
            check_area(annotation, findings, needed='area' in annotation)
        elif fault[0] == 'box-type':  # another box comes from the keypoints
            findings.add(fault[0], annotation['id'], fault[1])


def _check_all_boxes(boxes: np.ndarray, findings: Findings) -> None:
    # (N, 4) x, y, w, h
    if len(boxes) and boxes.min() >= 0 and (boxes[:, :2] + boxes[:, 2:]).max() <= 1:
        findings.add('box-normalized', None, Said(f'{boxes[0].tolist()} and others'))


def _box(annotation: dict) -> tuple[list | None, tuple[str, object]]:
    """Return a valid box (x, y, w, h), or None; and the kind of its fault, and what was found."""
    box = annotation.get('bbox')
    if not box:
        return None, ('box-missing', Said('none') if box is None else box)
    numbers = isinstance(box, list) and len(box) == 4
    if not numbers or not all(each is None or _is_number(each) for each in box):
        return None, ('box-type', box)
    if None in box or not np.isfinite(box).all() or min(box[2:]) <= 0:
        return None, ('box-empty', box)
    return box, ('', None)


def _tell_of_box(
    annotation: dict, fault: tuple[str, object], is_derived: bool, findings: Findings
) -> None:
    """Report a box that is none: that another is taken, or that nothing gives one."""
    kind, found = fault
    if is_derived or kind == 'box-type':
        findings.add(kind, annotation['id'], found)
    if not is_derived:
        findings.add('nothing-there', annotation['id'])


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < HUGE)


def _box_around(annotation: dict, person: np.ndarray) -> list | None:
    """Return the box (x, y, w, h) around labeled keypoints or else the region; None without."""
    points = person[person[:, 2] > 0, :2]
    return box_around(points) if len(points) else box_of(annotation.get('segmentation'))


def check_area(annotation: dict, findings: Findings, needed: bool) -> None:
    """Check the area of an annotation that has a box, and mend it in place.

    Args:
        annotation: one record.
        findings: receives every fault.
        needed: whether the area may not be missing.
    """
    area = annotation.get('area')
    unused = annotation.get('iscrowd') and area == 0  # of a crowd, whose area nothing uses
    if unused or (not needed and 'area' not in annotation):
        return
    _, _, w, h = annotation['bbox']
    if isinstance(area, (str, list, dict, bool)):
        findings.add('area-type', annotation['id'], area)
    elif area is None or not 0 < area < HUGE:
        findings.add('area', annotation['id'], Said('none') if area is None else area)
        annotation['area'] = AREA_OF_BOX * w * h
    elif area > LARGE * w * h:
        found = Said(f'{area:.6g} in a box of {w:.6g}×{h:.6g}')
        findings.add('area-of-more', annotation['id'], found)
