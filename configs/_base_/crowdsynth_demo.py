# The synthetic crowd that `make demo-train` draws into data/crowdsynth: training images in files,
# one split for validation and test, COCO's AP.
_base_ = ['./crowdsynth.py']
from pinet_mm.datasets import pipelines

# The generator varies scale and place itself; mirroring doubles what a small set shows.
train_pipeline = pipelines.train(
    _base_.codec, scale_factor=(0.85, 1.15), shift_factor=0.1, rotate_factor=10.0
)

data_root = 'data/crowdsynth/'
train_dataloader = dict(
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True),
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        data_mode='bottomup',
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/train/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(data_root=data_root, **_base_.val_files))
test_dataloader = val_dataloader

val_evaluator = dict(iou_type='keypoints', ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
