# CrowdSynth at 128×128: COCO's 17 keypoints of two to four large people, crowd index uniform in
# [0, 1]. Training images are drawn when they are asked for; those held out, val and test, are
# written once, in the same settings:
#   python tools/make_crowdsynth.py data/crowdsynth_128 --split test --images 500 --size 128 128
#       --persons 2 4 --height 0.7 1.0
# `min_area` is 0: some of these people are smaller than COCO's 32².
_base_ = ['./coco.py']
from pinet_mm.datasets import pipelines

codec = dict(_base_.codec, input_size=(128, 128), heatmap_size=(32, 32), min_area=0)
refinement = dict(num_layers=1)
# No image is seen twice, in poses, places, sizes and light of its own: nothing to augment.
augmentation = dict(scale_factor=(1.0, 1.0), shift_factor=0.0, rotate_factor=0.0)
train_pipeline = pipelines.train(codec, **augmentation)
test_pipeline = pipelines.test(codec)

data_root = 'data/crowdsynth_128/'
val_files = dict(ann_file='annotations/val.json', data_prefix=dict(img='images/val/'))
test_files = dict(ann_file='annotations/test.json', data_prefix=dict(img='images/test/'))
held_out = dict(type='CocoDataset', data_root=data_root, pipeline=test_pipeline)
# On two cores a worker costs the training more than it saves.
loader = dict(batch_size=16, num_workers=0, persistent_workers=False)

train_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler'),
    dataset=dict(
        _delete_=True,
        type='CrowdSynthDataset',
        length=4000,
        settings=dict(size=(128, 128), persons=(2, 4), height=(0.7, 1.0)),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(**loader, dataset=dict(**held_out, **val_files))
test_dataloader = dict(**loader, dataset=dict(**held_out, **test_files))
auto_scale_lr = dict(base_batch_size=16)

# CrowdPose's evaluation adds AP by crowd index. Its code counts easy below 0.2, medium to 0.8 and
# hard above, where the paper says 0.1 for 0.2.
val_evaluator = dict(iou_type='keypoints_crowd', ann_file=data_root + 'annotations/val.json')
test_evaluator = dict(iou_type='keypoints_crowd', ann_file=data_root + 'annotations/test.json')
