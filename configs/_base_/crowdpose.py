# CrowdPose: 14 keypoints, trained on trainval, evaluated on test (easy, medium, hard).
# `min_area` stays 0: small persons keep their part centres.
_base_ = ['./data.py']

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
# One codec for the pipeline and the head; `convention` is the one switch of the method.
codec = dict(
    type='PINetCodec',
    input_size=_base_.input_size,
    heatmap_size=(128, 128),
    sigma=2,
    radius=2,
    layout=layout,
    convention='paper',
    sparse_offsets=True,
)
train_pipeline = _base_.train_pipeline
train_pipeline[3]['encoder'] = codec

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
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(
    iou_type='keypoints_crowd',
    use_area=False,
    ann_file=data_root + 'annotations/mmpose_crowdpose_test.json',
)
test_evaluator = val_evaluator
