"""What was found in an image: as properties, as JSON, in the formats of other tools."""

from typing import TYPE_CHECKING

from ...environment.lazy import lazy

if TYPE_CHECKING:
    from ..people import person_boxes, person_scores
    from .pose_result import PoseResult
    from .records import SCHEMA, facts, to_record

__all__ = [
    'SCHEMA',
    'PoseResult',
    'facts',
    'person_boxes',
    'person_scores',
    'to_record',
]

# MMPose's sample comes last, as it alone needs MMPose.
__getattr__ = lazy(__name__, ('records', 'pose_result'))
