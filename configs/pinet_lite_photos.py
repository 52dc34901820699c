# Light PINet on photographs: the model that the package ships. docs/model_card.md has the commands
# that its weights came from. --amp trains in bfloat16.
_base_ = ['_base_/schedule_lite.py', '_base_/pinet_lite.py', '_base_/photos.py']

# A person's pixels propose nearly the same pose: 20 per part do for the refinement. Heatmaps count
# four times as much as in the paper.
head = dict(
    decoder=_base_.codec,
    refinement=_base_.refinement,
    sampler=dict(type='ProposalSampler', max_train_per_part=20),
    heatmap_loss=dict(type='KeypointMSELoss', use_target_weight=True, loss_weight=4.0),
)
model = dict(head=head, test_cfg=_base_.two_scales)

train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=1)
fall = dict(end_factor=0.01, begin=7, end=10, by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=200, by_epoch=False),
    dict(type='LinearLR', start_factor=1, **fall),
]
