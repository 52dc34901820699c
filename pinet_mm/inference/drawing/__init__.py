"""People, maps and the steps of the method drawn onto images."""

from typing import TYPE_CHECKING

from ...environment.lazy import lazy

if TYPE_CHECKING:
    from .sheets import (
        PERSON_COLORS,
        before_and_after,
        contact_sheet,
        in_column,
        in_row,
        person_color,
        side_by_side,
    )
    from .skeletons import Style, draw_people, draw_poses
    from .visualizer import CrowdVisualizer

__all__ = [
    'PERSON_COLORS',
    'CrowdVisualizer',
    'Style',
    'before_and_after',
    'contact_sheet',
    'draw_people',
    'draw_poses',
    'in_column',
    'in_row',
    'person_color',
    'side_by_side',
]

# MMPose's visualizer comes last, as it alone needs MMPose.
__getattr__ = lazy(__name__, ('sheets', 'skeletons', 'visualizer'))
