# The network: HRNet-W32, all four branches at stride 4, PPG's branches and the pose refinement.
# A leaf adds `decoder` (the dataset's codec) and the number of refinement layers.
model = dict(
    type='PINet',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='HRNet',
        in_channels=3,
        extra=dict(
            stage1=dict(
                num_modules=1,
                num_branches=1,
                block='BOTTLENECK',
                num_blocks=(4,),
                num_channels=(64,),
            ),
            stage2=dict(
                num_modules=1,
                num_branches=2,
                block='BASIC',
                num_blocks=(4, 4),
                num_channels=(32, 64),
            ),
            stage3=dict(
                num_modules=4,
                num_branches=3,
                block='BASIC',
                num_blocks=(4, 4, 4),
                num_channels=(32, 64, 128),
            ),
            stage4=dict(
                num_modules=3,
                num_branches=4,
                block='BASIC',
                num_blocks=(4, 4, 4, 4),
                num_channels=(32, 64, 128, 256),
                multiscale_output=True,
            ),
        ),  # all branches go on, not only the finest
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmpose/pretrain_models/'
            'hrnet_w32-36af842e.pth',
        ),
    ),
    neck=dict(type='FeatureMapProcessor', concat=True),
    head=dict(
        type='PINetHead',
        in_channels=480,  # 15 × the width of the finest branch
        refinement=dict(type='PoseRefinement', num_layers=3),
    ),
    test_cfg=dict(flip_test=True, part_thr=0.01, max_per_part=30, oks_thr=0.7, use_fusion=True),
)
