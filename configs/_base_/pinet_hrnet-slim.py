# A network that trains on two CPU cores: HRNet of width 16 with one module and two blocks a stage.
_base_ = ['./pinet_hrnet-w32.py']

model = dict(
    backbone=dict(
        extra=dict(
            stage1=dict(num_blocks=(2,)),
            stage2=dict(num_blocks=(2, 2), num_channels=(16, 32)),
            stage3=dict(num_modules=1, num_blocks=(2, 2, 2), num_channels=(16, 32, 64)),
            stage4=dict(num_modules=1, num_blocks=(2, 2, 2, 2), num_channels=(16, 32, 64, 128)),
        ),
        init_cfg=None,
    ),
    head=dict(in_channels=240, refinement=dict(num_layers=1)),
)
