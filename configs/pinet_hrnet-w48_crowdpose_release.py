# PINet, HRNet-W48, 512×512, CrowdPose; by the rules of the authors' release, whose checkpoints fit.
_base_ = ['_base_/runtime.py', '_base_/pinet_hrnet-w48.py', '_base_/crowdpose_release.py']

model = dict(head=dict(decoder=_base_.codec, refinement=dict(num_layers=3)))

train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=10)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = dict(type='MultiStepLR', milestones=[200, 260], gamma=0.1, by_epoch=True)
# 2 GPUs × 20 pictures; `--auto-scale-lr` adapts the learning rate to another batch.
auto_scale_lr = dict(base_batch_size=40)
default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))
