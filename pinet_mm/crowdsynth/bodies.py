"""Bodies in 3-D: proportions and joints.

Lengths are shares of the upright height. The body frame has x to the person's own left, y up, z
forward; the camera frame (suffix `_cam`) has x to the right of the image, y down, and `near`
toward the camera as third axis. A person who faces the camera (yaw 0) therefore has their left
hand at the right of the image. Angles are degrees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from .angles import SIDES, sample_angles

# lengths of the bones and offsets of joints, shares of the upright height (after Winter, 2009)
PROPORTIONS = dict(
    trunk=0.29,
    shoulder=0.106,
    hip=0.056,
    upper_arm=0.182,
    forearm=0.148,
    hand=0.065,
    thigh=0.245,
    shank=0.246,
    foot=0.105,
    head=0.127,
)

# center and half width of the yaw range; the side is left or right with equal chance
_YAWS = dict(front=(0, 50), side=(90, 40), back=(180, 50))
VIEWS = tuple(_YAWS)

# (left, up, forward) from the base of the neck in the head's frame, for a head of standard length
_HEAD_POINTS = dict(
    top_head=(0, 0.180, -0.004),
    nose=(0, 0.096, 0.066),
    left_eye=(0.019, 0.116, 0.051),
    right_eye=(-0.019, 0.116, 0.051),
    left_ear=(0.045, 0.105, -0.002),
    right_ear=(-0.045, 0.105, -0.002),
    chin=(0, 0.095, 0.012),
    crown=(0, 0.126, -0.001),
    mouth_left=(0.012, 0.075, 0.052),
    mouth_right=(-0.012, 0.075, 0.052),
)
_HEAD_OFFSETS = np.array(list(_HEAD_POINTS.values()))


@dataclass(frozen=True)
class Body:
    """Hold one posed body in the camera frame, in units of the upright height.

    Args:
        joints_cam: Joint name -> (3,) right, down, near; the origin is the pelvis.
        trunk_cam: (3, 3) columns left, up, forward of the chest.
        pelvis_cam: (3, 3) the same of the pelvis.
        head_cam: (3, 3) the same of the head.
        bones: Bone name -> length, as `PROPORTIONS`.
        girth: Factor on all widths, 1 on average.
        pose: Name of the pose family.
        view: Name of the view.
    """

    joints_cam: dict
    trunk_cam: np.ndarray
    pelvis_cam: np.ndarray
    head_cam: np.ndarray
    bones: dict
    girth: float
    pose: str
    view: str


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Return the (3, 3) right-handed rotation about axis 0, 1 or 2."""
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = [[0.0] * 3 for _ in range(3)]
    matrix[axis][axis] = 1.0
    matrix[i][i] = matrix[j][j] = cosine
    matrix[i][j], matrix[j][i] = -sine, sine
    return np.array(matrix)


def _rotations(axes: Sequence[int], degrees: ArrayLike) -> np.ndarray:
    """Return (R, 3, 3) rotations, each as `rotation` makes it."""
    first = np.array(axes)
    each, i, j = np.arange(len(first)), (first + 1) % 3, (first + 2) % 3
    turns = np.radians(degrees)
    matrices = np.zeros((len(first), 3, 3))
    matrices[each, first, first] = 1
    matrices[each, i, i] = matrices[each, j, j] = np.cos(turns)
    matrices[each, j, i] = np.sin(turns)
    matrices[each, i, j] = -matrices[each, j, i]
    return matrices


def sample_bones(rng: Generator) -> dict[str, float]:
    """Draw bone lengths, each within 12 % of its proportion.

    Returns:
        Bone name -> length, share of the upright height.
    """
    factors = np.clip(rng.normal(1, 0.04, len(PROPORTIONS)), 0.88, 1.12)
    return {name: float(PROPORTIONS[name] * f) for name, f in zip(PROPORTIONS, factors)}


def joints_of(
    angles: dict[str, float], bones: dict[str, float]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Compute the joints of a body by forward kinematics.

    Args:
        angles: As `sample_angles` returns them.
        bones: As `sample_bones` returns them.

    Returns:
        Joints (name -> (3,) in the body frame, pelvis at the origin), and the (3, 3) frames of
        trunk and head, whose columns are left, up, forward.
    """
    twist, side, bend, turn, nod = _rotations(
        (1, 2, 0, 1, 0),
        [
            angles[name]
            for name in ('spine_twist', 'spine_side', 'spine_bend', 'neck_turn', 'neck_nod')
        ],
    )
    trunk = twist @ side @ bend
    head = trunk @ turn @ nod
    neck = trunk[:, 1] * bones['trunk']
    joints = {'pelvis': np.zeros(3), 'neck': neck}
    size = bones['head'] / PROPORTIONS['head']
    joints.update(zip(_HEAD_POINTS, neck + _HEAD_OFFSETS @ head.T * size))
    _add_limbs(joints, trunk, angles, bones)
    return joints, trunk, head


def _add_limbs(
    joints: dict[str, np.ndarray],
    trunk: np.ndarray,
    angles: dict[str, float],
    bones: dict[str, float],
) -> None:
    """Add arms and legs: their first bone flexes, then lifts sideways, turned about itself."""
    degrees = []
    for joint in ('shoulder', 'hip'):
        for side, sign in zip(SIDES, (1, -1)):
            degrees += [
                sign * angles[f'{side}_{joint}_abduct'],
                -angles[f'{side}_{joint}_flex'],
                -sign * angles[f'{side}_{joint}_twist'],
            ]
    bends = [
        turn * angles[f'{side}_{joint}']
        for joint, turn in (('elbow', -1), ('knee', 1), ('ankle', 1))
        for side in SIDES
    ]
    turns = _rotations((2, 0, 1) * 4 + (0,) * 6, degrees + bends)
    upper = turns[0:12:3] @ turns[1:12:3] @ turns[2:12:3]
    upper[:2] = trunk @ upper[:2]
    lower = upper @ turns[12:16]
    feet = lower[2:] @ turns[16:]
    for number, (side, sign) in enumerate(zip(SIDES, (1, -1))):
        chains = (
            (('shoulder', 'elbow', 'wrist', 'hand'), ('upper_arm', 'forearm', 'hand')),
            (('hip', 'knee', 'ankle'), ('thigh', 'shank')),
        )
        starts = (
            joints['neck'] + trunk @ (sign * bones['shoulder'], -0.012, 0.0),
            np.array([sign * bones['hip'], 0, 0]),
        )
        for limb, ((first, *names), lengths), start in zip((number, 2 + number), chains, starts):
            joints[f'{side}_{first}'] = start
            for step, (name, bone) in enumerate(zip(names, lengths)):
                start = start - (upper if step == 0 else lower)[limb, :, 1] * bones[bone]
                joints[f'{side}_{name}'] = start
        foot = feet[number]
        joints[f'{side}_heel'] = start - 0.024 * foot[:, 1] - 0.018 * foot[:, 2]
        joints[f'{side}_toe'] = joints[f'{side}_heel'] + bones['foot'] * foot[:, 2]


def sample_body(rng: Generator, pose: str, view: str, tilt: float) -> Body:
    """Draw one posed body as the camera sees it.

    Args:
        rng: A numpy random generator.
        pose: A member of `POSES`.
        view: A member of `VIEWS`.
        tilt: How far the camera looks down on the crowd, degrees.

    Returns:
        A `Body`.
    """
    bones = sample_bones(rng)
    angles = sample_angles(rng, pose)
    center, half = _YAWS[view]
    yaw = (center + rng.uniform(-half, half)) * (-1, 1)[rng.integers(2)]
    turn = rotation(0, tilt) @ rotation(1, yaw)
    if pose == 'lying':
        turn = turn @ _fall(rng)
    return _body(angles, bones, sample_girth(rng), turn, (pose, view))


def sample_girth(rng: Generator) -> float:
    """Draw the factor on all widths of a body."""
    return min(max(float(rng.normal(1.05, 0.13)), 0.8), 1.45)


def upright_body(
    angles: dict[str, float], bones: dict[str, float], girth: float, yaw: float, tilt: float
) -> Body:
    """Return the body of somebody on their feet, as the camera sees it.

    Args:
        angles: As `sample_angles` returns them.
        bones: As `sample_bones` returns them.
        girth: Factor on all widths.
        yaw: Where they face, degrees: 0 to the camera, 90 to the right of the image.
        tilt: How far the camera looks down, degrees.
    """
    away = abs((yaw + 180) % 360 - 180)
    view = min(_YAWS, key=lambda name: abs(_YAWS[name][0] - away))
    turn = rotation(0, tilt) @ rotation(1, yaw)
    return _body(angles, bones, girth, turn, ('walking', view))


def _body(
    angles: dict[str, float],
    bones: dict[str, float],
    girth: float,
    turn: np.ndarray,
    names: tuple[str, str],
) -> Body:
    """Return a turned body with the names of its pose and view."""
    joints, trunk, head = joints_of(angles, bones)
    to_cam = np.diag([1.0, -1.0, 1.0]) @ turn
    joints_cam = dict(zip(joints, np.array(list(joints.values())) @ to_cam.T))
    return Body(joints_cam, to_cam @ trunk, to_cam, to_cam @ head, bones, girth, *names)


def _fall(rng: Generator) -> np.ndarray:
    """Return the rotation that lays a standing body on its back, front or side."""
    axis, sign = (0, 2)[rng.integers(2)], (-1, 1)[rng.integers(2)]
    return rotation(axis, sign * rng.uniform(75, 100))
