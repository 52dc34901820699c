# PINet with HRNet-W32 on the synthetic crowd, 512×512, drawn on the fly, for a GPU. --amp trains in
# bfloat16 with `--cfg-options optim_wrapper.dtype=bfloat16`.
_base_ = ['_base_/runtime.py', '_base_/pinet_hrnet-w32.py', '_base_/crowdsynth_512.py']

model = dict(head=dict(decoder=_base_.codec, refinement=_base_.refinement))

train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=10)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=500, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, end=60, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(save_best='auto', rule='greater'))
