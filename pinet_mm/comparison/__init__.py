"""Two models on the same images, side by side: what each finds and whom it misses.

With annotations, a person is found if COCO's keypoint evaluation, which looks at the best 20 poses
of an image, matches a pose with them at OKS 0.5. Without annotations the models judge each
other.
"""

from .annotations import Annotations
from .comparing import Report, check_numbers, compare
from .document import SCHEMA, summary
from .drawing import draw
from .sides import Side, Spec, counted_poses, load_sides, names_of

__all__ = [
    'SCHEMA',
    'Annotations',
    'Report',
    'Side',
    'Spec',
    'check_numbers',
    'compare',
    'counted_poses',
    'draw',
    'load_sides',
    'names_of',
    'summary',
]
