# OCHuman, protocol B: PINet trained on COCO, validated on OCHuman val, tested on OCHuman test.
# The README, "Data", has the options with which tools/test.py takes val.
_base_ = ['./pinet_hrnet_coco.py']

root = 'data/ochuman/'
val = 'annotations/ochuman_coco_format_val_range_0.00_1.00.json'
test = 'annotations/ochuman_coco_format_test_range_0.00_1.00.json'

dataset = dict(type='OCHumanDataset', data_root=root, data_prefix=dict(img='images/'))
val_dataloader = dict(dataset=dict(dataset, ann_file=val))
test_dataloader = dict(dataset=dict(dataset, ann_file=test))
val_evaluator = dict(ann_file=root + val)
test_evaluator = dict(ann_file=root + test)
