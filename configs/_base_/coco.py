# COCO: 17 keypoints, trained on train2017, evaluated on val2017.
_base_ = ['./data.py']
from pinet_mm.datasets import pipelines

# Parts and graph by keypoint name; names, mirror pairs and sigmas come from the metainfo.
layout = dict(
    metainfo='configs/_base_/datasets/coco.py',
    parts=dict(
        head=['nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'],
        body=['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'],
        leg=['left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'],
    ),
    skeleton=[
        ('nose', 'left_eye'),
        ('nose', 'right_eye'),
        ('left_eye', 'right_eye'),
        ('left_eye', 'left_ear'),
        ('right_eye', 'right_ear'),
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
# Smaller people (input pixels²) get no part centers.
codec = dict(_base_.codec, layout=layout, min_area=32**2)
refinement = dict(num_layers=2)
train_pipeline = pipelines.train(codec)
test_pipeline = pipelines.test(codec)

data_root = 'data/coco/'
train_dataloader = dict(
    dataset=dict(
        type='MinKeypointsCocoDataset',
        min_keypoints=11,  # the recipe takes images with more than 10 labeled keypoints
        data_root=data_root,
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017/'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/person_keypoints_val2017.json',
        data_prefix=dict(img='val2017/'),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader

# 2 GPUs × 20 images; `--auto-scale-lr` adapts the learning rate to another batch.
auto_scale_lr = dict(base_batch_size=40)

val_evaluator = dict(
    iou_type='keypoints', ann_file=data_root + 'annotations/person_keypoints_val2017.json'
)
test_evaluator = val_evaluator
