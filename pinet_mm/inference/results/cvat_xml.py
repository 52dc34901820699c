"""Skeletons in CVAT's own format, `CVAT for images 1.1`: poses as annotations, and back.

Coordinates are those of CVAT's `COCO Keypoints 1.0`, and so are the names of images and frames.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from ...errors import InputError
from ..people import AUTO
from .exchange import to_cvat


def to_cvat_xml(
    results: Iterable[Any], category: str = 'person', pose_thr: float | str = AUTO
) -> str:
    """Return annotations that CVAT imports as `CVAT 1.1`.

    Args:
        results: see `to_cvat`.
        category: see `to_cvat`.
        pose_thr: see `to_cvat`.

    Raises:
        InputError: see `to_cvat`.
    """
    document = to_cvat(results, category, pose_thr)
    root, images = ElementTree.Element('annotations'), {}
    ElementTree.SubElement(root, 'version').text = '1.1'
    for number, image in enumerate(document['images']):
        facts = dict(
            name=image['file_name'], width=str(image['width']), height=str(image['height'])
        )
        images[image['id']] = ElementTree.SubElement(root, 'image', id=str(number), **facts)
    names = document['categories'][0]['keypoints']
    for person in document['annotations']:
        how = dict(label=category, source='auto', z_order='0')
        skeleton = ElementTree.SubElement(images[person['image_id']], 'skeleton', how)
        for name, (x, y, seen) in zip(names, _in_threes(person['keypoints'])):
            state = dict(occluded='1' if seen == 1 else '0', outside='0', points=f'{x:.2f},{y:.2f}')
            ElementTree.SubElement(skeleton, 'points', label=name, source='auto', **state)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, 'unicode')


def _in_threes(flat: Sequence[float]) -> Iterator[tuple[float, ...]]:
    return zip(flat[::3], flat[1::3], flat[2::3])


def from_cvat_xml(text: str | bytes, names: Sequence[str] = ()) -> dict:
    """Return an export of CVAT (`CVAT for images 1.1`) as COCO keypoint annotations.

    Skeletons are people; other shapes are left out. Points that are outside are unlabeled, those
    that are occluded are hidden. CVAT has no box around a skeleton: it is that of its points.

    Args:
        text: of its `annotations.xml`.
        names: of the keypoints, in their order; by default as the export lists them.

    Raises:
        InputError: it is no such export, has tracks or no skeleton, skeletons of several labels, an
            image without width or height, a point that is not among `names`, or one that a skeleton
            has twice.
    """
    try:
        root = ElementTree.fromstring(text)
        skeletons = _require_skeletons(root)
        names = list(names) or _listed_names(root, skeletons[0])
        images, people = [], []
        for number, image in enumerate(root.iter('image'), start=1):
            size = _size_of(image)
            images.append(dict(id=number, file_name=image.attrib['name'], **size))
            for skeleton in image.iter('skeleton'):
                person = _person(skeleton, names, image.attrib['name'])
                people.append(dict(id=len(people) + 1, image_id=number, **person))
    except InputError:
        raise
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f'it is not as CVAT exports its images: {error!r}') from error
    category = dict(id=1, name=skeletons[0].attrib['label'], keypoints=names, skeleton=[])
    return dict(images=images, annotations=people, categories=[category])


def _size_of(image: ElementTree.Element) -> dict[str, int]:
    found = {side: image.get(side, '') for side in ('width', 'height')}
    if not all(value.isdecimal() and int(value) for value in found.values()):
        name = image.get('name')
        raise InputError(f'{name}: sides must be whole numbers of at least 1; found {found}')
    return {side: int(value) for side, value in found.items()}


def _require_skeletons(root: ElementTree.Element) -> list[ElementTree.Element]:
    if root.find('track') is not None:
        raise InputError('it has tracks: export it as `CVAT for images 1.1`')
    found = list(root.iter('skeleton'))
    labels = {each.attrib['label'] for each in found}
    if len(labels) != 1:
        raise InputError(f'its people must be skeletons of one label; found {sorted(labels)}')
    return found


def _listed_names(root: ElementTree.Element, skeleton: ElementTree.Element) -> list[str]:
    # Of the keypoints, among the labels of task or project; a bare export has none.
    of = skeleton.attrib['label']
    listed = [
        each.findtext('name', '') for each in root.iter('label') if each.findtext('parent') == of
    ]
    return listed or [each.attrib['label'] for each in skeleton.iter('points')]


def _person(skeleton: ElementTree.Element, names: Sequence[str], image: str) -> dict:
    points = {name: (0.0, 0.0, 0) for name in names}
    found = [point.attrib['label'] for point in skeleton.iter('points')]
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise InputError(f'{image}: a skeleton has the point {twice[0]} more than once')
    for name, point in zip(found, skeleton.iter('points')):
        if name not in points:
            raise InputError(f'{image}: a point must be one of {", ".join(names)}; found {name}')
        if point.attrib.get('outside') != '1':
            x, y = map(float, point.attrib['points'].split(','))
            if not math.isfinite(x + y):
                raise ValueError(point.attrib['points'])
            points[name] = x, y, 1 if point.attrib.get('occluded') == '1' else 2
    labeled = [(x, y) for x, y, seen in points.values() if seen]
    xs, ys = zip(*labeled) if labeled else ((0.0,), (0.0,))
    x, y, w, h = min(xs), min(ys), round(max(xs) - min(xs), 2), round(max(ys) - min(ys), 2)
    return dict(
        category_id=1,
        keypoints=[number for point in points.values() for number in point],
        num_keypoints=len(labeled),
        bbox=[x, y, w, h],
        area=round(w * h, 2),
        iscrowd=0,
    )
