# CrowdSynth at 512×512: two to ten persons of 0.2 to 0.6 of the picture's height, crowd index
# uniform in [0, 1]. Held-out pictures, val and test:
#   python tools/make_crowdsynth.py data/crowdsynth_512 --split test --images 1000 --size 512 512
#       --persons 2 10 --height 0.2 0.6
_base_ = ['./crowdsynth.py']

input_size = (512, 512)
codec = dict(_base_.codec, input_size=input_size, heatmap_size=(128, 128))

train_pipeline = _base_.train_pipeline
train_pipeline[1]['input_size'] = input_size
train_pipeline[3]['encoder'] = codec
test_pipeline = _base_.test_pipeline
test_pipeline[1]['input_size'] = input_size

data_root = 'data/crowdsynth_512/'
train_dataloader = dict(
    batch_size=20,
    num_workers=8,
    persistent_workers=True,
    dataset=dict(
        length=10000,
        settings=dict(size=input_size, persons=(2, 10), height=(0.2, 0.6)),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)

val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = dict(ann_file=data_root + 'annotations/test.json')
