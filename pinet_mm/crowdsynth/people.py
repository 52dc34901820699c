"""From a body and an outfit to shapes, and from those to one person's drawing and keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .angles import SIDES
from .bodies import PROPORTIONS, Body
from .outfits import Outfit
from .shapes import Drawing, draw_shapes
from .tailor import Tailor, rings_of

# half widths of limbs at their first and second joint, shares of the upright height
_LIMBS = (
    ('upper_arm', 'shoulder', 'elbow', 0.040, 0.029),
    ('forearm', 'elbow', 'wrist', 0.029, 0.018),
    ('hand', 'wrist', 'hand', 0.018, 0.023),
    ('thigh', 'hip', 'knee', 0.063, 0.041),
    ('shank', 'knee', 'ankle', 0.042, 0.025),
    ('foot', 'heel', 'toe', 0.025, 0.019),
)

# (up, half width, half depth) of the trunk's and the pelvis' cross-sections; up is a share of the
# trunk for the first and of the upright height for the second
_TRUNK = (
    (1.03, 0.035, 0.035),
    (0.97, 0.098, 0.050),
    (0.80, 0.105, 0.066),
    (0.45, 0.080, 0.058),
    (0.12, 0.088, 0.060),
)
_PELVIS = ((0.10, 0.080, 0.056), (0.02, 0.098, 0.066), (-0.05, 0.088, 0.060))

# how far below the seen surface a keypoint may lie and still count as seen: about its joint's own
# half thickness plus a third of it
_DEPTHS = dict(
    nose=0.045,
    eye=0.045,
    ear=0.05,
    shoulder=0.10,
    elbow=0.065,
    wrist=0.055,
    hip=0.115,
    knee=0.075,
    ankle=0.06,
    top_head=0.09,
    neck=0.10,
)


@dataclass(frozen=True)
class Figure:
    """Hold one drawn person, in pixels relative to the point where they touch the ground.

    Args:
        drawing: The `Drawing` of their shapes.
        keypoints: (K, 3) x, y, near.
        depths: (K,) how far below the seen surface each keypoint may lie and still be seen, px.
        body: The `Body`.
        height: Upright height, px.
    """

    drawing: Drawing
    keypoints: np.ndarray
    depths: np.ndarray
    body: Body
    height: float


def _scaled(sections: Sequence[tuple], girth: float) -> list[tuple]:
    return [(place, width * girth, depth * girth) for place, width, depth in sections]


def _split(sleeve: float, first: np.ndarray, second: np.ndarray) -> tuple:
    """Return colors and cut of two bones in a row of which a sleeve covers `sleeve`."""
    return (first, second), sleeve, max(sleeve - 1, 0.0)


def _dress_limbs(tailor: Tailor) -> None:
    outfit, girth = tailor.outfit, tailor.body.girth
    arm, arm_cut, forearm_cut = _split(outfit.sleeve, outfit.shirt, outfit.skin)
    leg, thigh_cut, shank_cut = _split(outfit.leg, outfit.trousers, outfit.skin)
    looks = dict(
        upper_arm=(arm, arm_cut),
        forearm=(arm, forearm_cut),
        hand=((outfit.skin,) * 2, 2),
        thigh=(leg, thigh_cut),
        shank=(leg, shank_cut),
        foot=((outfit.shoes,) * 2, 2),
    )
    for side in SIDES:
        for name, first, second, *radii in _LIMBS:
            colors, cut = looks[name]
            radii = [radius * (girth if name not in ('hand', 'foot') else 1) for radius in radii]
            # the arm's first bone starts inside the chest: the chest must not cut it off
            bias = {'upper_arm': 0.025, 'hand': 0.01, 'foot': -0.01}.get(name, 0.0)
            tailor.limb((f'{side}_{first}', f'{side}_{second}'), radii, colors, bias, cut=cut)


def _dress_trunk(tailor: Tailor) -> None:
    body, outfit = tailor.body, tailor.outfit
    pelvis, neck = body.joints_cam['pelvis'], body.joints_cam['neck']
    tailor.hull(
        rings_of(_scaled(_PELVIS, body.girth), body.pelvis_cam, pelvis, 1.0),
        (pelvis + 0.1 * body.pelvis_cam[:, 1], pelvis - 0.06 * body.pelvis_cam[:, 1]),
        (outfit.trousers,) * 2,
        bias=-0.01,
    )
    second = outfit.trim if outfit.stripes or outfit.checks else outfit.shirt
    tailor.hull(
        rings_of(_scaled(_TRUNK, body.girth), body.trunk_cam, pelvis, body.bones['trunk']),
        (neck, pelvis),
        (outfit.shirt, second),
        stripes=outfit.stripes,
        checks=outfit.checks,
    )
    if outfit.skirt:
        _dress_skirt(tailor)


def _dress_skirt(tailor: Tailor) -> None:
    """Hang a skirt between the waist and the middle of the thighs."""
    body = tailor.body
    joints = body.joints_cam
    thighs = [joints[f'{s}_hip'] + 0.55 * (joints[f'{s}_knee'] - joints[f'{s}_hip']) for s in SIDES]
    frame = body.pelvis_cam
    hems = [rings_of([(0, 0.07, 0.075)], frame, knee, 1.0)[0] for knee in thighs]
    waist = rings_of([(0.08, 0.082, 0.06)], frame, joints['pelvis'], 1.0)[0]
    tailor.hull(
        np.stack([np.tile(waist, (2, 1)), np.concatenate(hems)]),
        (joints['pelvis'], np.mean(thighs, axis=0)),
        (tailor.outfit.trousers,) * 2,
        bias=0.04,
    )


def _dress_head(tailor: Tailor) -> None:
    """Add head, hair, ears and, if the face looks at the camera at all, its features."""
    body, outfit = tailor.body, tailor.outfit
    size = body.bones['head'] / PROPORTIONS['head']
    _, up, forward = body.head_cam.T
    hair_cam = 0.62 * up - 0.78 * forward
    tailor.limb(
        ('chin', 'crown'),
        (0.043 * size, 0.055 * size),
        (outfit.skin, outfit.hair),
        cap=(tuple(hair_cam.tolist()), outfit.hair_line),
    )
    key = tailor.shapes[-1].key
    # under the chin in front, under the hair behind
    neck = (tailor.points['neck'][2] + tailor.points['chin'][2]) / 2
    tailor.limb(('neck', 'chin'), (0.032, 0.030), (outfit.skin,) * 2, key=min(neck, key - 1e-3))
    for side in SIDES:
        tailor.limb((f'{side}_ear',) * 2, (0.014 * size,) * 2, (outfit.skin * 0.9,) * 2)
    if outfit.long_hair:
        crown, neck = body.joints_cam['crown'], body.joints_cam['neck']
        tailor.limb(
            (crown - 0.02 * forward, neck - 0.045 * forward + 0.01 * up),
            (0.055 * size, 0.045),
            (outfit.hair,) * 2,
            bias=-0.022,
        )
    # below this size an eye is less than half a pixel
    if forward[2] > -0.1 and tailor.height > 45:
        _draw_face(tailor, size, key + 0.01 * tailor.height)


def _draw_face(tailor: Tailor, size: float, key: float) -> None:
    outfit = tailor.outfit
    dark, white = (np.array([30.0, 25, 25]),) * 2, (np.array([235.0, 235, 235]),) * 2
    for side in SIDES:
        if tailor.body.joints_cam[f'{side}_eye'][2] < tailor.body.joints_cam['crown'][2]:
            continue
        eye = (f'{side}_eye',) * 2
        tailor.limb(eye, (0.009 * size,) * 2, white, key=key)
        tailor.limb(eye, (0.0065 * size,) * 2, dark, key=key + 1e-3)
    _, up, forward = tailor.body.head_cam.T
    nose = tailor.body.joints_cam['nose']
    tailor.limb(
        (nose + (0.018 * up - 0.012 * forward) * size, nose - 0.006 * forward),
        (0.006 * size, 0.010 * size),
        (outfit.skin * 0.88,) * 2,
        key=key + 2e-3,
    )
    tailor.limb(
        ('mouth_left', 'mouth_right'),
        (0.005 * size,) * 2,
        (outfit.skin * [0.55, 0.5, 0.75],) * 2,
        key=key + 3e-3,
    )


def _plate(
    tailor: Tailor, corners: Sequence[tuple], color: np.ndarray, depth: float, bias: float
) -> None:
    """Add a flat patch on the trunk; corners are (left, up) shares, depth is forward."""
    body = tailor.body
    left, up, forward = body.trunk_cam.T
    start, unit = body.joints_cam['pelvis'], body.bones['trunk']
    ring = np.stack(
        [
            start + left * x * body.girth + up * y * unit + forward * depth * body.girth
            for x, y in corners
        ]
    )
    # the patch must lie right above the trunk in painting order, whatever its own depth
    trunk = (tailor.points['neck'][2] + tailor.points['pelvis'][2]) / 2
    tailor.hull(np.stack([ring, ring]), (ring[0], ring[-1]), (color,) * 2, bias, trunk, gloss=0.3)


def _draw_front_and_back(tailor: Tailor) -> None:
    """Add what tells the chest from the back: neckline, zip, print or jacket; a backpack."""
    outfit, facing = tailor.outfit, tailor.body.trunk_cam[2, 2]
    if outfit.backpack:
        box = ((-0.08, 0.25), (0.08, 0.25), (0.075, 0.95), (-0.075, 0.95))
        _plate(tailor, box, outfit.trim, -0.085, 0.012 if facing < 0 else -0.02)
    if facing < 0.15:
        return
    neckline = ((-0.04, 1.02), (0.04, 1.02), (0.0, 0.86))
    _plate(tailor, neckline, outfit.skin, 0.045, 0.002)
    fronts = dict(
        zip=((-0.004, 0.15), (0.004, 0.15), (0.004, 0.88), (-0.004, 0.88)),
        print=((-0.05, 0.5), (0.05, 0.5), (0.05, 0.75), (-0.05, 0.75)),
        jacket=((-0.03, 0.12), (0.03, 0.12), (0.045, 0.95), (-0.045, 0.95)),
    )
    if outfit.badge in fronts:
        _plate(tailor, fronts[outfit.badge], outfit.trim, 0.06, 0.001)


def draw_figure(
    body: Body, outfit: Outfit, height: float, names: Sequence[str], shift: np.ndarray
) -> Figure:
    """Draw one person by themselves.

    Args:
        body: A `Body`.
        outfit: An `Outfit`.
        height: Upright height, px.
        names: The K keypoint names wanted, each a joint of the body.
        shift: Part of a pixel, (x, y), by which the person is moved.

    Returns:
        A `Figure`.
    """
    tailor = Tailor(body, outfit, height, shift)
    _dress_limbs(tailor)
    _dress_trunk(tailor)
    _dress_head(tailor)
    _draw_front_and_back(tailor)
    points = np.array([tailor.points[name] for name in names])
    depths = np.array(
        [_DEPTHS[name.split('_', 1)[-1] if name != 'top_head' else name] for name in names]
    )
    return Figure(draw_shapes(tailor.shapes), points, depths * height, body, height)
