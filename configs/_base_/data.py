# What the datasets have in common. A dataset's base completes the codec, makes the pipelines
# from it, and adds to the loaders and evaluators its class, files and metric.

# One codec for the pipelines and the head; `convention` is the one switch of the method.
codec = dict(
    type='PINetCodec',
    input_size=(512, 512),
    heatmap_size=(128, 128),
    sigma=2,
    radius=2,
    convention='paper',
    sparse_offsets=True,
)

train_dataloader = dict(
    batch_size=20,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data_mode='bottomup'),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(data_mode='bottomup', test_mode=True),
)
test_dataloader = val_dataloader

val_cfg = dict()
test_cfg = dict()

# MMPose's defaults would apply a second NMS and another score.
val_evaluator = dict(type='CocoMetric', nms_mode='none', score_mode='keypoint')
test_evaluator = val_evaluator
