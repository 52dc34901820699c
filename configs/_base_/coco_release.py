# COCO by the rules of the official implementation: codec and head by its convention, images and
# annotations by its pipelines.
_base_ = ['./coco.py']
from pinet_mm.datasets import pipelines

codec = dict(_base_.codec, convention='release')
train_pipeline = pipelines.train(codec, ignored_regions=True)
test_pipeline = pipelines.test(codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
