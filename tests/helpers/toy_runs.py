"""A toy model that trains in milliseconds, its config, and what trains it in this process."""

import importlib
import itertools
from pathlib import Path

import pinet_mm  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from pinet_mm import runner
from pinet_mm.checkpoints import read_checkpoint

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, BaseModule
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn

ROOT = Path(__file__).parents[2]
# Nothing listens on port 9: the connection is refused at once, with or without a network.
NOWHERE = 'https://127.0.0.1:9/hrnet_w32.pth'
SAMPLES, BATCH = 12, 2


class Killed(BaseException):
    """What stands for a kill: nothing in mmengine catches it."""


@MODELS.register_module()
class ToyBackbone(BaseModule):
    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.linear = nn.Linear(3, 4)
        nn.init.constant_(self.linear.weight, 0.1)

    def forward(self, x):
        return self.linear(x)


@MODELS.register_module()
class Toy(BaseModel):
    kill_at = None  # number of the forward pass in training that is killed

    def __init__(self, backbone, wide=False):
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.head = nn.Linear(4, 2 if wide else 1)
        nn.init.constant_(self.head.weight, 0.2)
        self.idle = nn.BatchNorm1d(1, affine=False)  # buffers for SyncBuffersHook to average
        self.passes, self.dtype = 0, None

    def forward(self, x, y, mode='tensor'):
        output = self.head(self.backbone(x))
        self.dtype = output.dtype
        if mode == 'predict':
            return [dict(error=error.item()) for error in (output.float() - y).abs().sum(1)]
        self.passes += 1
        if self.passes == Toy.kill_at:
            raise Killed
        return dict(loss=(output.float() - y).square().mean())


@DATASETS.register_module()
class ToyDataset(torch.utils.data.Dataset):
    metainfo = dict(dataset_name='toy')

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        x = torch.tensor([1.0, index / SAMPLES, (index % 5) / 5])
        return dict(x=x, y=x.sum()[None])


@METRICS.register_module()
class ToyMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(sample['error'] for sample in data_samples)

    def compute_metrics(self, results):
        return dict(mean=sum(results) / len(results), count=len(results))


CONFIG = f"""
_base_ = [{str(ROOT / 'configs/_base_/runtime.py')!r}]
custom_imports = dict(imports=['pinet_mm', 'tests.helpers.toy_runs'])
model = dict(type='Toy', backbone=dict(type='ToyBackbone'))
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.01))
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[11, 15], gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=3)
val_cfg = dict()
test_cfg = dict()
train_dataloader = dict(
    batch_size={BATCH}, num_workers=0, collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'), sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size={BATCH}, num_workers=0, collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'), sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='ToyMetric')
test_evaluator = val_evaluator
"""

PRETRAINED = f"""
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='{NOWHERE}')))
"""

numbers = itertools.count()


def write_config(folder, extra=''):
    # mmengine shares logs between runs of one name that start in the same second.
    path = folder / f'toy_{next(numbers)}.py'
    (folder / 'base.py').write_text(CONFIG)
    path.write_text(f"_base_ = ['base.py']\n{extra}")
    return str(path)


def parse(tool, *words):
    """The options that `tools/train.py` or `tools/test.py` makes of these words."""
    kind = dict(train=runner.TrainOptions, test=runner.TestOptions)[tool]
    parser = importlib.import_module(f'pinet_mm.cli.{tool}').make_parser()
    return kind(**vars(parser.parse_args([str(word) for word in words])))


def train(folder, *options, extra=''):
    runner.train(parse('train', write_config(folder, extra), '--work-dir', folder, *options))


def weights(path):
    return read_checkpoint(path).weights
