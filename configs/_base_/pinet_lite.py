# A light network: EfficientNet-Lite1 with ImageNet weights and its batch norms held, and a neck of
# separable convolutions that ends at stride 4. A leaf adds `decoder` (the dataset's codec).
model = dict(
    type='PINet',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        # The ImageNet weights were trained with (RGB - 127) / 128.
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='TimmBackbone',
        model_name='tf_efficientnet_lite1',
        out_indices=(1, 2, 3, 4),
        drop_path_rate=0.1,
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='timm'),
    ),
    neck=dict(type='SeparableFPN', in_channels=(24, 40, 112, 320), out_channels=128),
    head=dict(
        type='PINetHead', in_channels=128, refinement=dict(type='PoseRefinement', num_layers=2)
    ),
    test_cfg=dict(flip_test=True, part_thr=0.01, max_per_part=30, oks_thr=0.7, use_fusion=True),
)
