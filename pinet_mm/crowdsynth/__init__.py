"""A synthetic crowd: overlapping articulated people, drawn from a seed, labeled as COCO does.

`draw_crowd` makes one image and its labels, `write_dataset` a dataset on disk; `CrowdVideo` draws
people who walk past one another, `write_videos` a dataset of such. Nothing here needs more than
numpy and OpenCV.
"""

from .angles import POSES
from .bodies import VIEWS
from .dataset import annotate, check_request, mask_to_polygons, summarize, write_dataset
from .labels import Person, crowd_index
from .preview import (
    check_preview,
    draw_preview,
    draw_video_preview,
    write_preview,
    write_video_preview,
)
from .scene import draw_crowd
from .settings import SPLITS, CrowdSettings, VideoSettings
from .skeletons import LAYOUTS, Layout
from .video import CrowdVideo
from .video_files import check_video_request, summarize_tracks, write_videos

__all__ = [
    'LAYOUTS',
    'POSES',
    'SPLITS',
    'VIEWS',
    'CrowdSettings',
    'CrowdVideo',
    'Layout',
    'Person',
    'VideoSettings',
    'annotate',
    'check_preview',
    'check_request',
    'check_video_request',
    'crowd_index',
    'draw_crowd',
    'draw_preview',
    'draw_video_preview',
    'mask_to_polygons',
    'summarize',
    'summarize_tracks',
    'write_dataset',
    'write_preview',
    'write_video_preview',
    'write_videos',
]
