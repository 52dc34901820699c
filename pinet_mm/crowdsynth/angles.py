"""Angles of the joints: their limits, and families of poses to draw them from. In degrees."""

import numpy as np
from numpy.random import Generator

SIDES = ('left', 'right')

# lowest and highest angle of every joint; positive flexes forward (knees: backward), lifts away
# from the body's middle, and turns inward
LIMITS = dict(
    spine_bend=(-20, 70),
    spine_side=(-25, 25),
    spine_twist=(-35, 35),
    neck_nod=(-30, 40),
    neck_turn=(-60, 60),
    shoulder_flex=(-50, 175),
    shoulder_abduct=(-5, 170),
    shoulder_twist=(-60, 80),
    elbow=(0, 145),
    hip_flex=(-25, 115),
    hip_abduct=(-10, 45),
    hip_twist=(-30, 35),
    knee=(0, 140),
    ankle=(-25, 30),
)

_PAIRED = (
    'shoulder_flex',
    'shoulder_abduct',
    'shoulder_twist',
    'elbow',
    'hip_flex',
    'hip_abduct',
    'hip_twist',
    'knee',
    'ankle',
)
_SINGLE = ('spine_bend', 'spine_side', 'spine_twist', 'neck_nod', 'neck_turn')
_BASES = _SINGLE + _PAIRED * 2
ANGLES = _SINGLE + tuple(f'{side}_{name}' for side in SIDES for name in _PAIRED)

# mean and standard deviation of each angle; a family names what differs from a relaxed stand
_RELAXED = dict(
    spine_bend=(3, 6),
    spine_side=(0, 5),
    spine_twist=(0, 8),
    neck_nod=(4, 10),
    neck_turn=(0, 20),
    shoulder_flex=(8, 18),
    shoulder_abduct=(10, 9),
    shoulder_twist=(15, 25),
    elbow=(28, 30),
    hip_flex=(3, 7),
    hip_abduct=(5, 4),
    hip_twist=(-6, 8),
    knee=(6, 7),
    ankle=(0, 5),
)
_FAMILIES = dict(
    standing={},
    walking=dict(spine_bend=(6, 5), shoulder_abduct=(6, 5), elbow=(35, 20)),
    sitting=dict(
        spine_bend=(8, 12),
        shoulder_flex=(35, 20),
        shoulder_twist=(35, 25),
        elbow=(60, 25),
        hip_flex=(85, 12),
        hip_abduct=(10, 8),
        knee=(85, 20),
    ),
    crouching=dict(
        spine_bend=(30, 12),
        shoulder_flex=(55, 25),
        elbow=(50, 30),
        hip_flex=(95, 15),
        hip_abduct=(15, 8),
        knee=(115, 15),
        ankle=(20, 8),
    ),
    arms_up=dict(
        shoulder_flex=(60, 60),
        shoulder_abduct=(115, 35),
        shoulder_twist=(0, 30),
        elbow=(45, 35),
        hip_abduct=(8, 6),
    ),
    lying=dict(
        shoulder_flex=(30, 50),
        shoulder_abduct=(30, 30),
        elbow=(45, 35),
        hip_flex=(15, 25),
        knee=(25, 30),
    ),
)
POSES = tuple(_FAMILIES)
_STATISTICS = {
    pose: np.array([{**_RELAXED, **family}[base] for base in _BASES], dtype=float).T
    for pose, family in _FAMILIES.items()
}


def sample_angles(rng: Generator, pose: str) -> dict[str, float]:
    """Draw joint angles of a pose family, inside `LIMITS`.

    Args:
        rng: A numpy random generator.
        pose: A member of `POSES`.

    Returns:
        Angle name -> degrees; paired joints carry the prefix `left_` or `right_`.
    """
    angles = dict(zip(ANGLES, rng.normal(*_STATISTICS[pose]).tolist()))
    if pose == 'walking':
        angles = add_stride(angles, *sample_stride(rng))
    elif pose == 'arms_up' and rng.random() < 0.4:
        _lower_one_arm(rng, angles)
    return _limited(angles)


def _limited(angles: dict[str, float]) -> dict[str, float]:
    return {
        name: min(max(angles[name], LIMITS[base][0]), LIMITS[base][1])
        for name, base in zip(ANGLES, _BASES)
    }


def sample_stride(rng: Generator) -> tuple[float, float]:
    """Draw where in a step somebody is, in radians, and how far their legs swing, in degrees."""
    return rng.uniform(0, 2 * np.pi), rng.uniform(18, 35)


def add_stride(
    angles: dict[str, float], phase: float, reach: float, amount: float = 1.0
) -> dict[str, float]:
    """Swing legs and arms against each other, with the lifted foot behind.

    Args:
        angles: As `sample_angles` returns them; kept as they are.
        phase: Where in a step the person is, radians; two steps are 2 pi.
        reach: How far the legs swing to either side, degrees.
        amount: Share of the movement; 0 for somebody who stands.

    Returns:
        Angles inside `LIMITS`.
    """
    angles = dict(angles)
    for side, sign in zip(SIDES, (1, -1)):
        swing = sign * np.sin(phase)
        lift = max(0.0, sign * np.cos(phase))
        angles[f'{side}_hip_flex'] += amount * (reach * swing + 15 * lift)
        angles[f'{side}_knee'] += amount * (12 + 45 * lift + 15 * max(0.0, -swing))
        angles[f'{side}_shoulder_flex'] -= amount * reach * swing
    return _limited(angles)


def _lower_one_arm(rng: Generator, angles: dict[str, float]) -> None:
    side = SIDES[rng.integers(2)]
    angles[f'{side}_shoulder_flex'] = rng.normal(10, 15)
    angles[f'{side}_shoulder_abduct'] = rng.normal(12, 8)
