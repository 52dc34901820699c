# MMPose's CID on the backbone, images and budget of pinet_hrnet-slim_ablation.py, with the head,
# losses and test settings of MMPose's own COCO config. Its losses need full precision.
_base_ = ['./pinet_hrnet-slim_ablation.py']

cid = dict(type='DecoupledHeatmap', input_size=(128, 128), heatmap_size=(32, 32))
codec = dict(cid, _delete_=True)
train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='BottomupRandomAffine',
        input_size=cid['input_size'],
        scale_factor=(1.0, 1.0),
        scale_type='short',
        shift_prob=0.0,
        rotate_factor=0.0,
    ),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='GenerateTarget', encoder=cid),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# CID mixes the images of a batch.
val_dataloader = dict(batch_size=1)
test_dataloader = dict(batch_size=1)

model = dict(
    type='BottomupPoseEstimator',
    head=dict(
        _delete_=True,
        type='CIDHead',
        in_channels=240,
        num_keypoints=17,
        gfd_channels=32,
        coupled_heatmap_loss=dict(type='FocalHeatmapLoss', loss_weight=1.0),
        decoupled_heatmap_loss=dict(type='FocalHeatmapLoss', loss_weight=4.0),
        contrastive_loss=dict(type='InfoNCELoss', temperature=0.05, loss_weight=1.0),
        decoder=cid,
    ),
    train_cfg=dict(max_train_instances=200),
    test_cfg=dict(_delete_=True, flip_test=True, shift_heatmap=False, align_corners=False),
)
