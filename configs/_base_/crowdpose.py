# CrowdPose: 14 keypoints, trained on trainval, evaluated on test (easy, medium, hard).
# `min_area` stays 0: small people keep their part centers.
_base_ = ['./data.py']
from pinet_mm.datasets import pipelines

# Parts and graph by keypoint name; names, mirror pairs and sigmas come from the metainfo.
layout = dict(
    metainfo='configs/_base_/datasets/crowdpose.py',
    parts=dict(
        head=['top_head', 'neck'],
        body=['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'],
        leg=['left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'],
    ),
    skeleton=[
        ('top_head', 'neck'),
        ('neck', 'left_shoulder'),
        ('neck', 'right_shoulder'),
        ('left_shoulder', 'right_shoulder'),
        ('left_shoulder', 'left_hip'),
        ('right_shoulder', 'right_hip'),
        ('left_hip', 'right_hip'),
        ('left_shoulder', 'left_elbow'),
        ('left_elbow', 'left_wrist'),
        ('right_shoulder', 'right_elbow'),
        ('right_elbow', 'right_wrist'),
        ('left_hip', 'left_knee'),
        ('left_knee', 'left_ankle'),
        ('right_hip', 'right_knee'),
        ('right_knee', 'right_ankle'),
    ],
)
codec = dict(_base_.codec, layout=layout)
refinement = dict(num_layers=3)
train_pipeline = pipelines.train(codec)
test_pipeline = pipelines.test(codec)

data_root = 'data/crowdpose/'
train_dataloader = dict(
    dataset=dict(
        type='CrowdPoseDataset',
        data_root=data_root,
        ann_file='annotations/mmpose_crowdpose_trainval.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='CrowdPoseDataset',
        data_root=data_root,
        ann_file='annotations/mmpose_crowdpose_test.json',
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader

# 2 GPUs × 20 images; `--auto-scale-lr` adapts the learning rate to another batch.
auto_scale_lr = dict(base_batch_size=40)

val_evaluator = dict(
    iou_type='keypoints_crowd',
    use_area=False,
    ann_file=data_root + 'annotations/mmpose_crowdpose_test.json',
)
test_evaluator = val_evaluator
