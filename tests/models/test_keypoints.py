"""Weights that were trained on other keypoints than a model's layout has are told."""

import copy
from types import SimpleNamespace

from pinet_mm.checkpoints import Checkpoint
from pinet_mm.models.keypoints import note_on_weights

import torch
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.toys import build_codec, five_metainfo


def trained_on(info):
    return Checkpoint({}, dict(dataset_meta=parse_pose_metainfo(info)), 'a.pth')


def test_weights_of_other_keypoints_are_told():
    model = torch.nn.Module()
    model.head = SimpleNamespace(layout=build_codec().layout)
    # head, left_hand, right_hand, ... become head, left_hand, tail, ...
    info = copy.deepcopy(five_metainfo())
    info['keypoint_info'][1]['swap'] = ''
    info['keypoint_info'][2].update(name='tail', swap='')
    info['skeleton_info'] = {}
    other = trained_on(info)
    assert note_on_weights(model, trained_on(five_metainfo())) is None
    said = note_on_weights(model, other)
    assert 'the layout has right_hand as keypoint 2, the data tail; results' in said
    assert note_on_weights(torch.nn.Linear(1, 1), other) is None
