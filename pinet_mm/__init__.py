"""PINet, pose-level inference for crowded pictures, as a plugin of MMPose.

Importing the package first makes MMPose work on today's Python and torch (`compat`), then
registers the classes below in MMPose's registries: all that a config needs is
`custom_imports = dict(imports=['pinet_mm'])`.
"""

import sys

from . import compat

__version__ = '0.1.0'

compat.apply()

# The doctor reports on environments in which the imports below fail.
if 'pinet_mm.doctor' not in sys.orig_argv:
    from .codec import PINetCodec
    from .estimator import PINet
    from .evaluation import MinKeypointsCocoDataset, PoseCocoMetric
    from .fusion import PoseFusion, fuse_poses
    from .head import PINetHead
    from .layouts import PartLayout
    from .proposals import ProposalSampler
    from .refinement import PoseRefinement
    from .transforms import RandomCropAffine, ValidHeatmapMask

    __all__ = [
        'MinKeypointsCocoDataset', 'PINet', 'PINetCodec', 'PINetHead', 'PartLayout',
        'PoseCocoMetric', 'PoseFusion', 'PoseRefinement', 'ProposalSampler', 'RandomCropAffine',
        'ValidHeatmapMask', 'fuse_poses'
    ]
