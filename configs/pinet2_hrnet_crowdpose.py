# PINet-2, HRNet-W32, 512×512, CrowdPose.
_base_ = ['pinet_hrnet_crowdpose.py', '_base_/pinet2.py']

model = dict(head=_base_.pinet2)
