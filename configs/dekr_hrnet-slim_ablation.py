# MMPose's DEKR as cid_hrnet-slim_ablation.py has CID, without the COCO-trained net that scores its
# poses again. It needs the full mmcv, whose deformable convolutions its head is made of.
_base_ = ['./cid_hrnet-slim_ablation.py']

dekr = dict(
    type='SPR',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    sigma=(4, 2),
    minimal_diagonal_length=32**0.5,
    generate_keypoint_heatmaps=True,
    decode_max_instances=30,
)
codec = dict(dekr, _delete_=True)
train_pipeline = [
    dict(step, encoder=dekr) if step.type == 'GenerateTarget' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

model = dict(
    head=dict(
        _delete_=True,
        type='DEKRHead',
        in_channels=240,
        num_keypoints=17,
        num_heatmap_filters=32,
        heatmap_loss=dict(type='KeypointMSELoss', use_target_weight=True, loss_weight=1.0),
        displacement_loss=dict(
            type='SoftWeightSmoothL1Loss',
            use_target_weight=True,
            supervise_empty=False,
            beta=1 / 9,
            loss_weight=0.002,
        ),
        decoder=dekr,
    ),
    test_cfg=dict(
        _delete_=True, flip_test=True, nms_dist_thr=0.05, shift_heatmap=True, align_corners=False
    ),
)
