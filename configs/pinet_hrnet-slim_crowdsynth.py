# PINet with a slim HRNet on the synthetic crowd, 128×128: 80 000 images drawn on the fly, 98
# minutes on one CPU core. Run it with --amp, which trains in bfloat16 where the CPU has it.
_base_ = ['_base_/runtime.py', '_base_/pinet_hrnet-slim.py', '_base_/crowdsynth.py']

# A person's pixels propose nearly the same pose: 12 per part train the refinement nearly as well as
# 40, at less than half the cost.
sampler = dict(type='ProposalSampler', max_train_per_part=12)
model = dict(head=dict(decoder=_base_.codec, sampler=sampler, refinement=_base_.refinement))

train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=10)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, end=20, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(save_best='auto', rule='greater'))
