"""A synthetic crowd: overlapping articulated people, drawn from a seed, labeled as COCO does.

`draw_crowd` makes one image and its labels, `write_dataset` a dataset on disk. Nothing here needs
more than numpy and OpenCV.
"""

from .angles import POSES
from .bodies import VIEWS
from .dataset import annotate, check_request, mask_to_polygons, summarize, write_dataset
from .labels import Person, crowd_index
from .preview import check_preview, draw_preview, write_preview
from .scene import draw_crowd
from .settings import SPLITS, CrowdSettings
from .skeletons import LAYOUTS, Layout

__all__ = [
    'LAYOUTS',
    'POSES',
    'SPLITS',
    'VIEWS',
    'CrowdSettings',
    'Layout',
    'Person',
    'annotate',
    'check_preview',
    'check_request',
    'crowd_index',
    'draw_crowd',
    'draw_preview',
    'mask_to_polygons',
    'summarize',
    'write_dataset',
    'write_preview',
]
