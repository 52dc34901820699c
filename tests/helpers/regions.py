"""Regions of made-up images as masks, polygons and run lengths, and what datasets do with them."""

import numpy as np

from tests.helpers.toys import COCO_PARTS, CROWDPOSE_PARTS

MAP, INPUT = 128, 512
SHAPE = (157, 203)  # of the made-up image
COCO_FLIPS = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
CROWDPOSE_FLIPS = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13]
# Parts, mirror pairs, the least area of a person with part centers, whether regions are ignored.
KINDS = dict(
    coco=(list(COCO_PARTS.values()), COCO_FLIPS, 1024, True),
    crowdpose=(list(CROWDPOSE_PARTS.values()), CROWDPOSE_FLIPS, 0, False),
    ochuman=(list(COCO_PARTS.values()), COCO_FLIPS, 1024, False),
)


def block(top, left, bottom, right, shape=SHAPE):
    inside = np.zeros(shape, dtype=np.uint8, order='F')
    inside[top:bottom, left:right] = 1
    return inside


def run_lengths(inside):
    flat = inside.flatten(order='F')
    counts = np.diff([0, *np.flatnonzero(np.diff(flat)) + 1, len(flat)]).tolist()
    return dict(size=list(inside.shape), counts=[0] * int(flat[0]) + counts)


def person(keypoints=(20.1, 30.7, 2, 0, 0, 0), bbox=(-5, 3, 30.1, 20.3), **more):
    return dict(keypoints=list(keypoints), bbox=list(bbox), **more)
