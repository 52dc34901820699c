"""Regions of people without labels and boxes: what is left of them is their region."""

from pinet_mm.datasets.check import Expected, check_data
from pinet_mm.datasets.check.regions import box_of

import numpy as np
import pytest
from pycocotools import mask

from tests.helpers.changes import NAMES, valid
from tests.helpers.regions import run_lengths


@pytest.mark.parametrize('packed', [False, True])
def test_somebody_without_labels_and_box_has_the_box_of_run_lengths(packed):
    inside = np.zeros((80, 100), dtype=np.uint8, order='F')
    inside[20:50, 30:70] = 1
    region = run_lengths(inside)
    if packed:
        region = mask.frPyObjects(region, 80, 100)
        region['counts'] = region['counts'].decode()
    data = valid()
    data['annotations'][0].update(keypoints=[0] * 15, num_keypoints=0, segmentation=region)
    del data['annotations'][0]['bbox'], data['annotations'][0]['area']
    checked = check_data(data, Expected(NAMES)).require()
    assert checked.data['annotations'][0]['bbox'] == [30, 20, 40, 30]
    assert checked.data['annotations'][0]['area'] == pytest.approx(636)
    assert [each.kind for each in checked.findings] == ['box-missing', 'area']


@pytest.mark.parametrize(
    'region, kind',
    [
        (dict(size=[80, 100], counts=[8000]), 'nothing-there'),
        (dict(size=[0, 0], counts=''), 'region-type'),
        (dict(size=[80, 100], counts=[-1, 8001]), 'region-type'),
        (dict(size=[80, 100], counts=[1, 2]), 'region-size'),
        (dict(size=[80, 100], counts=[2**40]), 'region-size'),
        (dict(size=[80, 100], counts='é'), 'nothing-there'),
        (dict(size=[80, 100], counts='\ud800'), 'nothing-there'),
    ],
)
def test_run_lengths_of_nothing_and_bad_ones(region, kind):
    data = valid()
    data['annotations'][0].update(keypoints=[0] * 15, bbox=None, segmentation=region)
    assert kind in [each.kind for each in check_data(data, Expected(NAMES)).findings]


def test_boxes_of_run_lengths_are_those_of_pycocotools():
    draw = np.random.default_rng(0)
    for share in (0, 0.02, 0.2, 0.5, 0.98, 1) * 30:
        height, width = draw.integers(1, 40, 2).tolist()
        inside = (draw.random((height, width)) < share).astype(np.uint8, order='F')
        packed = mask.encode(inside)
        region = dict(size=[height, width], counts=packed['counts'].decode())
        wanted = mask.toBbox(packed).tolist() if inside.any() else None
        assert box_of(region) == box_of(run_lengths(inside)) == wanted


@pytest.mark.parametrize('counts', ['~~~~', '', 'é', '0', [1, 2]])
def test_codes_that_do_not_fill_the_image_are_told_whoever_has_them(counts):
    data = valid()
    data['annotations'][0]['segmentation'] = dict(size=[80, 100], counts=counts)
    assert 'region-size' in [each.kind for each in check_data(data, Expected(NAMES)).findings]
