"""One case of the GPU benchmark: a network, a precision, a batch, and how it is run.

Shape shorthand: B images.
"""

import copy
import statistics
import time
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
from .memory import MB
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
    """

    name: str
    config: str
    side: int
    flip: bool


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
        network: gives the config and the input size.
        device: where it computes.
    """
    size = (network.side, network.side)
    loaded = read_config(network.config, {'codec.input_size': size})
    loaded.model.backbone.init_cfg = None
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
    settings = model.head.check_settings(dict(model.test_cfg, flip_test=case.network.flip))
    find = compiled_find_poses() if case.way == 'compiled' else find_poses

    def finder(images: Tensor, per_map: Tensor) -> object:
        return find(model, images, per_map, settings)

    run = GraphedFinder(finder, *inputs) if case.way == 'CUDA graph' else finder
    return lambda: run(*inputs)


def backbone_of(model: PINet, case: Case, inputs: Inputs) -> Callable[[], object]:
    """Make a function that runs backbone and neck alone, all views."""

    def extract(images: Tensor, _: Tensor) -> object:
        return model.extract_views(images, case.network.flip)

    run = GraphedFinder(extract, *inputs) if case.way == 'CUDA graph' else extract
    return lambda: run(*inputs)


def decoding_of(model: PINet, case: Case, inputs: Inputs) -> Callable[[], object]:
    """Make a function of what follows backbone and neck."""
    settings = model.head.check_settings(dict(model.test_cfg, flip_test=case.network.flip))
    feats = model.extract_views(inputs.images, case.network.flip)
    return lambda: decode(model.head, [model.head.test_maps(feats)], inputs.per_map, settings)


def kernel_times(
    function: Callable[[], object], device: str, count: int = 14
) -> list[dict[str, object]]:
    """Profile a call: what takes a device longest, and the sum; on a CPU, of its operations.

    Args:
        function: of no arguments.
        device: where it computes.
        count: kernels that are listed.
    """
    cuda = torch.device(device).type == 'cuda'
    for _ in range(3):
        function()
    synchronize(device)
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CPU, *[kinds.CUDA] * cuda]) as profile:
        function()
        synchronize(device)
    field = 'self_device_time_total' if cuda else 'self_cpu_time_total'
    events = [
        (getattr(event, field) / 1000, event.count, event.key)
        for event in profile.key_averages()
        if not cuda or event.device_type == torch.autograd.DeviceType.CUDA
    ]
    events = sorted((event for event in events if event[0] > 0), reverse=True)
    rows = [dict(kernel=name[:90], calls=calls, ms=ms) for ms, calls, name in events[:count]]
    return rows + [
        dict(
            kernel='all',
            calls=sum(calls for _, calls, _ in events),
            ms=sum(ms for ms, *_ in events),
        )
    ]


@torch.no_grad()
def device_time(function: Callable[[], object], device: str, seconds: float = 0.6) -> float:
    """Measure a call in milliseconds, the median of back-to-back calls after three to warm up.

    On a GPU, events on its stream are the clock, and the host waits for none of 5 to 50 calls.

    Args:
        function: of no arguments.
        device: where it computes.
        seconds: that the measured calls take about.
    """
    for _ in range(2):
        function()
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    count = int(seconds / max(time.perf_counter() - start, 1e-6))
    if torch.device(device).type != 'cuda':
        return statistics.median(_on_wall(function) for _ in range(min(count, 50) + 1))
    count = min(max(count, 5), 50)
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    marks[0].record()
    for mark in marks[1:]:
        function()
        mark.record()
    torch.cuda.synchronize()
    return statistics.median(first.elapsed_time(then) for first, then in zip(marks, marks[1:]))


def _on_wall(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def synchronize(device: str) -> None:
    """Wait for a device; a CPU has nothing to wait for."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


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


def peak_of(device: str, function: Callable[[], object]) -> float | None:
    """Return the most memory in MB that torch had allocated in a call; None on a CPU."""
    if torch.device(device).type != 'cuda':
        function()
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    function()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) / MB
