"""From a body and an outfit to shapes, and from those to one person's layer and keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .bodies import PROPORTIONS, SIDES, Body
from .outfits import Outfit
from .shapes import Layer, Light, Shape, paint_layer

# half widths of limbs at their first and second joint, shares of the upright height
_LIMBS = (
    ('upper_arm', 'shoulder', 'elbow', 0.040, 0.029),
    ('forearm', 'elbow', 'wrist', 0.029, 0.019),
    ('hand', 'wrist', 'hand', 0.019, 0.018),
    ('thigh', 'hip', 'knee', 0.063, 0.041),
    ('shank', 'knee', 'ankle', 0.042, 0.025),
    ('foot', 'heel', 'toe', 0.025, 0.019))

# (up, half width, half depth) of the trunk's and the pelvis' cross-sections; up is a share of the
# trunk for the first and of the upright height for the second
_TRUNK = ((1.03, 0.035, 0.035), (0.97, 0.098, 0.050), (0.80, 0.105, 0.066), (0.45, 0.080, 0.058),
          (0.12, 0.088, 0.060))
_PELVIS = ((0.10, 0.080, 0.056), (0.02, 0.098, 0.066), (-0.05, 0.088, 0.060))
_RING = np.linspace(0, 2 * np.pi, 12, endpoint=False)

# how far below the seen surface a keypoint may lie and still count as seen: about its joint's own
# half thickness plus a third of it
_DEPTHS = dict(nose=0.045, eye=0.045, ear=0.05, shoulder=0.10, elbow=0.065, wrist=0.055, hip=0.115,
               knee=0.075, ankle=0.06, top_head=0.09, neck=0.10)


@dataclass(frozen=True)
class Figure:
    """Hold one drawn person, in pixels relative to the point where they touch the ground.

    Args:
        layer: The `Layer` they fill.
        keypoints: (K, 2) x, y.
        seen: (K,) bool, False where their own body hides the keypoint.
        body: The `Body`.
        height: Upright height, px.
    """

    layer: Layer
    keypoints: np.ndarray
    seen: np.ndarray
    body: Body
    height: float


class _Tailor:
    """Collect the shapes of one body in pixels relative to its ground contact."""

    def __init__(self, body: Body, outfit: Outfit, height: float, shift: np.ndarray):
        self.body, self.outfit, self.height = body, outfit, height
        lowest = max(joint[1] for joint in body.joints_cam.values())
        self.offset = np.array([shift[0], shift[1] - lowest * height, 0.0])
        points = np.array(list(body.joints_cam.values())) * height + self.offset
        self.points = dict(zip(body.joints_cam, points))
        self.shapes = []

    def point(self, joint_cam: str | np.ndarray) -> np.ndarray:
        """Return x, y, near in px of a joint (or of its name), unit camera frame."""
        if isinstance(joint_cam, str):
            return self.points[joint_cam]
        return joint_cam * self.height + self.offset

    def limb(self, ends: Sequence, radii: Sequence[float], colours: tuple, bias: float = 0.0,
             key: float | None = None, **look: object) -> None:
        """Add a limb; `bias` moves it to the front in the painting order, unit lengths.

        `key`, px, replaces the mean depth in that order.
        """
        ends = np.array([self.point(end) for end in ends])
        radii = tuple(radius * self.height for radius in radii)
        key = (ends[0, 2] + ends[1, 2]) / 2 if key is None else key
        self._add(ends, radii, colours, key + bias * self.height, look)

    def hull(self, rings: list[np.ndarray], ends: Sequence, colours: tuple, bias: float = 0.0,
             key: float | None = None, **look: object) -> None:
        """Add the union of the convex hulls of consecutive rings of camera-frame points."""
        rings = [ring * self.height + self.offset for ring in rings]
        hulls = tuple(_convex_hull(np.concatenate(pair)[:, :2]) for pair in zip(rings, rings[1:]))
        ends = np.array([self.point(end) for end in ends])
        across = np.concatenate(rings) - ends[0]
        axis = ends[1, :2] - ends[0, :2]
        sideways = np.array([-axis[1], axis[0]]) / max(float(np.hypot(*axis)), 1e-3)
        radius = float(np.abs(across[:, :2] @ sideways).max())
        depth = float(np.ptp(rings[len(rings) // 2][:, 2]) / 2)
        key = (ends[0, 2] + ends[1, 2]) / 2 if key is None else key
        self._add(ends, (radius, radius), colours, key + bias * self.height,
                  dict(look, hulls=hulls, depth=depth))

    def _add(self, ends: Sequence, radii: Sequence[float], colours: tuple, key: float,
             look: dict) -> None:
        self.shapes.append(Shape(ends, radii, colours, key=key, name=len(self.shapes), **look))


def _convex_hull(points: np.ndarray) -> np.ndarray:
    return cv2.convexHull(points.astype(np.float32))[:, 0]


def _rings(sections: Sequence[tuple], frame_cam: np.ndarray, start: np.ndarray,
           unit: float) -> list[np.ndarray]:
    """Return (12, 3) camera-frame points around each cross-section of the trunk or the pelvis."""
    left, up, forward = frame_cam.T
    around = [np.cos(_RING)[:, None] * left, np.sin(_RING)[:, None] * forward]
    return [start + up * (place * unit) + width * around[0] + depth * around[1]
            for place, width, depth in sections]


def _scaled(sections: Sequence[tuple], girth: float) -> list[tuple]:
    return [(place, width * girth, depth * girth) for place, width, depth in sections]


def _split(sleeve: float, first: np.ndarray, second: np.ndarray) -> tuple:
    """Return colours and cut of two bones in a row of which a sleeve covers `sleeve`."""
    return (first, second), sleeve, max(sleeve - 1, 0.0)


def _dress_limbs(tailor: _Tailor) -> None:
    outfit, girth = tailor.outfit, tailor.body.girth
    arm, arm_cut, forearm_cut = _split(outfit.sleeve, outfit.shirt, outfit.skin)
    leg, thigh_cut, shank_cut = _split(outfit.leg, outfit.trousers, outfit.skin)
    looks = dict(upper_arm=(arm, arm_cut), forearm=(arm, forearm_cut),
                 hand=((outfit.skin,) * 2, 2), thigh=(leg, thigh_cut), shank=(leg, shank_cut),
                 foot=((outfit.shoes,) * 2, 2))
    for side in SIDES:
        for name, first, second, *radii in _LIMBS:
            colours, cut = looks[name]
            radii = [radius * (girth if name not in ('hand', 'foot') else 1) for radius in radii]
            # the arm's first bone starts inside the chest: the chest must not cut it off
            bias = {'upper_arm': 0.025, 'hand': 0.01, 'foot': -0.01}.get(name, 0.0)
            tailor.limb((f'{side}_{first}', f'{side}_{second}'), radii, colours, bias, cut=cut)


def _dress_trunk(tailor: _Tailor) -> None:
    body, outfit = tailor.body, tailor.outfit
    pelvis, neck = body.joints_cam['pelvis'], body.joints_cam['neck']
    tailor.hull(_rings(_scaled(_PELVIS, body.girth), body.pelvis_cam, pelvis, 1.0),
                (pelvis + 0.1 * body.pelvis_cam[:, 1], pelvis - 0.06 * body.pelvis_cam[:, 1]),
                (outfit.trousers,) * 2, bias=-0.01)
    second = outfit.trim if outfit.stripes else outfit.shirt
    tailor.hull(_rings(_scaled(_TRUNK, body.girth), body.trunk_cam, pelvis, body.bones['trunk']),
                (neck, pelvis), (outfit.shirt, second), stripes=outfit.stripes)
    tailor.limb(('neck', 'chin'), (0.032, 0.030), (outfit.skin,) * 2)
    if outfit.skirt:
        _dress_skirt(tailor)


def _dress_skirt(tailor: _Tailor) -> None:
    """Hang a skirt between the waist and the middle of the thighs."""
    body = tailor.body
    joints = body.joints_cam
    thighs = [joints[f'{s}_hip'] + 0.55 * (joints[f'{s}_knee'] - joints[f'{s}_hip'])
              for s in SIDES]
    frame = body.pelvis_cam
    hem = np.concatenate([_rings([(0, 0.07, 0.075)], frame, knee, 1.0)[0] for knee in thighs])
    waist = _rings([(0.08, 0.082, 0.06)], frame, joints['pelvis'], 1.0)[0]
    tailor.hull([waist, hem], (joints['pelvis'], np.mean(thighs, axis=0)),
                (tailor.outfit.trousers,) * 2, bias=0.04)


def _dress_head(tailor: _Tailor) -> None:
    """Add head, hair, ears and, if the face looks at the camera at all, its features."""
    body, outfit = tailor.body, tailor.outfit
    size = body.bones['head'] / PROPORTIONS['head']
    _, up, forward = body.head_cam.T
    hair_cam = 0.62 * up - 0.78 * forward
    tailor.limb(('chin', 'crown'), (0.043 * size, 0.055 * size), (outfit.skin, outfit.hair),
                cap=(tuple(hair_cam.tolist()), outfit.hair_line))
    key = tailor.shapes[-1].key
    for side in SIDES:
        tailor.limb((f'{side}_ear',) * 2, (0.014 * size,) * 2, (outfit.skin * 0.9,) * 2)
    if outfit.long_hair:
        crown, neck = body.joints_cam['crown'], body.joints_cam['neck']
        tailor.limb((crown - 0.02 * forward, neck - 0.045 * forward + 0.01 * up),
                    (0.055 * size, 0.045), (outfit.hair,) * 2, bias=-0.022)
    # below this size an eye is less than half a pixel
    if forward[2] > -0.1 and tailor.height > 45:
        _draw_face(tailor, size, key + 0.01 * tailor.height)


def _draw_face(tailor: _Tailor, size: float, key: float) -> None:
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
    tailor.limb((nose + (0.018 * up - 0.012 * forward) * size, nose - 0.006 * forward),
                (0.006 * size, 0.010 * size), (outfit.skin * 0.88,) * 2, key=key + 2e-3)
    tailor.limb(('mouth_left', 'mouth_right'), (0.005 * size,) * 2,
                (outfit.skin * [0.55, 0.5, 0.75],) * 2, key=key + 3e-3)


def _plate(tailor: _Tailor, corners: Sequence[tuple], colour: np.ndarray, depth: float,
           bias: float) -> None:
    """Add a flat patch on the trunk; corners are (left, up) shares, depth is forwards."""
    body = tailor.body
    left, up, forward = body.trunk_cam.T
    start, unit = body.joints_cam['pelvis'], body.bones['trunk']
    ring = np.stack([start + left * x * body.girth + up * y * unit + forward * depth * body.girth
                     for x, y in corners])
    # the patch must lie right above the trunk in painting order, whatever its own depth
    trunk = (tailor.point('neck')[2] + tailor.point('pelvis')[2]) / 2
    tailor.hull([ring, ring], (ring[0], ring[-1]), (colour,) * 2, bias, trunk, gloss=0.3)


def _draw_front_and_back(tailor: _Tailor) -> None:
    """Add what tells the chest from the back: neckline, zip, print or jacket; a backpack."""
    outfit, facing = tailor.outfit, tailor.body.trunk_cam[2, 2]
    if outfit.backpack:
        box = ((-0.08, 0.25), (0.08, 0.25), (0.075, 0.95), (-0.075, 0.95))
        _plate(tailor, box, outfit.trim, -0.085, 0.012 if facing < 0 else -0.02)
    if facing < 0.15:
        return
    neckline = ((-0.04, 1.02), (0.04, 1.02), (0.0, 0.86))
    _plate(tailor, neckline, outfit.skin, 0.045, 0.002)
    fronts = dict(zip=((-0.004, 0.15), (0.004, 0.15), (0.004, 0.88), (-0.004, 0.88)),
                  print=((-0.05, 0.5), (0.05, 0.5), (0.05, 0.75), (-0.05, 0.75)),
                  jacket=((-0.03, 0.12), (0.03, 0.12), (0.045, 0.95), (-0.045, 0.95)))
    if outfit.badge in fronts:
        _plate(tailor, fronts[outfit.badge], outfit.trim, 0.06, 0.001)


def draw_figure(body: Body, outfit: Outfit, height: float, names: Sequence[str], shift: np.ndarray,
                light: Light) -> Figure:
    """Draw one person by themselves.

    Args:
        body: A `Body`.
        outfit: An `Outfit`.
        height: Upright height, px.
        names: The K keypoint names wanted, each a joint of the body.
        shift: Part of a pixel, (x, y), by which the person is moved.
        light: As `paint_layer` takes it.

    Returns:
        A `Figure`.
    """
    tailor = _Tailor(body, outfit, height, shift)
    _dress_limbs(tailor)
    _dress_trunk(tailor)
    _dress_head(tailor)
    _draw_front_and_back(tailor)
    layer = paint_layer(tailor.shapes, light)
    points = np.array([tailor.point(name) for name in names])
    depths = np.array([_DEPTHS[name.split('_', 1)[-1] if name != 'top_head' else name]
                       for name in names])
    seen = _surface(layer, tailor.shapes, points) - points[:, 2] <= depths * height
    return Figure(layer, points[:, :2], seen, body, height)


def _surface(layer: Layer, shapes: list[Shape], points: np.ndarray) -> np.ndarray:
    """Return how near the surface seen at each point is, px; -inf where there is none.

    Args:
        layer: The painted `Layer`.
        shapes: The shapes by their names.
        points: (K, 3) x, y, near, px.

    Returns:
        (K,) near.
    """
    cells = np.rint(points[:, :2]).astype(int) - layer.origin
    cells = np.clip(cells, 0, np.array(layer.parts.shape[::-1]) - 1)
    found = layer.parts[cells[:, 1], cells[:, 0]]
    on_top = [shapes[name if name != 255 else 0] for name in found]
    start, end = np.stack([shape.ends for shape in on_top], 1)
    radii = np.array([shape.radii for shape in on_top])
    depths = np.array([shape.depth for shape in on_top])
    axis, to_point = (end - start)[:, :2], points[:, :2] - start[:, :2]
    t = np.clip((to_point * axis).sum(1) / ((axis * axis).sum(1) + 1e-6), 0, 1)
    radius = radii[:, 0] + (radii[:, 1] - radii[:, 0]) * t
    off = np.hypot(*(to_point - t[:, None] * axis).T) / np.maximum(radius, 1e-3)
    bulge = np.where(depths > 0, depths, radius) * np.sqrt(np.maximum(1 - off * off, 0))
    return np.where(found != 255, start[:, 2] + t * (end - start)[:, 2] + bulge, -np.inf)
