"""An exported file says of its keypoints what the model's layout says."""

import json

from pinet_mm.export.graph import describe

import numpy as np
import pytest
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.toys import FIVE, build_model, five_metainfo


def test_a_warning_about_the_weights_travels():
    model = build_model('three')
    model.cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadImage')]))))
    model.dataset_meta = parse_pose_metainfo(five_metainfo())
    assert 'warning' not in describe(model)
    model.warning = 'drawn people only'
    assert describe(model)['warning'] == 'drawn people only'


def test_names_pairs_and_sigmas_are_those_of_the_layout():
    model = build_model('three')
    loader = dict(dataset=dict(pipeline=[dict(type='LoadImage')]))
    model.cfg = Config(dict(test_dataloader=loader))
    other = parse_pose_metainfo(dict(five_metainfo(), sigmas=[0.3] * 5))
    other.update(flip_indices=[0, 1, 2, 3, 4], keypoint_id2name=dict(enumerate('abcde')))
    model.dataset_meta = other
    found = json.loads(describe(model)['dataset_meta'])
    assert list(found['keypoint_id2name'].values()) == list(FIVE)
    assert found['flip_indices'] == [0, 2, 1, 4, 3] and found['num_keypoints'] == 5
    assert found['sigmas'] == pytest.approx(np.float32([0.1, 0.05, 0.05, 0.08, 0.08]).tolist())
