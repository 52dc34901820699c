# OCHuman, protocol A: COCO's keypoints, trained on OCHuman val, evaluated on OCHuman test.
_base_ = ['./coco.py', './ochuman_data.py']
from pinet_mm.datasets import pipelines

layout = dict(_base_.layout, metainfo='configs/_base_/datasets/ochuman.py')
codec = dict(_base_.codec, layout=layout)
refinement = dict(num_layers=3)
train_pipeline = pipelines.train(codec)

data_root = _base_.ochuman_val.data_root
train_dataloader = dict(
    batch_size=10,
    dataset=dict(_base_.ochuman_val, _delete_=True, data_mode='bottomup', pipeline=train_pipeline),
)
val_dataloader = dict(dataset=_base_.ochuman_test)
test_dataloader = val_dataloader
# 2 GPUs × 10 images; `--auto-scale-lr` adapts the learning rate to another batch.
auto_scale_lr = dict(base_batch_size=20)

val_evaluator = _base_.ochuman_test_truth
test_evaluator = val_evaluator
