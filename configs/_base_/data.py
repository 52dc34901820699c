# What the datasets have in common. A dataset's base adds the codec to the training pipeline, and to
# the loaders and evaluators its class, files and metric.
input_size = (512, 512)

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='RandomCropAffine',
        input_size=input_size,
        scale_factor=(0.75, 1.5),
        scale_type='short',
        shift_factor=0.2,
        rotate_factor=30.0,
    ),
    dict(type='RandomInputFlip', direction='horizontal', prob=0.5),
    dict(type='GenerateTarget'),
    dict(type='ValidHeatmapMask'),
    dict(type='PackPoseInputs'),
]
# `flip_indices` and the three `input_*` keys map predictions back to the original picture.
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='BottomupResize', input_size=input_size, size_factor=64, resize_mode='expand'),
    dict(
        type='PackPoseInputs',
        meta_keys=(
            'id',
            'img_id',
            'img_path',
            'crowd_index',
            'ori_shape',
            'img_shape',
            'input_size',
            'input_center',
            'input_scale',
            'flip_indices',
            'skeleton_links',
            'raw_ann_info',
        ),
    ),
]

train_dataloader = dict(
    batch_size=20,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data_mode='bottomup', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(data_mode='bottomup', test_mode=True, pipeline=test_pipeline),
)
test_dataloader = val_dataloader

val_cfg = dict()
test_cfg = dict()

# MMPose's defaults would apply a second NMS and another score.
val_evaluator = dict(type='CocoMetric', nms_mode='none', score_mode='keypoint')
test_evaluator = val_evaluator
