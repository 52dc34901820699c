"""A valid annotation file, and the ways in which real ones differ from it.

Every mutation names what the check says of it; `None` is a change that is no fault. Values are
those of the file's annotations by hand, so that tests need no code of the package.
"""

import copy
import gzip
import json
from collections.abc import Callable
from typing import NamedTuple

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


def _everyone(**fields) -> Callable:
    def change(data):
        for each in data['annotations']:
            each.update(copy.deepcopy(fields))

    return change


def _one(place=0, **fields) -> Callable:
    return lambda data: data['annotations'][place].update(copy.deepcopy(fields))


def _without(field, places=(0,)) -> Callable:
    def change(data):
        for place in places:
            del data['annotations'][place][field]

    return change


def _keypoint(k, *values, place=0) -> Callable:
    def change(data):
        data['annotations'][place]['keypoints'][3 * k : 3 * k + 3] = values

    return change


def _image(place=0, **fields) -> Callable:
    return lambda data: data['images'][place].update(fields)


def _category(**fields) -> Callable:
    return lambda data: data['categories'][0].update(copy.deepcopy(fields))


def _renumbered(number) -> Callable:
    def change(data):
        data['categories'][0]['id'] = number
        _everyone(category_id=number)(data)

    return change


def _second_category(**fields) -> Callable:
    def change(data):
        data['categories'].append(dict(id=2, name='robot', **fields))
        data['annotations'][1]['category_id'] = 2

    return change


def _reordered(data):
    order = [0, 2, 1, 4, 3]
    data['categories'][0]['keypoints'] = [NAMES[k] for k in order]
    for each in data['annotations']:
        points = each['keypoints']
        each['keypoints'] = [value for k in order for value in points[3 * k : 3 * k + 3]]


def _corners(data):
    for each in data['annotations']:
        x, y, w, h = each['bbox']
        each['bbox'] = [x + 60, y + 40, x + 60 + w, y + 40 + h]


def _duplicate_ids(data):
    for number, each in enumerate(data['annotations']):
        each['id'] = number % 2 + 1


def _text_image_ids(data):
    for each in (*data['images'],):
        each['id'] = str(each['id'])
    for each in data['annotations']:
        each['image_id'] = str(each['image_id'])


REGION = [10, 10, 30, 10, 30, 50, 10, 50]

CONTENT = [
    Mutation('nothing', lambda data: None, None),
    # categories
    Mutation('category has id 9', _renumbered(9), 'category-id'),
    Mutation('category has id 0', _renumbered(0), 'category-id'),
    Mutation('category_id is missing', _without('category_id'), 'category-missing'),
    Mutation('a second category of boxes', _second_category(), 'other-category'),
    Mutation(
        'two categories with keypoints', _second_category(keypoints=NAMES), 'categories-ambiguous'
    ),
    Mutation('category is not listed', _one(category_id=7), 'category-undescribed'),
    Mutation('no category is listed', _everyone(category_id=7), 'nobody-left'),
    Mutation('category_id is text', _everyone(category_id='1'), 'number-as-text'),
    Mutation('category_id is a list', _one(category_id=[1]), 'category-undescribed'),
    Mutation('id of a category is a list', _category(id=[1]), 'category-id-type'),
    Mutation('names are a number', _category(keypoints=5), 'category-names-type'),
    Mutation(
        'keypoints of other names in another order',
        _category(keypoints=['head', 'right_hand', 'left_hand', 'left_foot', 'right_foot']),
        'keypoint-names-moved',
    ),
    Mutation('keypoints in another order', _reordered, 'keypoint-order'),
    Mutation(
        'keypoints of other names',
        _category(keypoints=['head', *NAMES[1:]]),
        'keypoint-names',
    ),
    Mutation(
        'names in another spelling',
        _category(keypoints=['Nose', 'Left Hand', 'right-hand', 'left foot', 'RIGHT_FOOT']),
        None,
    ),
    Mutation('fewer names than keypoints', _category(keypoints=NAMES[:4]), 'keypoint-count'),
    Mutation('no names', lambda data: data['categories'][0].pop('keypoints'), None),
    # keypoints
    Mutation('NaN without a label', _keypoint(0, NAN, NAN, 0), 'keypoints-unlabeled'),
    Mutation('null without a label', _keypoint(0, None, None, 0), 'keypoints-unlabeled'),
    Mutation('null as visibility', _keypoint(0, None, None, None), 'keypoints-unlabeled'),
    Mutation('NaN with a label', _keypoint(0, NAN, 10, 2), 'keypoints-not-finite'),
    Mutation('infinity with a label', _keypoint(0, float('inf'), 10, 2), 'keypoints-not-finite'),
    Mutation('visibility 3', _keypoint(0, 20, 10, 3), 'visibility'),
    Mutation('visibility -1', _keypoint(0, 20, 10, -1), 'visibility'),
    Mutation('visibility 0.9', _keypoint(0, 20, 10, 0.9), 'visibility'),
    Mutation('keypoints are missing', _without('keypoints'), 'keypoints-missing'),
    Mutation('keypoints are null', _one(keypoints=None), 'keypoints-missing'),
    Mutation('keypoints are []', _one(keypoints=[], bbox=[0, 0, 0, 0]), 'keypoints-missing'),
    Mutation('x, y without visibility', _one(keypoints=[1, 2] * 5), 'keypoints-length'),
    Mutation('keypoints of six', _one(keypoints=[1, 2, 2] * 6), 'keypoints-length'),
    Mutation('keypoints are text', _one(keypoints=['1', '2', '2'] * 5), 'keypoints-type'),
    Mutation('a huge integer', _keypoint(0, 10**400, 10, 2), 'keypoints-type'),
    Mutation('keypoints far outside', _keypoint(0, 300, 10, 2), 'keypoints-outside'),
    Mutation('a keypoint a pixel outside', _keypoint(0, -1, 10, 2), None),
    Mutation('num_keypoints is 0', _everyone(num_keypoints=0), 'num-keypoints'),
    Mutation('num_keypoints is missing', _without('num_keypoints'), 'num-keypoints'),
    # boxes and areas
    Mutation('bbox is missing', _without('bbox'), 'box-missing'),
    Mutation('all boxes are missing', _without('bbox', range(5)), 'box-missing'),
    Mutation('bbox is []', _one(bbox=[]), 'box-missing'),
    Mutation('bbox is null', _one(bbox=None), 'box-missing'),
    Mutation('bbox is empty', _one(bbox=[10, 10, 0, 0]), 'box-empty'),
    Mutation('bbox is negative', _one(bbox=[30, 50, -20, -40]), 'box-empty'),
    Mutation('bbox is NaN', _one(bbox=[NAN, 10, 20, 40]), 'box-empty'),
    Mutation('bbox of three', _one(bbox=[10, 10, 20]), 'box-type'),
    Mutation('bbox of a huge integer', _one(bbox=[10, 10, 10**400, 40]), 'box-type'),
    Mutation('bbox is text', _one(bbox=['10', '10', '20', '40']), 'box-type'),
    Mutation('bbox of floats', _one(bbox=[10.0, 10.0, 20.0, 40.0]), None),
    Mutation('boxes are corners', _corners, 'box-corners'),
    Mutation('area is missing', _without('area'), 'area'),
    Mutation('area is 0', _everyone(area=0), 'area'),
    Mutation('area is null', _everyone(area=None), 'area'),
    Mutation('area is negative', _one(area=-5), 'area'),
    Mutation('area is NaN', _one(area=NAN), 'area'),
    Mutation('area is text', _one(area='424'), 'area-type'),
    Mutation('a person of nothing', _one(keypoints=[0] * 15, bbox=None), 'nothing-there'),
    # ids
    Mutation('annotation ids over and over', _duplicate_ids, 'annotation-id-twice'),
    Mutation('annotation ids are missing', _without('id', range(5)), 'annotation-id-missing'),
    Mutation('an annotation id is text', _one(id='one'), 'annotation-id-type'),
    Mutation('image ids twice', _image(1, id=1), 'image-id-twice'),
    Mutation('image ids are text', _text_image_ids, 'image-id-type'),
    Mutation('image id is missing', lambda data: data['images'][0].pop('id'), 'image-id-missing'),
    Mutation('an annotation of no image', _one(image_id=77), 'image-unknown'),
    Mutation('image_id is text', _one(image_id='1'), 'number-as-text'),
    Mutation('image_id is missing', _without('image_id'), 'image-unknown'),
    Mutation('iscrowd is true', _one(iscrowd=True), 'iscrowd-form'),
    Mutation('iscrowd is 2', _one(iscrowd=2), 'iscrowd'),
    Mutation('an annotation is a list', lambda data: data['annotations'].append([]), 'record-type'),
    # images
    Mutation('file_name is missing', _image(file_name=None), 'file-name-missing'),
    Mutation('backslashes', _image(file_name='a\\1.png'), 'file-name-backslash'),
    Mutation('file_name leaves the folder', _image(file_name='../1.png'), 'file-name-outside'),
    Mutation('file_name is absolute', _image(file_name='/images/1.png'), 'file-name-outside'),
    Mutation('one file twice', _image(1, file_name='1.png'), 'file-name-twice'),
    Mutation('width is missing', lambda data: data['images'][0].pop('width'), 'image-size'),
    Mutation('width is 0', _image(width=0), 'image-size'),
    Mutation('sizes are text', _image(width='100', height='80'), 'image-size-text'),
    # segmentations
    Mutation('regions', _everyone(segmentation=[REGION]), None),
    Mutation('a region of one', _one(segmentation=[REGION]), 'region-missing'),
    Mutation('region [[]]', _one(segmentation=[[]]), 'region-empty'),
    Mutation('region is a point', _one(segmentation=[[3, 4]]), 'region-empty'),
    Mutation('region is a line', _one(segmentation=[[3, 4, 9, 9]]), 'region-empty'),
    Mutation('region is a flat list', _one(segmentation=REGION), 'region-form'),
    Mutation('region of points', _one(segmentation=[[10, 10], [30, 10], [30, 50]]), 'region-form'),
    Mutation('null beside a region', _one(segmentation=[None, REGION]), 'region-empty'),
    Mutation('region is text', _one(segmentation='10 10'), 'region-type'),
    Mutation('region of a huge integer', _one(segmentation=[[10**400] * 6]), 'region-type'),
    Mutation('region of NaN', _one(segmentation=[[NAN] * 6]), 'region-type'),
    Mutation(
        'run lengths of another size',
        _one(segmentation=dict(size=[3, 3], counts=[4, 5])),
        'region-size',
    ),
    Mutation('run lengths', _one(segmentation=dict(size=[80, 100], counts=[100, 7900])), None),
    # the file
    Mutation('no categories', lambda data: data.pop('categories'), 'fields-missing'),
    Mutation('images is an object', lambda data: data.update(images={}), 'fields-missing'),
]
BYTES = [
    Mutation('byte order mark', lambda data: b'\xef\xbb\xbf' + data, 'byte-order-mark', True),
    Mutation('gzip', gzip.compress, 'compressed', True),
]
# Files that are refused before they have any content, and words of the message.
UNREADABLE = [
    Mutation('cut gzip', lambda data: gzip.compress(data)[:-20], 'damaged gzip', True),
    Mutation('empty', lambda data: b'', 'is empty', True),
    Mutation('cut off', lambda data: data[: len(data) // 2], 'cut off', True),
    Mutation('Latin-1', lambda data: data.replace(b'nose', b'n\xf6se'), 'no UTF-8', True),
    Mutation('no JSON', lambda data: b'{"images": [,]}', 'no JSON', True),
]


def write(path, mutation: Mutation) -> None:
    """Write the mutated file."""
    data = valid()
    if not mutation.of_bytes:
        mutation.change(data)
    content = json.dumps(data).encode()
    path.write_bytes(mutation.change(content) if mutation.of_bytes else content)
