"""Keypoint layouts of the synthetic crowd: names, limbs, and how a keypoint hides in its body."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Hold the keypoint names in dataset order and the limbs between them, by name."""

    names: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    @property
    def num_keypoints(self) -> int:
        """Return the number of keypoints, K."""
        return len(self.names)

    def skeleton(self) -> list[list[int]]:
        """Return the limbs as pairs of 1-based keypoint numbers, as COCO writes them."""
        return [[self.names.index(a) + 1, self.names.index(b) + 1] for a, b in self.limbs]


_SIDES = ('left', 'right')
_ARMS_AND_LEGS = tuple(
    (f'{side}_{a}', f'{side}_{b}')
    for side in _SIDES
    for a, b in (
        ('shoulder', 'elbow'),
        ('elbow', 'wrist'),
        ('shoulder', 'hip'),
        ('hip', 'knee'),
        ('knee', 'ankle'),
    )
)
_TRUNK = (('left_shoulder', 'right_shoulder'), ('left_hip', 'right_hip'))
_FACE = (('left_eye', 'right_eye'),) + tuple(
    pair for side in _SIDES for pair in (('nose', f'{side}_eye'), (f'{side}_eye', f'{side}_ear'))
)
_HEAD = (('top_head', 'neck'), ('neck', 'left_shoulder'), ('neck', 'right_shoulder'))


def _both(*joints: str) -> tuple[str, ...]:
    return tuple(f'{side}_{joint}' for joint in joints for side in _SIDES)


LAYOUTS = {
    'coco': Layout(
        ('nose',) + _both('eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle'),
        _FACE + _TRUNK + _ARMS_AND_LEGS,
    ),
    'crowdpose': Layout(
        _both('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle') + ('top_head', 'neck'),
        _HEAD + _TRUNK + _ARMS_AND_LEGS,
    ),
}
