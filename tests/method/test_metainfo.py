"""MMPose's metainfo as a layout says it: names, mirror pairs, sigmas, lines."""

import copy

import numpy as np
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import KEYPOINT_CODECS

from tests.helpers.toys import FIVE, build_codec, build_model, codec_config, five_metainfo


def metainfo(names=FIVE, **changes):
    """The toys' metainfo, with these names; other names have no mirror pairs."""
    info = dict(copy.deepcopy(five_metainfo()), **changes)
    if names != FIVE:
        info['skeleton_info'] = {}
        for each, name in zip(info['keypoint_info'].values(), names):
            each.update(name=name, swap='')
    return info


def test_metainfo_says_what_the_layout_says():
    layout = build_codec('one').layout
    base = parse_pose_metainfo(metainfo(sigmas=[0.3] * 5))
    found = layout.to_metainfo(base)
    assert found['sigmas'].tolist() == np.float32([0.1, 0.05, 0.05, 0.08, 0.08]).tolist()
    assert found['flip_indices'] == [0, 2, 1, 4, 3]
    # The graph of the refinement joins the hands; what is drawn is the metainfo's.
    assert found['skeleton_links'] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert found['keypoint_colors'] is base['keypoint_colors']


def test_without_lines_the_graph_is_drawn():
    info = dict(metainfo(), skeleton_info={})
    layout = build_codec('three').layout
    assert layout.to_metainfo(None)['skeleton_links'] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    alone = codec_config('one')
    alone['layout']['metainfo'] = info
    found = KEYPOINT_CODECS.build(alone).layout.to_metainfo(parse_pose_metainfo(info))
    assert found['skeleton_links'] == [(1, 2), (3, 4)]
    assert found['num_skeleton_links'] == len(found['skeleton_link_colors']) == 2


def test_metainfo_of_other_keypoints_is_replaced():
    layout = build_codec().layout
    found = layout.to_metainfo(parse_pose_metainfo(metainfo(tuple('abcde'))))
    assert found['keypoint_id2name'][1] == 'left_hand' and found['keypoint_name2id']['head'] == 0
    assert found['flip_pairs'] == [(1, 2), (3, 4)]
    assert len(found['keypoint_colors']) == len(found['dataset_keypoint_weights']) == 5


def test_a_model_has_the_metainfo_of_its_layout():
    model = build_model()
    assert model.dataset_meta is None
    model.dataset_meta = parse_pose_metainfo(metainfo(tuple('abcde'), sigmas=[]))
    found = copy.deepcopy(model).dataset_meta
    assert found['keypoint_id2name'][2] == 'right_hand' and found['flip_indices'] == [0, 2, 1, 4, 3]
    assert found['sigmas'].tolist() == np.float32([0.1, 0.05, 0.05, 0.08, 0.08]).tolist()
