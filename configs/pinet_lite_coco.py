# Light PINet on COCO train2017, for whoever has it: a recipe that this project has not run.
_base_ = ['_base_/schedule_lite.py', '_base_/pinet_lite.py', '_base_/coco_320.py']

model = dict(head=dict(decoder=_base_.codec, refinement=_base_.refinement))

train_cfg = dict(by_epoch=True, max_epochs=140, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=500, by_epoch=False),
    dict(
        type='CosineAnnealingLR', eta_min=1e-5, end=140, by_epoch=True, convert_to_iter_based=True
    ),
]
