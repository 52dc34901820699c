"""Bodies of the synthetic crowd: joints, bones and angles, and what of them is seen."""

from pinet_mm.crowdsynth import (
    LAYOUTS,
    POSES,
    draw_crowd,
)
from pinet_mm.crowdsynth.angles import LIMITS, SIDES, sample_angles
from pinet_mm.crowdsynth.bodies import PROPORTIONS, joints_of, sample_body, sample_bones

import numpy as np
import pytest

from tests.helpers.crowds import standing_alone

# ---- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize('pose', POSES)
def test_angles_stay_inside_the_joint_limits(pose):
    rng = np.random.default_rng(0)
    for _ in range(40):
        for name, angle in sample_angles(rng, pose).items():
            low, high = LIMITS[name.replace('left_', '').replace('right_', '')]
            assert low <= angle <= high, name


@pytest.mark.parametrize('pose', POSES)
def test_bones_keep_their_length_in_every_pose_and_view(pose):
    rng = np.random.default_rng(1)
    chains = (
        ('shoulder', 'elbow', 'upper_arm'),
        ('elbow', 'wrist', 'forearm'),
        ('hip', 'knee', 'thigh'),
        ('knee', 'ankle', 'shank'),
    )
    for view in ('front', 'side', 'back'):
        body = sample_body(rng, pose, view, tilt=10)
        for side in SIDES:
            for first, second, bone in chains:
                ends = [body.joints_cam[f'{side}_{joint}'] for joint in (first, second)]
                length = np.linalg.norm(ends[0] - ends[1])
                assert length == pytest.approx(body.bones[bone], abs=1e-9)
                assert length == pytest.approx(PROPORTIONS[bone], rel=0.121)


def test_joints_of_a_body_at_rest_by_hand():
    angles = dict.fromkeys(sample_angles(np.random.default_rng(0), 'standing'), 0.0)
    angles.update(left_shoulder_abduct=90.0, right_elbow=90.0, left_hip_flex=90.0, right_knee=90.0)
    joints = joints_of(angles, dict(PROPORTIONS))[0]
    arm, leg = PROPORTIONS['upper_arm'], PROPORTIONS['thigh']
    shoulder = joints['left_shoulder']
    assert joints['left_elbow'] - shoulder == pytest.approx([arm, 0, 0], abs=1e-9)
    bend = joints['right_wrist'] - joints['right_elbow']
    assert bend == pytest.approx([0, 0, PROPORTIONS['forearm']], abs=1e-9)
    assert joints['left_knee'] - joints['left_hip'] == pytest.approx([0, 0, leg], abs=1e-9)
    shin = joints['right_ankle'] - joints['right_knee']
    assert shin == pytest.approx([0, 0, -PROPORTIONS['shank']], abs=1e-9)


def test_bones_vary_but_little():
    rng = np.random.default_rng(2)
    shares = np.array(
        [
            [bones[name] / PROPORTIONS[name] for name in PROPORTIONS]
            for bones in (sample_bones(rng) for _ in range(200))
        ]
    )
    assert 0.88 - 1e-9 <= shares.min() and shares.max() <= 1.12 + 1e-9 and shares.std() > 0.02


@pytest.mark.parametrize('view, sign', [('front', 1), ('back', -1)])
def test_left_is_right_of_right_for_who_faces_the_camera(view, sign):
    names = LAYOUTS['coco'].names
    left, right = names.index('left_shoulder'), names.index('right_shoulder')
    for index in range(6):
        _, (person,) = draw_crowd(standing_alone(views=(view,)), 0, index)
        gap = person.keypoints[left, 0] - person.keypoints[right, 0]
        assert sign * gap > 5


@pytest.mark.parametrize('view, flag', [('front', 2), ('back', 1)])
def test_the_nose_is_seen_from_the_front_only(view, flag):
    flags = [
        draw_crowd(standing_alone(views=(view,)), 0, index)[1][0].keypoints[0, 2]
        for index in range(20)
    ]
    assert np.mean(np.array(flags) == flag) >= 0.95


def test_from_the_side_the_far_shoulder_and_hip_are_covered():
    names = LAYOUTS['crowdpose'].names
    pairs = [[names.index(f'{side}_{joint}') for side in SIDES] for joint in ('shoulder', 'hip')]
    settings = standing_alone(views=('side',), keypoints='crowdpose')
    flags = np.array([draw_crowd(settings, 0, index)[1][0].keypoints[:, 2] for index in range(20)])
    for left, right in pairs:
        assert np.mean(flags[:, left] + flags[:, right] <= 3) > 0.7


def test_both_layouts_name_the_same_joints_of_the_same_image():
    one, two = (draw_crowd(standing_alone(keypoints=key), 4, 2) for key in ('coco', 'crowdpose'))
    assert np.array_equal(one[0], two[0])
    for name in set(LAYOUTS['coco'].names) & set(LAYOUTS['crowdpose'].names):
        assert np.array_equal(
            one[1][0].keypoints[LAYOUTS['coco'].names.index(name)],
            two[1][0].keypoints[LAYOUTS['crowdpose'].names.index(name)],
        )


def test_layouts_are_the_orders_that_the_datasets_use():
    assert LAYOUTS['coco'].names[:7] == (
        'nose',
        'left_eye',
        'right_eye',
        'left_ear',
        'right_ear',
        'left_shoulder',
        'right_shoulder',
    )
    assert LAYOUTS['crowdpose'].names[0] == 'left_shoulder'
    assert LAYOUTS['crowdpose'].names[-3:] == ('right_ankle', 'top_head', 'neck')
    assert [LAYOUTS[key].num_keypoints for key in ('coco', 'crowdpose')] == [17, 14]
