# What every run has in common. The train, val and test loops stand in the dataset's base.

# Registers PINet's classes and repairs MMPose for today's torch, whichever tool reads this config.
custom_imports = dict(imports=['pinet_mm'])
default_scope = 'mmpose'

# MMPoseInferencer asks here, not in the dataset, whether a model takes whole images or boxes.
data_mode = 'bottomup'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The oldest checkpoint is removed before the newest is written: with fewer than two, a run that
    # is killed while it saves has nothing left to resume from. save_best stands beside the metric.
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Switched on by --show and --show-dir. Scores are products of two, so that 0.3, the hook's
    # default, would hide most keypoints.
    visualization=dict(type='PoseVisualizationHook', enable=False, kpt_thr=0.05),
)

# DDP does not broadcast buffers at every step (tools), so that the processes' BatchNorm statistics
# drift apart: they are averaged at the end of an epoch and before a validation.
# In MMPose's own tools, data are compared with the model's layout too.
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='LayoutGuard')]

env_cfg = dict(
    # Crops of one size are training's only input, but test sizes differ from image to image,
    # and cuDNN would time its algorithms anew for each.
    cudnn_benchmark=False,
    # No OpenCV threads: the data workers are processes already.
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # The tools switch to gloo on a machine without CUDA.
    dist_cfg=dict(backend='nccl'),
)

# A fixed seed gives a resumed run the order of images that the interrupted one had.
randomness = dict(seed=0)

vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='CrowdVisualizer', vis_backends=vis_backends, name='visualizer')

log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True, num_digits=6)
log_level = 'INFO'

load_from = None
resume = False

# Where the datasets read images and annotations from.
backend_args = dict(backend='local')
