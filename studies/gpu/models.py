"""Checks of whole models: the people that the shipped ones find, precisions, batches.

A person counts from a score of 0.05 on the CPU: below it, rounding moves peaks across the
threshold. Limits, in input pixels: float32 finds all people, 99 of 100 keypoints within 0.05; half
precision 95 of 100 people and half of their keypoints within 0.5. Shape shorthand: B images.
"""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pinet_mm import api
from pinet_mm.method.fusion import FusedPoses
from pinet_mm.models.acceleration import accelerate
from pinet_mm.models.decoding import decode
from pinet_mm.models.estimator import PINet, find_poses
from pinet_mm.models.test_cfg import TestSettings

import numpy as np
import torch
from torch import Tensor

from ..benchmark.scenes import draw_images
from .running import Finding, Place, default_products, exact_products
from .scenes import Distance, compare_persons, persons_of
from .values import compare_fused

SCORE = 0.05


class Shipped(NamedTuple):
    """A shipped model and images drawn for it.

    Attributes:
        name: of its config.
        model: on the CPU, in evaluation mode.
        images: (B, 3, H_in, W_in), normalized, on the CPU.
        drawn: the same, (H_in, W_in, 3) uint8 BGR each.
    """

    name: str
    model: PINet
    images: Tensor
    drawn: list[np.ndarray]


def shipped_models(count: int, largest: int = 256) -> Iterator[Shipped]:
    """Load the shipped models one by one and draw images for each.

    Args:
        count: B.
        largest: side of their input, if it is larger in training.
    """
    for path in sorted(api.WEIGHTS.glob('*.pth')):
        yield load_shipped(path, count, largest)


def load_shipped(path: Path | None = None, count: int = 8, largest: int = 256) -> Shipped:
    """Load a shipped model and draw images for it.

    Args:
        path: of its weights; by default the first of all.
        count: B.
        largest: see `shipped_models`.
    """
    path = path or sorted(api.WEIGHTS.glob('*.pth'))[0]
    model = api.load(f'{path.stem}.py', path, 'cpu').eval()
    size = tuple(min(side, largest) for side in model.head.codec.input_size)
    drawn = draw_images(count, size, 4)
    inputs = [torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))) for image in drawn]
    data = model.data_preprocessor(dict(inputs=inputs, data_samples=[]))
    return Shipped(path.stem, model, data['inputs'], drawn)


def settings_of(model: PINet, **options) -> TestSettings:
    """Check the test settings of a model, some of them replaced.

    Args:
        model: gives the others.
        **options: see `TestSettings`.
    """
    return model.head.check_settings(dict(model.test_cfg, **options))


def find(model: PINet, images: Tensor, **options) -> FusedPoses:
    """Find the poses of images (B, 3, H_in, W_in), wherever both are.

    Args:
        model: in evaluation mode.
        images: normalized.
        **options: see `TestSettings`.
    """
    device = next(model.parameters()).device
    per_map = torch.full((len(images), 2), 4.0, device=device)
    with torch.no_grad():
        return find_poses(model, images.to(device), per_map, settings_of(model, **options))[0]


def check_models(place: Place) -> Iterator[Finding]:
    """Compare the people of every shipped model, by precision, on the device and on the CPU."""
    for shipped in shipped_models(2 if place.small else 16):
        wanted = find(shipped.model, shipped.images)
        sure = wanted.kept & (wanted.scores >= SCORE)
        wanted = wanted._replace(kept=sure)
        for name, model, products in _variants(shipped.model, place):
            with products():
                found = find(model, shipped.images)
            yield from _compare(f'{shipped.name}, {name}', found, wanted, shipped)


def _variants(model: PINet, place: Place) -> Iterator[tuple[str, PINet, Callable]]:
    # Name, model, and the context that it computes in.
    def twin() -> PINet:
        return copy.deepcopy(model).to(place.device)

    yield 'fp32', twin(), exact_products
    if place.device.type == 'cuda':
        yield 'fp32 with TF32', twin(), default_products
        yield 'fp16', accelerate(twin(), torch.float16), default_products
    yield 'bf16', accelerate(twin(), torch.bfloat16), default_products


def _compare(
    name: str, found: FusedPoses, wanted: FusedPoses, shipped: Shipped
) -> Iterator[Finding]:
    distance = compare_persons(
        persons_of(found.keypoints, found.kept),
        persons_of(wanted.keypoints, wanted.kept),
        shipped.images.shape[-1],
    )
    exact = name.endswith('fp32')
    yield Finding(
        f'{name}: people missing',
        distance.lost / max(distance.wanted, 1),
        0 if exact else 0.05,
        distance.said,
    )
    share, limit = (0.99, 0.05) if exact else (0.5, 0.5)
    yield Finding(
        f'{name}: keypoints',
        distance.quantile(share),
        limit,
        f'px, {share:.0%} of them; {_spread(distance)}',
    )


def _spread(distance: Distance) -> str:
    return f'median {distance.quantile(0.5):.1e}, largest {distance.quantile(1):.1e}'


def check_half_features(place: Place) -> Iterator[Finding]:
    """Compare decoding of the same features in half precision, of a trained model."""
    shipped = load_shipped(count=2 if place.small else 16)
    settings = settings_of(shipped.model)
    with torch.no_grad(), exact_products():
        features = shipped.model.extract_views(shipped.images, settings.flip_test)[-1]
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            found, wanted = (
                _decode(shipped.model, features.to(dtype), settings, device)
                for device in (place.device, torch.device('cpu'))
            )
            wanted = wanted._replace(kept=wanted.kept & (wanted.scores >= SCORE))
            distance = compare_persons(
                persons_of(found.keypoints, found.kept),
                persons_of(wanted.keypoints, wanted.kept),
                shipped.images.shape[-1],
            )
            yield Finding(
                f'features in {str(dtype)[6:]}: people missing',
                distance.lost,
                0,
                distance.said,
            )
            yield Finding(
                f'features in {str(dtype)[6:]}: keypoints',
                distance.quantile(0.99),
                1e-3,
                f'px, 99% of them; {_spread(distance)}',
            )


def _decode(
    model: PINet, features: Tensor, settings: TestSettings, device: torch.device
) -> FusedPoses:
    head = copy.deepcopy(model.head).to(device)
    images = len(features) // (1 + settings.flip_test)
    maps = head.test_maps([features.to(device)])
    return decode(head, [maps], torch.full((images, 2), 4.0, device=device), settings)[0]


def check_batches(place: Place) -> Iterator[Finding]:
    """Compare a batch of 8 with 8 single images on the device: 1e-2 px, float32.

    Convolutions may take another algorithm for another batch, which sums in another order.
    """
    count = 2 if place.small else 8
    shipped = load_shipped(count=count)
    model = copy.deepcopy(shipped.model).to(place.device)
    for options in (dict(), dict(flip_test=False), dict(scale_factors=(1, 0.5))):
        with exact_products():
            batch = find(model, shipped.images, **options)
            single = [find(model, image[None], **options) for image in shipped.images]
        single = FusedPoses(
            *(torch.cat(values) for values in zip(*(each.given for each in single)))
        )
        batch, single = (
            each._replace(kept=each.kept & (each.scores >= SCORE)) for each in (batch, single)
        )
        yield from compare_fused(
            f'batch of {count}, {options or "as shipped"}',
            batch,
            single,
            shipped.images.shape[-1],
            1e-2,
        )


def check_prediction(place: Place) -> Iterator[Finding]:
    """Compare `api.predict` from uint8 images to people with the CPU, as a user calls it."""
    shipped = load_shipped(count=2 if place.small else 8)
    with exact_products():
        persons = [
            [sample.pred_instances for sample in api.predict(model, shipped.drawn, 4)]
            for model in (copy.deepcopy(shipped.model).to(place.device), shipped.model)
        ]
    found, wanted = (
        [each.keypoints[each.bbox_scores >= least] for each in people]
        for people, least in zip(persons, (0, SCORE))
    )
    distance = compare_persons(found, wanted, shipped.images.shape[-1])
    yield Finding('api.predict: people missing', distance.lost, 0, distance.said)
    yield Finding(
        'api.predict: keypoints',
        distance.quantile(0.99),
        0.05,
        f'px, 99% of them; {_spread(distance)}',
    )
