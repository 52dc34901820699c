# AdamW with a slower backbone, whose ImageNet weights are good already, and averaged weights. A
# leaf adds the epochs and the schedule of the learning rate.
_base_ = ['./runtime.py']

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys={'backbone': dict(lr_mult=0.25)}, norm_decay_mult=0, bias_decay_mult=0
    ),
    clip_grad=dict(max_norm=1.0),
)
default_hooks = dict(checkpoint=dict(save_best='auto', rule='greater'))
custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='LayoutGuard'),
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=5e-4, update_buffers=True),
    dict(type='CompiledDepthwiseHook'),  # on a CPU, a step takes two thirds of the time
]
