"""Layouts read from MMPose's own metainfo files, toy layouts, and the messages of wrong ones."""

import warnings

import pinet_mm  # noqa: F401
from pinet_mm.method.layouts import PartLayout

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

COCO_PARTS = dict(
    head=['nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'],
    body=['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'],
    leg=['left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'],
)
CROWDPOSE_PARTS = dict(
    head=['top_head', 'neck'],
    body=['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'],
    leg=['left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'],
)


def read_metainfo(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMPose tells that it found its own file
        return parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{dataset}.py'))


def toy(metainfo, **changes):
    return PartLayout.from_metainfo({**metainfo, **changes}, dict(person='all'))


# --- the datasets --------------------------------------------------------------------------------


def test_coco():
    layout = PartLayout.from_metainfo(read_metainfo('coco'), COCO_PARTS)
    assert (layout.num_keypoints, layout.num_parts, layout.num_offset_channels) == (17, 3, 102)
    assert layout.part_names == ('head', 'body', 'leg')
    assert layout.parts == ((0, 1, 2, 3, 4), (5, 6, 11, 12), (11, 12, 13, 14, 15, 16))
    assert layout.keypoint_names[:2] == ('nose', 'left_eye')
    assert layout.flip_indices == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
    assert layout.part_flip_indices == (0, 1, 2)
    assert layout.sigmas == pytest.approx(
        (
            0.026,
            0.025,
            0.025,
            0.035,
            0.035,
            0.079,
            0.079,
            0.072,
            0.072,
            0.062,
            0.062,
            0.107,
            0.107,
            0.087,
            0.087,
            0.089,
            0.089,
        )
    )


def test_crowdpose():
    layout = PartLayout.from_metainfo(read_metainfo('crowdpose'), CROWDPOSE_PARTS)
    assert (layout.num_keypoints, layout.num_parts, layout.num_offset_channels) == (14, 3, 84)
    assert layout.parts == ((12, 13), (0, 1, 6, 7), (6, 7, 8, 9, 10, 11))
    assert layout.flip_indices == (1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13)
    assert layout.sigmas == pytest.approx(
        (
            0.079,
            0.079,
            0.072,
            0.072,
            0.062,
            0.062,
            0.107,
            0.107,
            0.087,
            0.087,
            0.089,
            0.089,
            0.079,
            0.079,
        )
    )


def test_whole_body_of_133_keypoints_in_one_part():
    metainfo = read_metainfo('coco_wholebody')
    layout = PartLayout.from_metainfo(metainfo, dict(person='all'))
    assert layout.num_keypoints == len(layout.sigmas) == 133
    assert layout.num_offset_channels == 266
    assert layout.parts == (tuple(range(133)),)
    assert layout.part_flip_indices == (0,)
    named = [metainfo['keypoint_name2id'][name] for name in layout.keypoint_names]
    assert named == list(range(133))


def test_skeleton_is_the_metainfo_unless_given():
    metainfo = read_metainfo('coco')
    by_default = PartLayout.from_metainfo(metainfo, COCO_PARTS)
    assert len(by_default.skeleton) == 19 and (3, 5) in by_default.skeleton
    given = PartLayout.from_metainfo(
        metainfo, COCO_PARTS, skeleton=[('nose', 'left_eye'), (15, 'left_knee')]
    )
    assert given.skeleton == ((0, 1), (15, 13))
    assert PartLayout.from_metainfo(metainfo, COCO_PARTS, skeleton=[]).skeleton == ()


# --- toy layouts ---------------------------------------------------------------------------------


def test_five_keypoints_in_one_part(toy_metainfo):
    layout = PartLayout.from_metainfo(toy_metainfo, dict(person='all'), sigmas=[0.1] * 5)
    assert (layout.num_keypoints, layout.num_parts, layout.num_offset_channels) == (5, 1, 10)
    assert layout.parts == ((0, 1, 2, 3, 4),)
    assert layout.skeleton == ((0, 1), (0, 2), (0, 3), (0, 4))
    assert layout.flip_indices == (0, 2, 1, 4, 3)
    assert layout.sigmas == (0.1, 0.1, 0.1, 0.1, 0.1)
    assert layout.membership.tolist() == [[True] * 5]


def test_names_and_indices_mean_the_same(toy_metainfo):
    by_name = PartLayout.from_metainfo(toy_metainfo, dict(a=['nose', 'right_foot'], b=['nose']))
    by_index = PartLayout.from_metainfo(toy_metainfo, dict(a=[0, np.int64(4)], b=(0,)))
    assert by_name == by_index
    assert by_name.parts == ((0, 4), (0,))


def test_membership_marks_shared_keypoints_in_every_part(toy_layout):
    assert toy_layout.membership.dtype == bool
    assert toy_layout.membership.astype(int).tolist() == [
        [1, 1, 1, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 0, 0, 1, 1],
    ]


def test_mirroring_swaps_left_and_right_parts():
    parts = dict(
        head=[0, 1, 2, 3, 4],
        left_arm=[5, 7, 9],
        trunk=[5, 6, 11, 12],
        right_arm=[10, 8, 6],
        right_leg=[12, 14, 16],
        left_leg=[15, 13, 11],
    )
    layout = PartLayout.from_metainfo(read_metainfo('coco'), parts)
    assert layout.num_parts == 6
    assert layout.part_flip_indices == (0, 3, 2, 1, 5, 4)


def test_without_mirror_pairs_nothing_swaps(toy_metainfo):
    metainfo = {key: value for key, value in toy_metainfo.items() if key != 'flip_indices'}
    layout = PartLayout.from_metainfo(metainfo, dict(hand=['left_hand']))
    assert layout.flip_indices == (0, 1, 2, 3, 4)
    assert layout.part_flip_indices == (0,)


def test_layouts_are_values(toy_metainfo):
    layout, same = toy(toy_metainfo), toy(toy_metainfo)
    assert layout == same and hash(layout) == hash(same)
    with pytest.raises(AttributeError):
        layout.parts = ()


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'parts, message',
    [
        (['nose'], r"parts must name at least one part, .*; found \['nose'\]"),
        ({}, r"parts must name at least one part, such as dict\(person='all'\); found {}"),
        (
            dict(head=['nose', 'ear']),
            "part 'head' names the unknown keypoint 'ear'; known are.*nose",
        ),
        (dict(head=[0, 5]), "part 'head' has the keypoint index 5; expected 0 to 4"),
        (dict(head=[-1]), "part 'head' has the keypoint index -1; expected 0 to 4"),
        (dict(head=[]), r"part 'head' must list at least one keypoint, each once; found \[\]"),
        (dict(head=['nose', 0]), r"part 'head' must list .* each once; found \['nose', 0\]"),
        (dict(head='nose'), "part 'head' must be a list of keypoints or 'all'; found 'nose'"),
    ],
)
def test_wrong_parts(toy_metainfo, parts, message):
    with pytest.raises(ValueError, match=message):
        PartLayout.from_metainfo(toy_metainfo, parts)


@pytest.mark.parametrize(
    'edge, message',
    [
        (('nose', 'tail'), r"skeleton edge \('nose', 'tail'\) names the unknown keypoint 'tail'"),
        ((0, 7), r'skeleton edge \(0, 7\) has the keypoint index 7; expected 0 to 4'),
        (('nose', 0), r"join two different keypoints; found \('nose', 0\)"),
        ((0, 1, 2), r'join two different keypoints; found \(0, 1, 2\)'),
    ],
)
def test_wrong_edges(toy_metainfo, edge, message):
    with pytest.raises(ValueError, match=message):
        PartLayout.from_metainfo(toy_metainfo, dict(person='all'), skeleton=[(0, 1), edge])


@pytest.mark.parametrize(
    'sigmas, found',
    [
        ([0.1] * 4, r'4: \[0.1, 0.1, 0.1, 0.1\]'),
        ([0.1] * 6, '6: '),
        ([0.1, 0.1, 0, 0.1, 0.1], '5: .*0.0'),
        ([0.1, 0.1, -0.1, 0.1, 0.1], '5: .*-0.1'),
        ([0.1, 0.1, float('nan'), 0.1, 0.1], '5: .*nan'),
    ],
)
def test_wrong_sigmas(toy_metainfo, sigmas, found):
    with pytest.raises(ValueError, match=f'sigmas must be 5 positive numbers.*found {found}'):
        PartLayout.from_metainfo(toy_metainfo, dict(person='all'), sigmas=sigmas)


@pytest.mark.parametrize('flips', [[0, 1, 2], [0, 1, 2, 3, 5], [0, 0, 2, 3, 4], [1, 2, 0, 3, 4]])
def test_wrong_flip_indices(toy_metainfo, flips):
    with pytest.raises(ValueError, match='flip_indices must pair up the 5 keypoints'):
        toy(toy_metainfo, flip_indices=flips)


def test_a_part_without_mirror_image(toy_metainfo):
    layout = PartLayout.from_metainfo(toy_metainfo, dict(left=['left_hand', 'nose'], feet=[3, 4]))
    message = (
        r"part 'left' mirrors to \(nose, right_hand\), found the parts "
        r"\['left', 'feet'\].*switch flip_test off"
    )
    with pytest.raises(ValueError, match=message):
        layout.part_flip_indices  # noqa: B018  (the property checks)
