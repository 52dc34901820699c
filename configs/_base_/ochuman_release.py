# OCHuman by the rules of the authors' release: the codec's convention, which the head shares, and
# how pictures, persons, crops, masks and mirrored keypoints reach it.
_base_ = ['./ochuman.py']

codec = dict(_base_.codec, convention='release')
train_pipeline = [
    dict(type='LoadImage', color_type='color_ignore_orientation'),
    dict(type='ReleasePersons', ignored_regions=False),
    dict(
        type='ReleaseCrop',
        input_size=_base_.input_size,
        scale_factor=(0.75, 1.5),
        shift_factor=0.2,
        rotate_factor=30.0,
    ),
    dict(type='RandomInputFlip', direction='horizontal', prob=0.5, keypoint_stride=4),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='ReleaseHeatmapMask'),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

test_pipeline = _base_.test_pipeline
test_pipeline[0]['color_type'] = 'color_ignore_orientation'
test_pipeline[1] = dict(type='WholeCentreResize', input_size=_base_.input_size)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
