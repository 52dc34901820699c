# PINet with a slim HRNet on a small synthetic crowd, 128×128: minutes of training on two CPU cores,
# for `make demo-train`.
_base_ = ['_base_/runtime.py', '_base_/pinet_hrnet-slim.py', '_base_/crowdsynth_demo.py']

# A person's pixels propose nearly the same pose: 12 a part train the refinement nearly as well as
# 40, at less than half the cost.
model = dict(
    head=dict(decoder=_base_.codec, sampler=dict(type='ProposalSampler', max_train_per_part=12))
)

train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=4)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=100, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        eta_min=2e-5,
        begin=0,
        end=4,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))
