# A slim PINet learns a few pictures of $PINET_TEST_DATA by heart: 256×256, no augmentation.
_base_ = ['../../configs/_base_/runtime.py', '../../configs/_base_/pinet_hrnet-slim.py',
          '../../configs/_base_/crowdpose.py']

data_root = '{{$PINET_TEST_DATA:data}}/samples/crowdpose/'
ann_file = 'test_crowdpose.json'
codec = dict(_base_.codec, input_size=(256, 256), heatmap_size=(64, 64), min_area=0)
model = dict(head=dict(decoder=codec), test_cfg=dict(flip_test=False))

# Training and testing see the same picture: the whole of it, centred, black around it.
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomCropAffine', input_size=codec['input_size'], scale_type='long', shift_prob=0,
         scale_prob=0, rotate_prob=0),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='ValidHeatmapMask'),
    dict(type='PackPoseInputs'),
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='BottomupResize', input_size=codec['input_size'], size_factor=64,
         resize_mode='fit'),
    _base_.test_pipeline[2],
]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(
        _delete_=True, type='CrowdPoseDataset', data_root=data_root, data_mode='bottomup',
        ann_file=ann_file, data_prefix=dict(img=''), pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, ann_file=ann_file, data_prefix=dict(img=''),
                 pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + ann_file)
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop', max_iters=600, val_interval=600)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-3))
param_scheduler = dict(type='CosineAnnealingLR', eta_min=1e-5, end=600, by_epoch=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=200),
                     logger=dict(interval=100))
log_processor = dict(by_epoch=False)
