# Photographs of several sources in one annotation file, whose image records name their source
# (COCO, MPII, Leeds Sports Pose Extended), and drawn crowds; docs/model_card.md says which images
# the shipped weights saw. Drawn crowds:
#   python tools/make_crowdsynth.py data/photos_drawn --split train --images 2400 --size 128 128
#       --persons 2 4 --height 0.7 1.0
# Crops are 256×256; whole images are resized to a short side of 512, at which a person covers as
# many pixels as in a crop of half the short side: more people are found than at 320
# (docs/model_card.md). `min_area` is 0: the people of photographs of this size are often smaller
# than COCO's 32².
_base_ = ['./coco.py']
from pinet_mm.datasets import pipelines

test_size = (512, 512)
# Half the size finds people who fill the image; poses of two sizes agree less, so that a lower OKS
# makes them one person.
two_scales = dict(scale_factors=(1, 0.5), oks_thr=0.5)
codec = dict(_base_.codec, input_size=(256, 256), heatmap_size=(64, 64), min_area=0)
# Each member of the training set takes crops of its own; nothing else of an image's record is
# needed, and less travels between processes.
load = pipelines.load(codec)
colors = dict(type='YOLOXHSVRandomAug', hue_delta=10, saturation_delta=60, value_delta=60)
train_pipeline = pipelines.targets(codec, meta_keys=('img_id', 'img_path'))
test_pipeline = pipelines.test(codec, test_size)

data_root = 'data/photos/'
# All sources share one category of 17 keypoints, but MPII and LSPET label no face.
body = [
    'left_shoulder',
    'right_shoulder',
    'left_elbow',
    'right_elbow',
    'left_wrist',
    'right_wrist',
    'left_hip',
    'right_hip',
    'left_knee',
    'right_knee',
    'left_ankle',
    'right_ankle',
]
photos = dict(
    type='LabeledCocoDataset',
    data_root=data_root,
    ann_file='train.json',
    data_prefix=dict(img='images/'),
    labeled_keypoints=dict(field='source', mpii=body, lspet=body),
    pipeline=[load, colors, pipelines.crop(codec, scale_factor=(0.45, 1.1), shift_factor=0.35)],
)
drawn = dict(
    type='CocoDataset',
    data_mode='bottomup',
    data_root='data/photos_drawn/',
    ann_file='annotations/train.json',
    data_prefix=dict(img='images/train/'),
    pipeline=[load, colors, pipelines.crop(codec, scale_factor=(0.8, 1.25))],
)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=dict(from_file=_base_.layout.metainfo),
        # An epoch is 20 000 images: COCO 45 %, MPII 24 %, LSPET 12 %, drawn crowds 19 %.
        sample_ratio_factor=[18, 1, 3.6, 0.5, 1.6],
        datasets=[
            dict(photos, where=dict(source='coco')),
            dict(photos, where=dict(source='coco'), min_keypoints=0),  # also images of nobody
            dict(photos, where=dict(source='mpii')),
            dict(photos, where=dict(source='lspet')),
            drawn,
        ],
        pipeline=train_pipeline,
    ),
)
auto_scale_lr = dict(base_batch_size=16)

val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'val.json')
test_evaluator = val_evaluator
