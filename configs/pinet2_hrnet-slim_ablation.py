# PINet-2 in the budget of the ablation.
_base_ = ['pinet_hrnet-slim_ablation.py', '_base_/pinet2.py']

model = dict(head=_base_.pinet2)
