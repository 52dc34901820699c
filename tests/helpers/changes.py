"""A valid annotation file, and functions that change it.

Values are written by hand, so that tests need no code of the package.
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

NAMES = ['nose', 'left_hand', 'right_hand', 'left_foot', 'right_foot']
NAN = float('nan')


def person(annotation_id, image_id, x, y, labeled=5):
    """A person of 20×40 px whose box begins at (x, y); the last keypoints have no label."""
    places = [(10, 0), (0, 20), (20, 20), (4, 40), (16, 40)]
    keypoints = []
    for k, (dx, dy) in enumerate(places):
        keypoints += [x + dx, y + dy, 2] if k < labeled else [0, 0, 0]
    return dict(
        id=annotation_id,
        image_id=image_id,
        category_id=1,
        keypoints=keypoints,
        num_keypoints=labeled,
        bbox=[x, y, 20, 40],
        area=424.0,
        iscrowd=0,
    )


def write_images(folder):
    """Write the three images of 100×80 px, and one in a folder below."""
    for name in ('1.png', '2.png', '3.png', 'a/1.png'):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new('RGB', (100, 80)).save(folder / name)


def valid():
    """Three images of 100×80 px with two, two and one person."""
    return dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=100, height=80, crowdIndex=0.5)
            for i in (1, 2, 3)
        ],
        annotations=[
            person(1, 1, 10, 10),
            person(2, 1, 50, 20),
            person(3, 2, 10, 30, labeled=3),
            person(4, 2, 60, 10),
            person(5, 3, 30, 20),
        ],
        categories=[dict(id=1, name='person', keypoints=list(NAMES), skeleton=[[1, 2], [1, 3]])],
    )


class Mutation(NamedTuple):
    """A change of a valid file.

    Attributes:
        name: what is changed.
        change: the change, of the content in place; or of the bytes of the file.
        kind: what the check finds; None if that is no fault.
        of_bytes: `change` takes the file's bytes and returns others.
    """

    name: str
    change: Callable
    kind: str | None
    of_bytes: bool = False


def everyone(**fields) -> Callable:
    def change(data):
        for each in data['annotations']:
            each.update(copy.deepcopy(fields))

    return change


def one(place=0, **fields) -> Callable:
    return lambda data: data['annotations'][place].update(copy.deepcopy(fields))


def without(field, places=(0,)) -> Callable:
    def change(data):
        for place in places:
            del data['annotations'][place][field]

    return change


def keypoint(k, *values, place=0) -> Callable:
    def change(data):
        data['annotations'][place]['keypoints'][3 * k : 3 * k + 3] = values

    return change


def image(place=0, **fields) -> Callable:
    return lambda data: data['images'][place].update(fields)


def category(**fields) -> Callable:
    return lambda data: data['categories'][0].update(copy.deepcopy(fields))


def renumbered(number) -> Callable:
    def change(data):
        data['categories'][0]['id'] = number
        everyone(category_id=number)(data)

    return change


def second_category(**fields) -> Callable:
    def change(data):
        data['categories'].append(dict(id=2, name='robot', **fields))
        data['annotations'][1]['category_id'] = 2

    return change


def reordered(data):
    order = [0, 2, 1, 4, 3]
    data['categories'][0]['keypoints'] = [NAMES[k] for k in order]
    for each in data['annotations']:
        points = each['keypoints']
        each['keypoints'] = [value for k in order for value in points[3 * k : 3 * k + 3]]


def normalized(field, step):
    """Divide x by the width of the image and y by its height; `step` numbers follow each x."""

    def change(data):
        for each in data['annotations']:
            values = each[field]
            each[field] = [
                value / (100, 80)[i % step % 2] if i % step < 2 else value
                for i, value in enumerate(values)
            ]

    return change


def every_keypoint(*values):
    """Give everybody's labeled keypoints these values."""

    def change(data):
        for each in data['annotations']:
            points = each['keypoints']
            for k in range(0, len(points), 3):
                if points[k + 2]:
                    points[k : k + 3] = values

    return change


def corners(data):
    for each in data['annotations']:
        if len(each.get('bbox', ())) == 4:  # another change may have taken it
            x, y, w, h = each['bbox']
            each['bbox'] = [x + 60, y + 40, x + 60 + w, y + 40 + h]


def duplicate_ids(data):
    for number, each in enumerate(data['annotations']):
        each['id'] = number % 2 + 1


def text_image_ids(data):
    for each in (*data['images'],):
        each['id'] = str(each['id'])
    for each in data['annotations']:
        each['image_id'] = str(each['image_id'])


def of_visible(data):
    """Count visible keypoints only, as CrowdPose does; the first person has none of the five."""
    for each, hidden in zip(data['annotations'], (5, 2, 1, 0, 0)):
        each['keypoints'][2 : 3 * hidden : 3] = [1] * hidden
        each['num_keypoints'] -= hidden
