"""The ways in which real annotation files differ from a valid one.

Every mutation names what the check says of it; `None` is a change that is no fault.
"""

import gzip
import json

from tests.helpers.changes import (
    NAMES,
    NAN,
    Mutation,
    category,
    corners,
    duplicate_ids,
    every_keypoint,
    everyone,
    image,
    keypoint,
    normalized,
    of_visible,
    one,
    renumbered,
    reordered,
    second_category,
    text_image_ids,
    valid,
    without,
)


def _word_image_ids(data):
    for each in data['images']:
        each['id'] = f'image {each["id"]}'
    for each in data['annotations']:
        each['image_id'] = f'image {each["image_id"]}'


REGION = [10, 10, 30, 10, 30, 50, 10, 50]
RUN_LENGTHS = [10 * 80 + 10, *[40, 40] * 19, 40, 30 + 70 * 80]  # the first person's box

CONTENT = [
    Mutation('nothing', lambda data: None, None),
    # categories
    Mutation('category has id 9', renumbered(9), 'category-id'),
    Mutation('category has id 0', renumbered(0), 'category-id'),
    Mutation('category_id is missing', without('category_id'), 'category-missing'),
    Mutation('a second category of boxes', second_category(), 'other-category'),
    Mutation(
        'two categories with keypoints', second_category(keypoints=NAMES), 'categories-ambiguous'
    ),
    Mutation(
        'two categories with keypoints, one with people',
        lambda data: data['categories'].append(dict(id=2, name='robot', keypoints=NAMES)),
        None,
    ),
    Mutation('id of a category is text', renumbered('a'), 'category-id'),
    Mutation('category is not listed', one(category_id=7), 'category-undescribed'),
    Mutation('no category is listed', everyone(category_id=7), 'nobody-left'),
    Mutation('category_id is text', everyone(category_id='1'), 'number-as-text'),
    Mutation('category_id is a list', one(category_id=[1]), 'category-undescribed'),
    Mutation('id of a category is a list', category(id=[1]), 'category-id-type'),
    Mutation(
        'a category is a number', lambda data: data.update(categories=[1]), 'category-id-type'
    ),
    Mutation('names are a number', category(keypoints=5), 'category-names-type'),
    Mutation(
        'keypoints of other names in another order',
        category(keypoints=['head', 'right_hand', 'left_hand', 'left_foot', 'right_foot']),
        'keypoint-names-moved',
    ),
    Mutation('keypoints in another order', reordered, 'keypoint-order'),
    Mutation(
        'keypoints of other names',
        category(keypoints=['head', *NAMES[1:]]),
        'keypoint-names',
    ),
    Mutation(
        'names in another spelling',
        category(keypoints=['Nose', 'Left Hand', 'right-hand', 'left foot', 'RIGHT_FOOT']),
        None,
    ),
    Mutation('fewer names than keypoints', category(keypoints=NAMES[:4]), 'keypoint-count'),
    Mutation('no names', lambda data: data['categories'][0].pop('keypoints'), None),
    # keypoints
    Mutation('NaN without a label', keypoint(0, NAN, NAN, 0), 'keypoints-unlabeled'),
    Mutation('null without a label', keypoint(0, None, None, 0), 'keypoints-unlabeled'),
    Mutation('null as visibility', keypoint(0, None, None, None), 'keypoints-unlabeled'),
    Mutation('NaN with a label', keypoint(0, NAN, 10, 2), 'keypoints-not-finite'),
    Mutation('infinity with a label', keypoint(0, float('inf'), 10, 2), 'keypoints-not-finite'),
    Mutation('visibility 3', keypoint(0, 20, 10, 3), 'visibility'),
    Mutation('visibility -1', keypoint(0, 20, 10, -1), 'visibility'),
    Mutation('visibility 0.9', keypoint(0, 20, 10, 0.9), 'visibility'),
    Mutation('keypoints are missing', without('keypoints'), 'keypoints-missing'),
    Mutation('keypoints are null', one(keypoints=None), 'keypoints-missing'),
    Mutation('keypoints are []', one(keypoints=[], bbox=[0, 0, 0, 0]), 'keypoints-missing'),
    Mutation('x, y without visibility', one(keypoints=[1, 2] * 5), 'keypoints-length'),
    Mutation('keypoints of six', one(keypoints=[1, 2, 2] * 6), 'keypoints-length'),
    Mutation('keypoints are text', one(keypoints=['1', '2', '2'] * 5), 'keypoints-type'),
    Mutation('a huge integer', keypoint(0, 10**400, 10, 2), 'keypoints-type'),
    Mutation('NaN with every label', every_keypoint(NAN, NAN, 2), 'labels-lost'),
    Mutation('NaN everywhere without a label', every_keypoint(NAN, NAN, 0), 'no-labels'),
    Mutation('no label anywhere', every_keypoint(20, 20, 0), 'no-labels'),
    Mutation('keypoints far outside', keypoint(0, 300, 10, 2), 'keypoints-outside'),
    Mutation('a keypoint a pixel outside', keypoint(0, -1, 10, 2), None),
    Mutation('num_keypoints is 0', everyone(num_keypoints=0), 'num-keypoints'),
    Mutation('num_keypoints is missing', without('num_keypoints'), 'num-keypoints'),
    Mutation('num_keypoints counts visible keypoints', of_visible, 'num-keypoints-visible'),
    # boxes and areas
    Mutation('bbox is missing', without('bbox'), 'box-missing'),
    Mutation('all boxes are missing', without('bbox', range(5)), 'box-missing'),
    Mutation('bbox is []', one(bbox=[]), 'box-missing'),
    Mutation('bbox is null', one(bbox=None), 'box-missing'),
    Mutation('bbox is empty', one(bbox=[10, 10, 0, 0]), 'box-empty'),
    Mutation('bbox is negative', one(bbox=[30, 50, -20, -40]), 'box-empty'),
    Mutation('bbox is NaN', one(bbox=[NAN, 10, 20, 40]), 'box-empty'),
    Mutation('bbox of three', one(bbox=[10, 10, 20]), 'box-type'),
    Mutation('bbox of a huge integer', one(bbox=[10, 10, 10**400, 40]), 'box-type'),
    Mutation('bbox is text', one(bbox=['10', '10', '20', '40']), 'box-type'),
    Mutation('bbox of floats', one(bbox=[10.0, 10.0, 20.0, 40.0]), None),
    Mutation('boxes are corners', corners, 'box-corners'),
    Mutation('area is missing', without('area'), 'area'),
    Mutation('area is 0', everyone(area=0), 'area'),
    Mutation('area is null', everyone(area=None), 'area'),
    Mutation('area is negative', one(area=-5), 'area'),
    Mutation('area is NaN', one(area=NAN), 'area'),
    Mutation('area is text', one(area='424'), 'area-type'),
    Mutation('a person of nothing', one(keypoints=[0] * 15, bbox=None), 'nothing-there'),
    Mutation('area of another person', one(area=4000.0), 'area-of-more'),
    Mutation('keypoints are normalized', normalized('keypoints', 3), 'keypoints-normalized'),
    Mutation('boxes are normalized', normalized('bbox', 2), 'box-normalized'),
    # ids
    Mutation('annotation ids over and over', duplicate_ids, 'annotation-id-twice'),
    Mutation('annotation ids are missing', without('id', range(5)), 'annotation-id-missing'),
    Mutation('an annotation id is text', one(id='one'), 'annotation-id-type'),
    Mutation('image ids twice', image(1, id=1), 'image-id-twice'),
    Mutation('image ids are text', text_image_ids, 'image-id-form'),
    Mutation('image ids are words', _word_image_ids, 'image-id-type'),
    Mutation('an image id is a list', image(id=[1]), 'image-id-type'),
    Mutation('an annotation id is a number as text', one(id='17'), 'annotation-id-form'),
    Mutation('an annotation id is a float', one(id=17.0), 'annotation-id-form'),
    Mutation('an annotation id is half a number', one(id=1.5), 'annotation-id-type'),
    Mutation('image id is missing', lambda data: data['images'][0].pop('id'), 'image-id-missing'),
    Mutation('an annotation of no image', one(image_id=77), 'image-unknown'),
    Mutation('image_id is text', one(image_id='1'), 'number-as-text'),
    Mutation('image_id is missing', without('image_id'), 'image-unknown'),
    Mutation('iscrowd is true', one(iscrowd=True), 'iscrowd-form'),
    Mutation('iscrowd is 2', one(iscrowd=2), 'iscrowd'),
    Mutation('an annotation is a list', lambda data: data['annotations'].append([]), 'record-type'),
    # images
    Mutation('file_name is missing', image(file_name=None), 'file-name-missing'),
    Mutation('backslashes', image(file_name='a\\1.png'), 'file-name-backslash'),
    Mutation('file_name leaves the folder', image(file_name='../1.png'), 'file-name-outside'),
    Mutation('file_name is absolute', image(file_name='/images/1.png'), 'file-name-outside'),
    Mutation('one file twice', image(1, file_name='1.png'), 'file-name-twice'),
    Mutation('width is missing', lambda data: data['images'][0].pop('width'), 'image-size'),
    Mutation('width is 0', image(width=0), 'image-size'),
    Mutation('sizes are text', image(width='100', height='80'), 'image-size-text'),
    # segmentations
    Mutation('regions', everyone(segmentation=[REGION]), None),
    Mutation('a region of one', one(segmentation=[REGION]), 'region-missing'),
    Mutation('region [[]]', one(segmentation=[[]]), 'region-empty'),
    Mutation('region is a point', one(segmentation=[[3, 4]]), 'region-empty'),
    Mutation('region is a line', one(segmentation=[[3, 4, 9, 9]]), 'region-empty'),
    Mutation('region is a flat list', one(segmentation=REGION), 'region-form'),
    Mutation('region of points', one(segmentation=[[10, 10], [30, 10], [30, 50]]), 'region-form'),
    Mutation(
        'a polygon of points', one(segmentation=[[[10, 10], [30, 10], [30, 50]]]), 'region-form'
    ),
    Mutation('null beside a region', one(segmentation=[None, REGION]), 'region-empty'),
    Mutation('region is text', one(segmentation='10 10'), 'region-type'),
    Mutation('region of a huge integer', one(segmentation=[[10**400] * 6]), 'region-type'),
    Mutation('region of NaN', one(segmentation=[[NAN] * 6]), 'region-type'),
    Mutation(
        'run lengths of another size',
        one(segmentation=dict(size=[3, 3], counts=[4, 5])),
        'region-size',
    ),
    Mutation('run lengths', one(segmentation=dict(size=[80, 100], counts=[100, 7900])), None),
    Mutation(
        'run lengths without labels and box',
        one(
            keypoints=[0] * 15,
            bbox=None,
            segmentation=dict(size=[80, 100], counts=RUN_LENGTHS),
        ),
        'box-missing',
    ),
    # the file
    Mutation('no annotations', lambda data: data.update(annotations=[]), 'no-annotations'),
    Mutation('an image is text', lambda data: data['images'].append('4.png'), 'record-type'),
    Mutation('no categories', lambda data: data.pop('categories'), 'fields-missing'),
    Mutation('categories are []', lambda data: data.update(categories=[]), 'fields-missing'),
    Mutation('images are []', lambda data: data.update(images=[]), 'fields-missing'),
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
