"""Checks of the tensor part as one graph: torch.compile, CUDA graphs, and no wait for the host.

The tensor part is `estimator.find_poses`, from normalized images to fused poses. Compiled or
recorded, it may use other kernels, so keypoints may differ by 0.05 px from those it finds eagerly.
"""

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pinet_mm
from pinet_mm.method.fusion import FusedPoses
from pinet_mm.models.acceleration import accelerate
from pinet_mm.models.estimator import PINet, compiled_find_poses, find_poses

import torch
from torch import Tensor

from ..benchmark.graphs import GraphedFinder
from .models import SCORE, Shipped, load_pinet2, load_shipped, settings_of
from .people import compare_fused
from .running import Finding, LeftOut, Place, default_products, exact_products

LIMIT = 0.05
PACKAGE = Path(pinet_mm.__file__).parent


def _need_cuda(place: Place) -> None:
    if place.device.type != 'cuda':
        raise LeftOut(f'{place.device} is no CUDA device')


def _finder(model: PINet, **options) -> Callable:
    settings = settings_of(model, **options)
    return lambda images, per_map: find_poses(model, images, per_map, settings)


def _sure(fused: FusedPoses) -> FusedPoses:
    # A copy, since a graph overwrites what it returned.
    fused = FusedPoses(*(values.clone() for values in fused.given))
    return fused._replace(kept=fused.kept & (fused.scores >= SCORE))


def check_graphs(place: Place) -> Iterator[Finding]:
    """Record the tensor part as a CUDA graph, in float32 and half precision, and replay it.

    Raises:
        LeftOut: the device has no CUDA.
    """
    _need_cuda(place)
    for load in (load_shipped, load_pinet2):
        shipped = load(count=8)
        for name, amp in (('fp32', False), ('fp16', torch.float16), ('bf16', torch.bfloat16)):
            model = accelerate(copy.deepcopy(shipped.model).to(place.device), amp)
            yield from _record(f'{shipped.name}, {name}', model, shipped.images, bool(amp))


def _record(name: str, model: PINet, images: Tensor, half: bool) -> Iterator[Finding]:
    device = next(model.parameters()).device
    images, per_map = images.to(device), torch.full((len(images), 2), 4.0, device=device)
    for options in (dict(), dict(scale_factors=(1, 0.5), use_agreement=True)):
        finder = _finder(model, **options)
        with torch.no_grad(), default_products() if half else exact_products():
            graph = GraphedFinder(finder, images.flip(0), per_map)
            found, wanted = (_sure(run(images, per_map)[0]) for run in (graph, finder))
        way = ', two scales, agreement' if options else ''
        yield from compare_fused(f'{name}{way}', found, wanted, images.shape[-1], LIMIT)


def check_compile(place: Place) -> Iterator[Finding]:
    """Compile the tensor part of a shipped model and of PINet-2, and compare it with the eager one.

    Raises:
        LeftOut: small sizes are asked for.
    """
    if place.small:
        raise LeftOut('it takes minutes; tests/models/test_acceleration.py compiles on the CPU')
    for load in (load_shipped, load_pinet2):
        yield from compile_and_compare(load(count=8), place.device)


def compile_and_compare(shipped: Shipped, device: torch.device) -> Iterator[Finding]:
    """Compare the compiled tensor part of a model with the eager one, in float32.

    Args:
        shipped: model and images.
        device: where they are computed.
    """
    images = shipped.images.to(device)
    per_map = torch.full((len(images), 2), 4.0, device=device)
    model = copy.deepcopy(shipped.model).to(device)
    settings = settings_of(model, scale_factors=(1,))  # another scale takes a minute more
    with torch.no_grad(), exact_products():
        found, wanted = (
            _sure(find(model, images, per_map, settings)[0])
            for find in (compiled_find_poses(), find_poses)
        )
    yield from compare_fused(f'{shipped.name}, fp32', found, wanted, images.shape[-1], LIMIT)


@contextmanager
def noted_syncs() -> Iterator[list[str]]:
    """Collect where operations of the block wait for the device, as `file:line`."""
    places: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode('default')
    places += [
        _name(warning)
        for warning in caught
        if 'synchroniz' in str(warning.message) and 'prototype' not in str(warning.message)
    ]


def _name(warning: warnings.WarningMessage) -> str:
    path = Path(warning.filename)
    inside = PACKAGE in path.parents
    return f'{path.relative_to(PACKAGE.parent) if inside else path.name}:{warning.lineno}'


def check_syncs(place: Place) -> Iterator[Finding]:
    """Check that the host never waits for the device in the tensor part, whatever the settings."""
    _need_cuda(place)
    shipped = load_shipped(count=2)
    model = copy.deepcopy(shipped.model).to(place.device)
    cases = {
        'flip test': {},
        'one view': dict(flip_test=False),
        'two scales, agreement': dict(scale_factors=(1, 0.5), use_agreement=True),
        'OKS-NMS, heatmaps': dict(use_fusion=False, output_heatmaps=True),
    }
    for name, options in cases.items():
        yield _count(name, shipped, _finder(model, **options), place)
    half = accelerate(copy.deepcopy(model), torch.bfloat16)
    yield _count('bf16', shipped, _finder(half), place)
    shipped = load_pinet2(2)
    model = copy.deepcopy(shipped.model).to(place.device)
    yield _count('PINet-2', shipped, _finder(model), place)
    plain = _finder(model, flip_test=False, scale_factors=(1,))
    yield _count('PINet-2, one view and scale', shipped, plain, place)


def _count(name: str, shipped: Shipped, finder: Callable, place: Place) -> Finding:
    images = shipped.images.to(place.device)
    per_map = torch.full((len(images), 2), 4.0, device=place.device)
    with torch.no_grad():
        finder(images, per_map)  # what is loaded at the first call may wait
        torch.cuda.synchronize()
        with noted_syncs() as places:
            finder(images, per_map)
    known = sorted(set(places))
    return Finding(f'{name}: places where the host waits', len(known), 0, ', '.join(known[:8]))
