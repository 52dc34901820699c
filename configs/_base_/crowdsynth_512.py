# CrowdSynth at 512×512: two to ten people of 0.2 to 0.6 of the image's height, crowd index uniform
# in [0, 1]. Held-out images, val and test:
#   python tools/make_crowdsynth.py data/crowdsynth_512 --split test --images 1000 --size 512 512
#       --persons 2 10 --height 0.2 0.6
_base_ = ['./crowdsynth.py']
from pinet_mm.datasets import pipelines

codec = dict(_base_.codec, input_size=(512, 512), heatmap_size=(128, 128))
refinement = dict(num_layers=3)
train_pipeline = pipelines.train(codec, **_base_.augmentation)
test_pipeline = pipelines.test(codec)

data_root = 'data/crowdsynth_512/'
held_out = dict(data_root=data_root, pipeline=test_pipeline)
loader = dict(batch_size=8, num_workers=4, persistent_workers=True)

train_dataloader = dict(
    batch_size=20,
    num_workers=8,
    persistent_workers=True,
    dataset=dict(
        length=10000,
        settings=dict(size=(512, 512), persons=(2, 10), height=(0.2, 0.6)),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(**loader, dataset=held_out)
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=40)

val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = dict(ann_file=data_root + 'annotations/test.json')
