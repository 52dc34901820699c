# COCO for a light network: crops of 320×320, whole images resized to a short side of 320.
_base_ = ['./coco.py']
from pinet_mm.datasets import pipelines

codec = dict(_base_.codec, input_size=(320, 320), heatmap_size=(80, 80), min_area=0)
train_pipeline = pipelines.train(codec)
test_pipeline = pipelines.test(codec)
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=32)
