# CrowdSynth at 128×128: COCO's 17 keypoints of two to four large persons, crowd index uniform in
# [0, 1]. Training pictures are drawn when they are asked for; those held out, val and test, are
# written once, in the same settings:
#   python tools/make_crowdsynth.py data/crowdsynth_128 --split test --images 500 --size 128 128
#       --persons 2 4 --height 0.7 1.0
# `min_area` is 0: some of these persons are smaller than COCO's 32².
_base_ = ['./coco.py']

input_size = (128, 128)
codec = dict(_base_.codec, input_size=input_size, heatmap_size=(32, 32), min_area=0)

# No picture is seen twice, in poses, places, sizes and light of its own: nothing to augment.
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(
    input_size=input_size, scale_factor=(1.0, 1.0), shift_factor=0.0, rotate_factor=0.0
)
train_pipeline[3]['encoder'] = codec
test_pipeline = _base_.test_pipeline
test_pipeline[1]['input_size'] = input_size

data_root = 'data/crowdsynth_128/'
train_dataloader = dict(
    batch_size=16,
    num_workers=0,  # on two cores a worker costs the training more than it saves
    persistent_workers=False,
    sampler=dict(type='EpochSampler'),
    dataset=dict(
        _delete_=True,
        type='CrowdSynthDataset',
        length=4000,
        settings=dict(size=input_size, persons=(2, 4), height=(0.7, 1.0)),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/val.json',
        data_prefix=dict(img='images/val/'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/test.json',
        data_prefix=dict(img='images/test/'),
        pipeline=test_pipeline,
    ),
)

# CrowdPose's evaluation adds AP by crowd index. Its code counts easy below 0.2, medium to 0.8 and
# hard above, where the paper says 0.1 for 0.2.
val_evaluator = dict(iou_type='keypoints_crowd', ann_file=data_root + 'annotations/val.json')
test_evaluator = dict(iou_type='keypoints_crowd', ann_file=data_root + 'annotations/test.json')
