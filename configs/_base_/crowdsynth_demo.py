# The synthetic crowd that `make demo-train` draws into data/crowdsynth: COCO's 17 keypoints on
# pictures of 128×128. `min_area` is 0: many of these persons are smaller than COCO's 32².
_base_ = ['./coco.py']

input_size = (128, 128)
codec = dict(_base_.codec, input_size=input_size, heatmap_size=(32, 32), min_area=0)

# The generator varies scale and place itself; mirroring doubles what a small set shows.
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(
    input_size=input_size, scale_factor=(0.85, 1.15), shift_factor=0.1, rotate_factor=10.)
train_pipeline[3]['encoder'] = codec
test_pipeline = _base_.test_pipeline
test_pipeline[1]['input_size'] = input_size

data_root = 'data/crowdsynth/'
train_dataloader = dict(
    batch_size=16,
    num_workers=0,  # on two cores a worker costs the training more than it saves
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        data_mode='bottomup',
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/train/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/val.json',
        data_prefix=dict(img='images/val/'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
