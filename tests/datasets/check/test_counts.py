"""Counts of labeled keypoints: CrowdPose's of visible ones stay, since its protocol reads them."""

import contextlib
import io
import json

from pinet_mm.datasets.check import Expected, check_data, check_file
from pinet_mm.datasets.evaluation import precision_of, to_coco

import numpy as np
import pytest
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from tests.helpers.changes import NAMES, of_visible, valid
from tests.helpers.doors import SIGMAS, perfect_poses


def counts(data):
    return [each['num_keypoints'] for each in data['annotations']]


def checked(data):
    return check_data(data, Expected(NAMES)).require()


def by_xtcocotools(path, poses):
    """AP of a file by CrowdPose's protocol, with nothing of this package."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(
            truth, truth.loadRes(poses), 'keypoints_crowd', np.array(SIGMAS), use_area=False
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


def test_ap_by_crowding_is_that_of_the_unmended_file(tmp_path):
    data, poses = valid(), perfect_poses()[1:]  # the first person has no visible keypoint
    of_visible(data)
    for each in data['annotations']:
        del each['area']
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(data))
    wanted = by_xtcocotools(path, [dict(each) for each in poses])
    assert wanted == pytest.approx(1)  # nobody else is missed
    truth = to_coco(check_file(path, Expected(NAMES)).require())
    assert precision_of(poses, truth, SIGMAS, 'keypoints_crowd')['AP'] == pytest.approx(wanted)


def test_people_whom_the_protocol_ignores_are_named():
    data = valid()
    of_visible(data)
    check = checked(data)
    assert counts(check.data) == [0, 3, 2, 5, 5] and not check.is_mended
    (note,) = check.notes()
    assert 'annotation 1: num_keypoints: expected the number of labeled keypoints, found 0' in note
    assert 'keypoints_crowd ignores people of 0' in note


def test_0_in_a_file_that_counts_all_labels_is_a_fault():
    data = valid()
    of_visible(data)
    for each, count in zip(data['annotations'], (0, 5, 3, 5, 5)):
        each['num_keypoints'] = count
    assert counts(checked(data).data) == [5, 5, 3, 5, 5]


def test_0_for_everybody_is_a_fault_though_nobody_is_visible():
    data = valid()
    for each in data['annotations']:
        each['keypoints'][2::3] = [min(1, value) for value in each['keypoints'][2::3]]
        each['num_keypoints'] = 0
    assert counts(checked(data).data) == [5, 5, 3, 5, 5]
