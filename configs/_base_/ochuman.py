# OCHuman, protocol A: COCO's keypoints, trained on OCHuman val, evaluated on OCHuman test.
_base_ = ['./coco.py']

layout = dict(_base_.layout, metainfo='configs/_base_/datasets/ochuman.py')
codec = dict(_base_.codec, layout=layout)
train_pipeline = _base_.train_pipeline
train_pipeline[3]['encoder'] = codec

data_root = 'data/ochuman/'
train_dataloader = dict(
    batch_size=10,
    dataset=dict(
        _delete_=True,
        type='OCHumanDataset',
        data_mode='bottomup',
        data_root=data_root,
        ann_file='annotations/ochuman_coco_format_val_range_0.00_1.00.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='OCHumanDataset',
        data_root=data_root,
        ann_file='annotations/ochuman_coco_format_test_range_0.00_1.00.json',
        data_prefix=dict(img='images/'),
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(
    ann_file=data_root + 'annotations/ochuman_coco_format_test_range_0.00_1.00.json'
)
test_evaluator = val_evaluator
