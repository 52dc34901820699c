# PINet, HRNet-W48, 512×512, COCO.
_base_ = ['_base_/schedule_140e.py', '_base_/pinet_hrnet-w48.py', '_base_/coco.py']

model = dict(head=dict(decoder=_base_.codec, refinement=_base_.refinement))
