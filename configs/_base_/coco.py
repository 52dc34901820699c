# COCO: 17 keypoints, trained on train2017, evaluated on val2017.
_base_ = ['./data.py']

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
# One codec for the pipeline and the head; `convention` is the one switch of the method.
codec = dict(
    type='PINetCodec',
    input_size=_base_.input_size,
    heatmap_size=(128, 128),
    sigma=2,
    radius=2,
    min_area=32**2,  # smaller persons (input pixels²) get no part centres
    layout=layout,
    convention='paper',
    sparse_offsets=True,
)
train_pipeline = _base_.train_pipeline
train_pipeline[3]['encoder'] = codec

data_root = 'data/coco/'
train_dataloader = dict(
    dataset=dict(
        type='MinKeypointsCocoDataset',
        min_keypoints=11,  # the recipe takes pictures with more than 10 labelled keypoints
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
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(
    iou_type='keypoints', ann_file=data_root + 'annotations/person_keypoints_val2017.json'
)
test_evaluator = val_evaluator
