# The paper's recipe for CrowdPose.
_base_ = ['./schedule_140e.py']

train_cfg = dict(max_epochs=300)
param_scheduler = dict(milestones=[200, 260])
