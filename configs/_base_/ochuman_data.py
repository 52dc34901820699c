# The two splits of OCHuman. Protocol A trains on val, protocol B validates on it.
ochuman_val = dict(
    type='OCHumanDataset',
    data_root='data/ochuman/',
    ann_file='annotations/ochuman_coco_format_val_range_0.00_1.00.json',
    data_prefix=dict(img='images/'),
)
ochuman_test = dict(
    ochuman_val, ann_file='annotations/ochuman_coco_format_test_range_0.00_1.00.json'
)
ochuman_val_truth = dict(ann_file=ochuman_val['data_root'] + ochuman_val['ann_file'])
ochuman_test_truth = dict(ann_file=ochuman_test['data_root'] + ochuman_test['ann_file'])
