"""A slim PINet that is overfitted to a few real images: 256×256, bf16, no augmentation.

    PINET_TEST_DATA=... python tests/helpers/overfit.py crowdpose work_dirs/overfit.py

writes a config for `tools/train.py CONFIG --amp` and `tools/test.py`. The images and
annotations are read from `$PINET_TEST_DATA/samples/DATASET/`.
"""

import os
import sys
from pathlib import Path

from pinet_mm.datasets import pipelines

from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_'


def overfit_config(dataset: str, iterations: int = 600) -> Config:
    """Make the config; the area limit is 0 and training and evaluation see the same images."""
    data_root = f'{os.environ["PINET_TEST_DATA"]}/samples/{dataset}/'
    cfg = Config(dict())
    for base in ('runtime', 'pinet_hrnet-slim', dataset):
        cfg.merge_from_dict(Config.fromfile(CONFIGS / f'{base}.py').to_dict())
    cfg.codec.update(input_size=(256, 256), heatmap_size=(64, 64), min_area=0)
    cfg.model.head.decoder = cfg.codec
    cfg.model.test_cfg.flip_test = False
    # The whole image, centered, black around it.
    whole = dict(
        type='RandomCropAffine',
        input_size=(256, 256),
        scale_type='long',
        shift_prob=0,
        scale_prob=0,
        rotate_prob=0,
    )
    fit = dict(type='BottomupResize', input_size=(256, 256), size_factor=64, resize_mode='fit')
    training = [step for step in pipelines.targets(cfg.codec) if step['type'] != 'RandomInputFlip']
    inference = [fit if step['type'] == fit['type'] else step for step in pipelines.test(cfg.codec)]
    cfg.train_dataloader.update(
        num_workers=0, persistent_workers=False, sampler=dict(type='InfiniteSampler')
    )
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    for loader, pipeline in (
        (cfg.train_dataloader, [pipelines.load(cfg.codec), whole, *training]),
        (cfg.val_dataloader, inference),
    ):
        loader.dataset.update(
            data_root=data_root,
            ann_file=f'test_{dataset}.json',
            data_prefix=dict(img=''),
            pipeline=pipeline,
        )
        loader.dataset.pop('min_keypoints', None)
    cfg.train_dataloader.dataset.type = cfg.val_dataloader.dataset.type
    cfg.train_dataloader.batch_size = dict(crowdpose=2, ochuman=3, coco=4)[dataset]
    cfg.val_evaluator.ann_file = f'{data_root}test_{dataset}.json'
    cfg.update(test_dataloader=cfg.val_dataloader, test_evaluator=cfg.val_evaluator)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations)
    cfg.optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-3))
    cfg.param_scheduler = dict(
        type='CosineAnnealingLR', eta_min=1e-5, end=iterations, by_epoch=False
    )
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=200)
    cfg.log_processor.by_epoch = False
    return cfg


if __name__ == '__main__':
    overfit_config(sys.argv[1]).dump(sys.argv[2])
