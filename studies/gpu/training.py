"""Checks of training on a device: mixed precision, SyncBatchNorm, one process of DDP with NCCL.

Every parameter must get a finite gradient and every loss be finite, in the first step. Only of
float16 up to 12 steps may overflow: GradScaler starts with 65536 and halves it until gradients fit.
PINet-2 has the options of docs/pinet2.md: all that learn together, or what learns while the rest is
frozen.
"""

import copy
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pinet_mm.configs import read_config
from pinet_mm.models.estimator import PINet

import torch
from mmengine.config import ConfigDict
from mmengine.model.wrappers import MMDistributedDataParallel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmpose.apis import init_model
from torch import distributed, nn

from ..benchmark.scenes import load_model, make_samples
from .models import pinet2_model
from .running import Finding, LeftOut, Place, default_products, exact_products

SLIM, PINET2 = 'pinet_hrnet-slim_crowdsynth.py', 'pinet2_hrnet-slim_ablation.py'
MOST_STEPS = 12


def _pinet2() -> PINet:
    torch.manual_seed(0)
    uncertain = {'model.head.refinement.uncertainty': True}
    return init_model(read_config(PINET2, uncertain), None, 'cpu')


# How they are called in rows, and what makes one on the CPU.
MODELS: dict[str, Callable[[], PINet]] = {
    '': lambda: load_model(SLIM),
    'PINet-2, ': _pinet2,
    'PINet-2, score and deviations, ': pinet2_model,
}


def training_data(model: PINet, images: int = 4) -> dict[str, list]:
    """Make a batch as a data loader hands it to a model: random pixels, targets of crowds.

    Args:
        model: whose codec makes the targets.
        images: in the batch.
    """
    codec = model.head.codec
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randint(0, 256, (3, *codec.input_size[::-1]), dtype=torch.uint8, generator=generator)
        for _ in range(images)
    ]
    return dict(inputs=inputs, data_samples=make_samples(codec, images, 3))


def losses_of(model: nn.Module, data: Mapping, wrapper: OptimWrapper) -> dict[str, torch.Tensor]:
    """Compute the losses of a batch inside the context of an optimizer's wrapper."""
    with wrapper.optim_context(model):
        ready = getattr(model, 'module', model).data_preprocessor(copy.deepcopy(data), True)
        return model(**ready, mode='loss')


def _step(model: nn.Module, data: Mapping, wrapper: OptimWrapper) -> tuple:
    # Losses that are not finite, and parameters without a finite gradient.
    losses = losses_of(model, data, wrapper)
    total = sum(losses.values())
    wrapper.zero_grad()
    wrapper.backward(wrapper.scale_loss(total))
    wrong = [name for name, value in losses.items() if not value.isfinite().all()]
    missing = [
        name
        for name, value in model.named_parameters()
        if value.requires_grad and (value.grad is None or not value.grad.isfinite().all())
    ]
    wrapper.step()
    return wrong, missing


def _wrap(model: nn.Module, **options) -> OptimWrapper:
    return build_optim_wrapper(model, ConfigDict(optimizer=dict(type='Adam', lr=1e-4), **options))


def check_amp(place: Place) -> Iterator[Finding]:
    """Train some steps in float32, with float16 and GradScaler, and with bfloat16."""
    kinds = [('fp32', 'OptimWrapper', {})]
    if place.device.type == 'cuda':
        kinds += [
            ('fp16', 'AmpOptimWrapper', dict(dtype='float16', loss_scale='dynamic')),
            ('bf16', 'AmpOptimWrapper', dict(dtype='bfloat16', loss_scale='dynamic')),
        ]
    else:
        kinds += [('bf16', 'CPUAmpOptimWrapper', dict(dtype='bfloat16'))]
    for what, load in MODELS.items():
        for name, kind, options in kinds:
            model = load().to(place.device).train()
            wrapper = _wrap(model, type=kind, **options)
            steps = MOST_STEPS if name == 'fp16' else 1
            with exact_products() if name == 'fp32' else default_products():
                rows = list(_train(what + name, model, training_data(model), wrapper, steps))
            yield from rows


def _train(
    name: str, model: nn.Module, data: Mapping, wrapper: OptimWrapper, steps: int = 1
) -> Iterator[Finding]:
    # Of several steps one must have all gradients.
    step, wrong, missing = 0, [], ['all']
    while step < steps and missing and not wrong:
        wrong, missing = _step(model, data, wrapper)
        step += 1
    yield Finding(f'{name}: losses not finite', len(wrong), 0, ', '.join(wrong))
    scaler = getattr(wrapper, 'loss_scaler', None)
    scale = f', loss scale {scaler.get_scale():g}' if scaler is not None else ''
    yield Finding(
        f'{name}: parameters without a finite gradient',
        len(missing),
        0,
        ', '.join(missing[:3]) or f'in step {step}{scale}',
    )
    wrong = [
        key
        for key, value in model.state_dict().items()
        if value.is_floating_point() and not value.isfinite().all()
    ]
    yield Finding(f'{name}: weights not finite after the step', len(wrong), 0, ', '.join(wrong[:3]))


@contextmanager
def one_process(backend: str) -> Iterator[None]:
    """Be the only process of a distributed training, on a free port of this machine.

    Raises:
        LeftOut: this torch has no such backend.
    """
    if not distributed.is_available() or not distributed.is_backend_available(backend):
        raise LeftOut(f'torch was built without {backend}')
    os.environ.setdefault('NCCL_SOCKET_IFNAME', 'lo')  # a machine may have no other interface
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    distributed.init_process_group(
        backend, init_method=f'tcp://127.0.0.1:{port}', rank=0, world_size=1
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def check_distributed(place: Place) -> Iterator[Finding]:
    """Convert to SyncBatchNorm and train a step under DDP: NCCL on a GPU, gloo on the CPU."""
    with one_process('nccl' if place.device.type == 'cuda' else 'gloo'):
        for what, load in MODELS.items():
            yield from _distribute(what, load().train(), place)


def _distribute(what: str, model: PINet, place: Place) -> Iterator[Finding]:
    cuda = place.device.type == 'cuda'
    if cuda:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    count = sum(isinstance(module, nn.SyncBatchNorm) for module in model.modules())
    yield Finding(f'{what}SyncBatchNorm layers', count, None, '' if cuda else 'they need a GPU')
    wrapped = MMDistributedDataParallel(
        model.to(place.device),
        device_ids=[place.device.index or 0] if cuda else None,
        broadcast_buffers=False,
        find_unused_parameters=False,
    )
    wrapper, data = _wrap(wrapped, type='OptimWrapper'), training_data(model)
    with exact_products():
        rows = list(_train(f'{what}DDP, one process', wrapped, data, wrapper))
        wrong = _not_finite(wrapped.train_step(copy.deepcopy(data), wrapper))
    yield from rows
    yield Finding(f'{what}DDP, train_step: losses not finite', len(wrong), 0, ', '.join(wrong))


def _not_finite(losses: Mapping[str, torch.Tensor]) -> list[str]:
    return [name for name, value in losses.items() if not torch.as_tensor(value).isfinite().all()]
