# The ablation with codec and head by the convention of the official implementation. Its pipelines
# take the images of the other variants as these do, by the paper's: one thing is varied.
_base_ = ['./pinet_hrnet-slim_ablation.py']

codec = dict(_base_.codec, convention='release')
train_pipeline = [
    dict(step, encoder=codec) if step.type == 'GenerateTarget' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(head=dict(decoder=codec))
