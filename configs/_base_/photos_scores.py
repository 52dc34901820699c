# Photographs for training a score, docs/pinet2.md: crops as large as whole images are in an
# evaluation, people at about the same scale, of COCO alone, since the other sources do not label
# all keypoints. The score, which is no mean of keypoint scores, ranks people.
_base_ = ['./photos.py']
from pinet_mm.datasets import pipelines

codec = pipelines.of_size(_base_.codec, _base_.test_size)
crop = pipelines.crop(codec, scale_factor=(0.4, 1.35), shift_factor=0.15, rotate_factor=20)
# 'area' is what OKS needs beside keypoints.
train_pipeline = pipelines.targets(codec, meta_keys=('img_id', 'img_path', 'area'))
coco = dict(_base_.photos, where=dict(source='coco'), pipeline=[_base_.load, _base_.colors, crop])
train_dataloader = dict(
    batch_size=1,
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=dict(from_file=_base_.layout.metainfo),
        # 450 images of people and as many of nobody: an epoch is 976 images, a sixth of nobody.
        sample_ratio_factor=[1.4, 0.36],
        datasets=[coco, dict(coco, min_keypoints=0)],
        pipeline=train_pipeline,
    ),
)
auto_scale_lr = dict(base_batch_size=1)
val_evaluator = dict(score_mode='bbox')
test_evaluator = val_evaluator
