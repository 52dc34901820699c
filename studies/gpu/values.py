"""Checks of numbers: losses, gradients and decoding, each against the CPU in float32.

Limits: 1e-4 for losses; 1e-2 of their own norm for gradients, as features that differ in their last
digit move some gradients by 1e-3, through units next to a ReLU's kink; the norm counts as at least
a thousandth of the largest one, since gradients of biases before a batch norm are nothing but
rounding; 1e-3 pixels for poses, of which none may be missing, 1e-3 for their scores.
"""

import copy
from collections.abc import Iterator
from typing import NamedTuple

from pinet_mm.method import fusion
from pinet_mm.models.decoding import RawMaps, decode
from pinet_mm.models.head import PINetHead

import torch
from torch import Tensor

from ..benchmark.scenes import make_samples
from .people import compare_fused
from .running import Finding, Place, exact_products
from .scenes import Sizes, build_codec, make_head, make_maps, relative, sizes_of

LOSS_LIMIT, GRADIENT_LIMIT, POSE_LIMIT = 1e-4, 1e-2, 1e-3


class Learning(NamedTuple):
    """What a head learns from.

    Attributes:
        convention: see `make_head`; says which losses, passes and strides the head has.
        sparse: whether its targets are.
        uncertain: whether its refinement expects deviations.
    """

    convention: str
    sparse: bool
    uncertain: bool = False


_LEARNING = {
    'paper, whole targets': Learning('paper', False),
    'paper, sparse targets': Learning('paper', True),
    'release, whole targets': Learning('release', False),
    'release, sparse targets': Learning('release', True),
    'OKS loss, two passes, strides': Learning('pinet2', False),
    'OKS loss, uncertainty, sparse targets': Learning('pinet2', True, True),
    'Laplace loss': Learning('paper', False, True),
}


def check_losses(place: Place) -> Iterator[Finding]:
    """Compare losses and all gradients of a head: both conventions, PINet-2, kinds of targets."""
    sizes = sizes_of(place.small)
    sizes = sizes._replace(side=min(sizes.side, 256), images=2, persons=3)
    features = torch.randn(
        sizes.images,
        sizes.channels,
        *(sizes.side // 4,) * 2,
        generator=torch.Generator().manual_seed(0),
    )
    for name, learning in _LEARNING.items():
        with exact_products():
            wanted, found = (
                _learn(learning, sizes, features, device)
                for device in (torch.device('cpu'), place.device)
            )
        yield from _compare_learning(name, found, wanted)


def _learn(
    learning: Learning, sizes: Sizes, features: Tensor, device: torch.device
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    convention, sparse, uncertain = learning
    head = make_head(convention, sizes, sparse, uncertainty=uncertain).to(device).train()
    codec = build_codec(convention, sizes, sparse)
    samples = [sample.to(device) for sample in make_samples(codec, sizes.images, sizes.persons)]
    features = features.to(device).clone().requires_grad_()
    values = head.loss([features], samples)
    sum(values.values()).backward()
    gradients = {name: value.grad for name, value in head.named_parameters()}
    return values, dict(gradients, features=features.grad)


def _compare_learning(name: str, found: tuple, wanted: tuple) -> Iterator[Finding]:
    (values, gradients), (values_cpu, gradients_cpu) = found, wanted
    yield Finding(
        f'{name}: losses',
        max(relative(values[key], values_cpu[key]) for key in values_cpu),
        LOSS_LIMIT,
        'relative',
    )
    missing = [
        key for key, value in gradients.items() if value is None or not value.isfinite().all()
    ]
    yield Finding(
        f'{name}: gradients missing or not finite',
        len(missing),
        0,
        ', '.join(missing[:3]) or f'of {len(gradients)}',
    )
    floor = 1e-3 * max(float(value.norm()) for value in gradients_cpu.values())
    worst = {
        key: relative(gradients[key], value, floor)
        for key, value in gradients_cpu.items()
        if key not in missing
    }
    key = max(worst, key=worst.get)
    yield Finding(f'{name}: gradients', worst[key], GRADIENT_LIMIT, f'relative, worst {key}')


def check_decoding(place: Place) -> Iterator[Finding]:
    """Compare the people of random crowds' maps, by convention, views, scales and precision.

    PINet-2 has all options of docs/pinet2.md.
    """
    sizes = sizes_of(place.small)
    for convention in ('paper', 'release'):
        maps = make_maps(convention, sizes)
        head = make_head(convention, sizes).eval()
        yield from _compare_decoding(f'{convention}, flip test', place, head, [maps], {})
        plain = RawMaps(*(values.chunk(2)[0] for values in maps))
        yield from _compare_decoding(
            f'{convention}, one view', place, head, [plain], dict(flip_test=False)
        )
    for dtype in (torch.float16, torch.bfloat16):
        rounded = maps._replace(features=maps.features.to(dtype).float())
        yield from _compare_decoding(
            f'release, features in {str(dtype)[6:]}', place, head, [rounded], {}
        )
    yield from _compare_decoding(
        'release, offsets of the peaks alone', place, head, [maps._replace(offsets=None)], {}
    )
    yield from _compare_decoding(
        'release, best pixels propose', place, head, [maps], dict(use_peaks=False)
    )
    half = make_maps(convention, sizes._replace(side=sizes.side // 2))
    yield from _compare_decoding(
        'release, two scales, agreement',
        place,
        head,
        [maps, half],
        dict(scale_factors=(1, 0.5), use_agreement=True),
    )
    yield from _check_pinet2(place, sizes)


def _check_pinet2(place: Place, sizes: Sizes) -> Iterator[Finding]:
    head = make_head('pinet2', sizes, uncertainty=True, score=dict(hidden=32)).eval()
    maps = make_maps('pinet2', sizes)
    half = make_maps('pinet2', sizes._replace(side=sizes.side // 2))
    for name, scales, options in (
        ('flip test', [maps], {}),
        ('two scales', [maps, half], dict(scale_factors=(1, 0.5))),
    ):
        yield from _compare_decoding(
            f'PINet-2, {name}', place, head, scales, dict(options, use_uncertainty=True)
        )


def _compare_decoding(
    name: str, place: Place, head: PINetHead, scales: list, options: dict
) -> Iterator[Finding]:
    settings = head.check_settings(dict(dict(flip_test=True), **options))
    with torch.no_grad(), exact_products():
        wanted, found = (
            _decode(head, scales, settings, device)
            for device in (torch.device('cpu'), place.device)
        )
    yield from compare_fused(name, found, wanted, head.codec.input_size[0], POSE_LIMIT)


def _decode(head: PINetHead, scales: list, settings, device: torch.device) -> fusion.FusedPoses:
    head = copy.deepcopy(head).to(device)
    moved = [
        RawMaps(*(values if values is None else values.to(device) for values in maps))
        for maps in scales
    ]
    images = moved[0].heatmaps.shape[0] // (1 + settings.flip_test)
    return decode(head, moved, torch.full((images, 2), 4.0, device=device), settings)[0]
