# The paper's recipe for COCO and OCHuman.
_base_ = ['./runtime.py']

train_cfg = dict(by_epoch=True, max_epochs=140, val_interval=10)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = dict(type='MultiStepLR', milestones=[90, 120], gamma=0.1, by_epoch=True)
default_hooks = dict(checkpoint=dict(save_best='auto', rule='greater'))
