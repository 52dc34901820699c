# What `tools/ablation.py` varies: a slim HRNet on drawn crowds of two to six people, a third to
# nearly the whole of the image tall. Every variant starts from one backbone, trained first on
# keypoint heatmaps alone.
_base_ = ['_base_/runtime.py', '_base_/pinet_hrnet-slim.py', '_base_/crowdsynth.py']

sampler = dict(type='ProposalSampler', max_train_per_part=12)
model = dict(head=dict(decoder=_base_.codec, sampler=sampler, refinement=_base_.refinement))

people = dict(persons=(2, 6), height=(0.35, 0.86))
train_dataloader = dict(batch_size=8, dataset=dict(settings=people))
train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=3)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, end=3, by_epoch=True, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=8)
