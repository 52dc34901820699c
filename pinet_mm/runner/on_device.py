"""A training loop whose images, crops and targets stay on the device that trains."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.registry import LOOPS
from mmengine.runner import Runner
from mmpose.registry import DATASETS
from torch import Tensor

from ..datasets.crop_rules import read_rules
from ..datasets.device_images import DeviceImages
from ..errors import InputError
from ..models.batch_encoding import encode_batch
from ..models.codec import PINetCodec
from ..models.losses import Targets
from .training import ResumableEpochLoop

STEPS = ('RandomInputFlip', 'GenerateTarget', 'ValidHeatmapMask', 'PackPoseInputs')


class DeviceLoader:
    """Crops and targets of a dataset, batch by batch, made on a device.

    Args:
        dataset: a dataset, or MMPose's `CombinedDataset` of several. The pipeline that all share
            ends in the steps of `pipelines.targets`; what comes before is read by
            `crop_rules.read_rules`.
        batch_size: images per batch; what is left at the end of an epoch is left out.
        codec: makes the targets.
        device: where all of it happens.
        num_workers: processes that read the images, once.

    Raises:
        ValueError: the pipeline has other steps, or there are fewer images than a batch has.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        codec: PINetCodec,
        device: torch.device,
        num_workers: int = 0,
    ):
        if len(dataset) < batch_size:
            raise InputError(
                f'a batch of {batch_size} needs as many images; found {len(dataset)} in an epoch'
            )
        self.batch_size, self.codec, self.dataset = batch_size, codec, dataset
        steps = dataset.pipeline.transforms
        own, shared = steps[: -len(STEPS)], steps[-len(STEPS) :]
        _check_steps(shared)
        self.flip = shared[0].prob
        parts = getattr(dataset, 'datasets', [dataset])
        self.lengths = getattr(dataset, 'lens', [len(dataset)])
        rules = [
            read_rules(own if part is dataset else part.pipeline.transforms, codec.input_size)
            for part in parts
        ]
        self.images = DeviceImages(
            parts, rules, codec.input_size, codec.layout.flip_indices, device, num_workers
        )

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return sum(self.lengths) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Targets]]:
        """Yield inputs (B, 3, h, w; BGR in [0, 255]) and their targets."""
        rows = self._rows()
        rows = rows[torch.randperm(len(rows), device=rows.device)]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield self.batch(rows[start : start + self.batch_size])

    def _rows(self) -> Tensor:
        # A dataset with a ratio other than 1 gives images at random from equal stretches of it.
        rows, first = [], 0
        for length, count in zip(self.lengths, self.images.counts):
            step = torch.arange(length, device=self.images.device, dtype=torch.float64)
            within = torch.rand_like(step) if length != count else 0.5
            rows.append(first + ((step + within) * count / length).long())
            first += count
        return torch.cat(rows)

    @torch.no_grad()
    def batch(self, rows: Tensor) -> tuple[Tensor, Targets]:
        """Return inputs and targets of random crops of images (B,), see `__iter__`."""
        crops = self.images.crop(rows, self.flip)
        stride = self.codec.stride
        mask = crops.valid[:, None, ::stride, ::stride]
        targets = encode_batch(self.codec, crops.people, crops.declared, mask)
        return crops.inputs.contiguous(memory_format=torch.channels_last), targets


def _check_steps(steps: list) -> None:
    kinds = tuple(type(step).__name__ for step in steps)
    if kinds != STEPS:
        raise InputError(f'a pipeline on the device ends in {list(STEPS)}; found {list(kinds)}')


@LOOPS.register_module()
class DeviceTrainLoop(ResumableEpochLoop):
    """Train by epochs on crops and targets that the device makes, see `DeviceLoader`.

    All images stay in the device's memory, four bytes per pixel. Random numbers are torch's, so
    that `randomness.seed` fixes them. A run that goes on inside an epoch trains on as many batches
    as were left, of images in another order.

    Args:
        runner: of the training.
        dataloader: setting of the data, of which `dataset`, `batch_size` and `num_workers` count.
        max_epochs: epochs of the training.
        **options: of MMEngine's loop.

    Raises:
        ValueError: the run has several processes, the model is no PINet, or the data
            cannot be prepared on a device.
    """

    def __init__(self, runner: Runner, dataloader: Mapping, max_epochs: int, **options: Any):
        if get_world_size() > 1:
            raise InputError(
                'DeviceTrainLoop trains in one process; found a run of '
                f'{get_world_size()}: train with data workers instead'
            )
        codec = getattr(getattr(runner.model, 'head', None), 'codec', None)
        if not isinstance(codec, PINetCodec):
            raise InputError(
                'training on the device needs a model whose head has a PINetCodec; found the model '
                f'{type(runner.model).__name__}'
            )
        device = next(runner.model.parameters()).device
        loader = DeviceLoader(
            DATASETS.build(dataloader['dataset']),
            dataloader['batch_size'],
            codec,
            device,
            dataloader.get('num_workers', 0),
        )
        super().__init__(runner, loader, max_epochs, **options)

    def run_iter(self, idx: int, data_batch: tuple[Tensor, Targets]) -> None:
        """Train on one batch, as `BaseModel.train_step` does on what data workers make."""
        runner, model, optim = self.runner, self.runner.model, self.runner.optim_wrapper
        runner.call_hook('before_train_iter', batch_idx=idx, data_batch=None)
        inputs, targets = data_batch
        whole = model.data_preprocessor(dict(inputs=inputs, data_samples=[]), training=True)
        with optim.optim_context(model):
            losses = model(whole['inputs'], targets, mode='loss')
        loss, logged = model.parse_losses(losses)
        optim.update_params(loss)
        runner.call_hook('after_train_iter', batch_idx=idx, data_batch=None, outputs=logged)
        self._iter += 1
