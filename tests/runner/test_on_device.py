"""Training on crops and targets that the device makes: what a batch holds, and whole runs."""

import json

import pinet_mm  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from pinet_mm.checkpoints import read_checkpoint
from pinet_mm.datasets import pipelines
from pinet_mm.runner import on_device, settings
from pinet_mm.runner.on_device import DeviceLoader

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import DATASETS

from tests.helpers.merged import person, write
from tests.helpers.toys import (
    FIVE,
    build_codec,
    build_in_mmpose,
    codec_config,
    five_metainfo,
    model_config,
)

POINTS = [(20 * i + 16, 10 * i + 30, 2) for i in range(5)]
CODEC = codec_config()


@pytest.fixture
def folder(tmp_path):
    """Three images, of 64·number gray, with a person each; the source of the last labels hands."""
    write(
        tmp_path,
        [person(number, number, *POINTS) for number in (1, 2, 3)],
        list(FIVE),
        sources=('a', 'a', 'b'),
    )
    for number in (1, 2, 3):
        cv2.imwrite(f'{tmp_path}/{number}.jpg', np.full((128, 128, 3), 64 * number, np.uint8))
    return tmp_path


def member(folder, source, steps):
    return dict(
        type='LabeledCocoDataset',
        ann_file=f'{folder}/merged.json',
        metainfo=five_metainfo(),
        data_prefix=dict(img=f'{folder}/'),
        where=dict(source=source),
        labeled_keypoints=dict(field='source', b=['left_hand', 'right_hand']),
        pipeline=steps,
    )


def combined(folder, ratio=None, codec=CODEC):
    load, crop = pipelines.load(codec), pipelines.crop(codec)
    return dict(
        type='CombinedDataset',
        metainfo=five_metainfo(),
        datasets=[member(folder, 'a', [load, crop]), member(folder, 'b', [load, crop])],
        pipeline=pipelines.targets(codec),
        sample_ratio_factor=ratio,
    )


def loader(setting, batch=2):
    dataset = build_in_mmpose(DATASETS, setting)
    return DeviceLoader(dataset, batch, build_codec(), torch.device('cpu'))


def test_an_epoch_takes_members_by_their_ratio(folder):
    torch.manual_seed(0)
    batches = loader(combined(folder, ratio=[1.5, 4]))
    assert len(batches) == 3  # 3 + 4 images per epoch, 2 per batch
    counts = torch.zeros(3, dtype=torch.long)
    for _ in range(100):
        counts += torch.bincount(batches._rows(), minlength=3)
    assert counts.sum() == 700 and counts[2] == 400
    assert 120 <= counts[0] <= 180


def test_a_batch_shows_the_images_and_teaches_what_their_source_labels(folder):
    torch.manual_seed(0)
    batches = loader(combined(folder))
    inputs, targets = batches.batch(torch.tensor([0, 1, 2]))
    assert inputs.shape == (3, 3, 128, 128)
    assert [round(float(image.max()) / 64) for image in inputs] == [1, 2, 3]
    assert targets.heatmaps.shape == (3, 8, 32, 32) and targets.heatmap_mask.shape == (3, 1, 32, 32)
    on = targets.heatmap_weights.flatten(2).amax(dim=2) > 0
    # Keypoints 1 and 2 are hands, part 1 of the toys consists of them.
    assert on.tolist() == [[True] * 8] * 2 + [[False, True, True, False, False, False, True, False]]
    inside = (targets.heatmap_mask[:, 0] > 0).sum(dim=(1, 2))
    shown = (inputs[:, 0, ::4, ::4] > 0).sum(dim=(1, 2))
    assert (inside - shown).abs().max() <= 32  # the crop's margin is neither


def test_one_dataset_of_its_own_trains_as_well(folder):
    steps = pipelines.train(CODEC)
    batches = loader(member(folder, 'a', steps))
    assert len(batches) == 1 and [len(each) for each in next(iter(batches))[:1]] == [2]


def test_other_steps_and_too_few_images_are_refused(folder):
    with pytest.raises(ValueError, match='a batch of 4 needs as many images; found 3'):
        loader(combined(folder), batch=4)
    broken = combined(folder)
    del broken['pipeline'][2]
    with pytest.raises(
        ValueError, match=r"ends in .*found \['RandomInputFlip', 'GenerateTarget', "
    ):
        loader(broken)


def config(folder, tmp_path):
    return Config(
        dict(
            default_scope='mmpose',
            model=model_config(),
            work_dir=f'{tmp_path}/work',
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=combined(folder, ratio=[1, 2]),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
            optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-3)),
            randomness=dict(seed=5),
            default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        )
    )


def test_a_run_trains_and_writes_its_checkpoint(folder, tmp_path):
    weights = []
    for _ in range(2):
        cfg = config(folder, tmp_path)
        settings.train_on_device(cfg)
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert isinstance(runner.train_loop, on_device.DeviceTrainLoop)
        assert runner.iter == 4  # 4 images per epoch, 2 per batch
        weights.append(read_checkpoint(f'{tmp_path}/work/epoch_2.pth').weights)
    name = 'head.offset_branch.weight'
    assert weights[0][name].abs().sum() > 0
    torch.testing.assert_close(*weights)  # of one seed
    logs = next((tmp_path / 'work').glob('*/vis_data/scalars.json')).read_text().splitlines()
    assert {'loss_heatmap', 'loss_offset', 'loss_refine'} <= set(json.loads(logs[0]))


def test_a_run_that_goes_on_inside_an_epoch_counts_each_iteration_once(folder, tmp_path):
    for resumed in (False, True):
        cfg = config(folder, tmp_path)
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=1)
        if resumed:  # after the first of two iterations of the second epoch
            cfg.update(resume=True, load_from=f'{tmp_path}/work/iter_3.pth')
        settings.train_on_device(cfg)
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert (runner.epoch, runner.iter) == (2, 4)


def test_several_processes_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(on_device, 'get_world_size', lambda: 2)
    with pytest.raises(ValueError, match='trains in one process; found a run of 2'):
        on_device.DeviceTrainLoop(None, {}, 1)
