"""One case of the GPU benchmark: a network, a precision, a batch, and how it is run.

Shape shorthand: B images.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pinet_mm.configs import read_config
from pinet_mm.models.acceleration import accelerate
from pinet_mm.models.decoding import decode
from pinet_mm.models.estimator import PINet, compiled_find_poses, find_poses

import torch
from mmengine.config.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor

from .graphs import GraphedFinder
from .scenes import make_samples

HALVES = dict(fp16=torch.float16, bf16=torch.bfloat16)
PRECISIONS = ('bf16', 'fp32 TF32', 'fp16', 'fp32')


class Network(NamedTuple):
    """What is measured.

    Attributes:
        name: in the tables.
        config: name of a config of the project.
        side: of its square input, in pixels.
        flip: with flip test.
        scale_factors: of the inference.
    """

    name: str
    config: str
    side: int
    flip: bool
    scale_factors: tuple[float, ...] = (1.0,)

    @property
    def test_cfg(self) -> dict[str, object]:
        """What it changes of its config's `test_cfg`."""
        return dict(flip_test=self.flip, scale_factors=self.scale_factors)


class Case(NamedTuple):
    """How a network is run.

    Attributes:
        network: what.
        precision: one of `PRECISIONS`; without TF32 the products are those of a CPU.
        batch: B.
        way: `'eager'`, `'CUDA graph'` or `'compiled'`.
        channels_last: the layout of the convolutions' weights, and so of what they compute.
        tuned: with `torch.backends.cudnn.benchmark`.
    """

    network: Network
    precision: str
    batch: int
    way: str = 'eager'
    channels_last: bool = False
    tuned: bool = False

    def row(self) -> dict[str, object]:
        """Describe it in a table."""
        return {
            'network': self.network.name,
            'precision': self.precision,
            'batch': self.batch,
            'way': self.way,
            'layout': 'NHWC' if self.channels_last else 'NCHW',
            'cudnn.benchmark': 'on' if self.tuned else 'off',
        }


@contextmanager
def backend_flags(precision: str, tuned: bool) -> Iterator[None]:
    """Allow TF32 or not, and let cuDNN try its algorithms or not, in the block."""
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, products.allow_tf32, cudnn.benchmark
    try:
        cudnn.allow_tf32 = products.allow_tf32 = precision != 'fp32'
        cudnn.benchmark = tuned
        yield
    finally:
        cudnn.allow_tf32, products.allow_tf32, cudnn.benchmark = before


def build_model(network: Network, device: str) -> PINet:
    """Build the model of a config with random weights, which cost as much time as any.

    Args:
        network: gives the config, the input size and how it is tested.
        device: where it computes.
    """
    size = (network.side, network.side)
    loaded = read_config(network.config, {'codec.input_size': size})
    loaded.model.backbone.init_cfg = None
    loaded.model.test_cfg.update(network.test_cfg)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(loaded.model)
    return model.to(device).eval()


def prepare(model: PINet, case: Case) -> PINet:
    """Make a copy of a model that computes as a case says.

    Args:
        model: stays as it is.
        case: gives precision and layout.
    """
    twin = accelerate(copy.deepcopy(model), HALVES.get(case.precision, False))
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    for part in (twin.backbone, twin.neck if twin.with_neck else None):
        if part is not None:
            part.to(memory_format=layout)
    return twin


class Inputs(NamedTuple):
    """Normalized images on a device.

    Attributes:
        images: (B, 3, H_in, W_in).
        per_map: (B, 2), see `decoding.decode`.
    """

    images: Tensor
    per_map: Tensor


def make_inputs(model: PINet, batch: int) -> Inputs:
    """Draw random images for a model.

    Args:
        model: gives device and input size.
        batch: B.
    """
    device = next(model.parameters()).device
    w, h = model.head.codec.input_size
    return Inputs(
        torch.randn(batch, 3, h, w, device=device), torch.full((batch, 2), 4.0, device=device)
    )


def finder_of(model: PINet, case: Case, inputs: Inputs) -> Callable[[], object]:
    """Make the function that is timed: from normalized images to fused poses on the device."""
    settings = model.head.check_settings(model.test_cfg)
    find = find_poses
    if case.way == 'compiled':
        torch.compiler.reset()  # the ninth size of one function would run uncompiled, unnoticed
        find = compiled_find_poses()

    def finder(images: Tensor, per_map: Tensor) -> object:
        return find(model, images, per_map, settings)

    run = GraphedFinder(finder, *inputs) if case.way == 'CUDA graph' else finder
    return lambda: run(*inputs)


def backbone_of(model: PINet, case: Case, inputs: Inputs) -> Callable[[], object]:
    """Make a function that runs backbone and neck alone, all views at all scales."""
    settings = model.head.check_settings(model.test_cfg)

    def extract(images: Tensor, _: Tensor) -> object:
        return model.extract_scales(images, settings)

    run = GraphedFinder(extract, *inputs) if case.way == 'CUDA graph' else extract
    return lambda: run(*inputs)


def decoding_of(model: PINet, inputs: Inputs) -> Callable[[], object]:
    """Make a function of what follows backbone and neck."""
    settings, head = model.head.check_settings(model.test_cfg), model.head
    scales = model.extract_scales(inputs.images, settings)
    return lambda: decode(
        head, [head.test_maps(feats) for feats in scales], inputs.per_map, settings
    )


class Trainer:
    """A step of training from normalized images and targets that are on the device already.

    Args:
        case: network, batch, precision and layout; half precision is automatic.
        device: where.
        persons: in every image.
    """

    def __init__(self, case: Case, device: str, persons: int = 4):
        self.model = build_model(case.network, device).train()
        layout = torch.channels_last if case.channels_last else torch.contiguous_format
        for part in (self.model.backbone, self.model.neck):
            part.to(memory_format=layout)
        self.wrapper = build_optim_wrapper(self.model, _optimizer(case.precision, device))
        samples = make_samples(self.model.head.codec, 4, persons)
        self.samples = [samples[i % 4].to(device) for i in range(case.batch)]
        self.images = make_inputs(self.model, case.batch).images

    @torch.enable_grad()
    def __call__(self) -> None:
        """Compute losses and gradients, and move the weights."""
        with self.wrapper.optim_context(self.model):
            losses = self.model(self.images, self.samples, mode='loss')
        self.wrapper.backward(self.wrapper.scale_loss(sum(losses.values())))
        self.wrapper.step()
        self.wrapper.zero_grad()


def _optimizer(precision: str, device: str) -> ConfigDict:
    plain = dict(optimizer=dict(type='Adam', lr=1e-4))
    if precision not in HALVES:
        return ConfigDict(type='OptimWrapper', **plain)
    if torch.device(device).type == 'cpu':
        return ConfigDict(type='CPUAmpOptimWrapper', dtype='bfloat16', **plain)
    name = str(HALVES[precision]).removeprefix('torch.')
    return ConfigDict(type='AmpOptimWrapper', dtype=name, loss_scale='dynamic', **plain)
