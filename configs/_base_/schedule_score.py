# One epoch of a score alone: poses are kept, and each step draws from all that were seen.
_base_ = ['./runtime.py']

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.3), clip_grad=dict(max_norm=1.0)
)
train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-5, end=1, by_epoch=True, convert_to_iter_based=True),
]
