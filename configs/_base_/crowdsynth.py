# CrowdSynth, the synthetic crowd that `make demo` draws into data/crowdsynth: COCO's 17 keypoints
# on pictures of 128×128. `min_area` is 0: many of these persons are smaller than COCO's 32².

dataset_type = 'CocoDataset'
data_root = 'data/crowdsynth/'

# Parts and graph by keypoint name; names, mirror pairs and sigmas come from the metainfo.
layout = dict(
    metainfo='configs/_base_/datasets/coco.py',
    parts=dict(
        head=['nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'],
        body=['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'],
        leg=['left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle']),
    skeleton=[('nose', 'left_eye'), ('nose', 'right_eye'), ('left_eye', 'right_eye'),
              ('left_eye', 'left_ear'), ('right_eye', 'right_ear'),
              ('left_shoulder', 'right_shoulder'), ('left_shoulder', 'left_hip'),
              ('right_shoulder', 'right_hip'), ('left_hip', 'right_hip'),
              ('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist'),
              ('right_shoulder', 'right_elbow'), ('right_elbow', 'right_wrist'),
              ('left_hip', 'left_knee'), ('left_knee', 'left_ankle'),
              ('right_hip', 'right_knee'), ('right_knee', 'right_ankle')])

# One codec for the pipeline and the head; `convention` is the one switch of the method.
codec = dict(
    type='PINetCodec',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    sigma=2,
    radius=2,
    layout=layout,
    convention='paper')

# The generator varies scale and place itself; mirroring doubles what a small set shows.
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomCropAffine', input_size=codec['input_size'], scale_factor=(0.85, 1.15),
         scale_type='short', shift_factor=0.1, rotate_factor=10.),
    dict(type='RandomInputFlip', direction='horizontal', prob=0.5),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='ValidHeatmapMask'),
    dict(type='PackPoseInputs'),
]
# `flip_indices` and the three `input_*` keys map predictions back to the original picture.
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='BottomupResize', input_size=codec['input_size'], size_factor=64,
         resize_mode='expand'),
    dict(type='PackPoseInputs',
         meta_keys=('id', 'img_id', 'img_path', 'crowd_index', 'ori_shape', 'img_shape',
                    'input_size', 'input_center', 'input_scale', 'flip_indices',
                    'skeleton_links', 'raw_ann_info')),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=0,  # on two cores a worker costs the training more than it saves
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode='bottomup',
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/train/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode='bottomup',
        ann_file='annotations/val.json',
        data_prefix=dict(img='images/val/'),
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_cfg = dict()
test_cfg = dict()

# MMPose's defaults would apply a second NMS and another score.
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/val.json',
    nms_mode='none',
    score_mode='keypoint')
test_evaluator = val_evaluator
