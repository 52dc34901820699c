# OCHuman, protocol B: PINet trained on COCO, validated on OCHuman val, evaluated on OCHuman test.
# The README, "Data", has the options with which tools/test.py takes val.
_base_ = ['./pinet_hrnet_coco.py', '_base_/ochuman_data.py']

val_dataloader = dict(dataset=_base_.ochuman_val)
test_dataloader = dict(dataset=_base_.ochuman_test)
val_evaluator = _base_.ochuman_val_truth
test_evaluator = _base_.ochuman_test_truth
