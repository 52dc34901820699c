# PINet, HRNet-W48, 512×512, OCHuman (val to train, test to test).
# By the rules of the official implementation, whose checkpoints fit.
_base_ = ['_base_/schedule_140e.py', '_base_/pinet_hrnet-w48.py', '_base_/ochuman_release.py']

model = dict(head=dict(decoder=_base_.codec, refinement=_base_.refinement))
