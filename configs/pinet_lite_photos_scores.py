# The light model on photographs with another score: the OKS that a pose may be expected to have.
# Training trains that score alone; all else is that of `load_from`, and frozen. docs/pinet2.md.
_base_ = ['_base_/schedule_score.py', '_base_/pinet_lite.py', '_base_/photos_scores.py']
from pinet_mm.api import shipped_weights

load_from = str(shipped_weights('pinet_lite_photos.py'))
refinement = dict(_base_.refinement, score=dict(hidden=32))
model = dict(
    backbone=dict(init_cfg=None),
    head=dict(decoder=_base_.codec, refinement=refinement),
    test_cfg=_base_.two_scales,
)
