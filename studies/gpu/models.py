"""Checks of whole models: the people that the shipped ones find, precisions, batches.

A person counts from a score of 0.05 on the CPU: below it, rounding moves peaks across the
threshold. Limits, in input pixels: float32 finds all people, 99 of 100 keypoints within 0.05; half
precision 95 of 100 people and half of their keypoints within 0.5. Scores may differ by 1e-3, in
half precision half of them by 0.05. Shape shorthand: B images.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pinet_mm import api
from pinet_mm.configs import read_config
from pinet_mm.method.fusion import FusedPoses
from pinet_mm.models.acceleration import accelerate
from pinet_mm.models.decoding import decode
from pinet_mm.models.estimator import PINet, find_poses
from pinet_mm.models.test_cfg import TestSettings

import numpy as np
import torch
from mmengine.structures import InstanceData
from mmpose.apis import init_model
from torch import Tensor, nn

from ..benchmark.scenes import draw_images
from .people import Fields, Limits, compare_fused, compare_people, fields_of
from .running import Finding, Place, default_products, exact_products

SCORE = 0.05
# PINet-2: the options of docs/pinet2.md.
LIGHT, STEM = 'pinet_lite_photos.py', 'head.refinement.stem.weight'
ALL_OPTIONS = {
    'model.head.refinement.score.hidden': 32,
    'model.head.refinement.uncertainty': True,
    'model.head.refinement.num_passes': 2,
    'model.head.refinement.context': (2, 4),
    'model.head.refine_loss': dict(type='SmoothOKSLoss'),
    'model.test_cfg.use_uncertainty': True,
}
EXACT, HALF = Limits(0.05), Limits(0.5, share=0.5, missing=0.05, scores=0.05)


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
    """Load the shipped models and `load_pinet2` one by one and draw images for each.

    Args:
        count: B.
        largest: side of their input, if it is larger in training.
    """
    for path in sorted(api.WEIGHTS.glob('*.pth')):
        yield load_shipped(path, count, largest)
    yield load_pinet2(count)


def load_shipped(path: Path | None = None, count: int = 8, largest: int = 256) -> Shipped:
    """Load a shipped model and draw images for it.

    Args:
        path: of its weights; by default the first of all.
        count: B.
        largest: see `shipped_models`.
    """
    path = path or sorted(api.WEIGHTS.glob('*.pth'))[0]
    return _draw_for(path.stem, api.load(f'{path.stem}.py', path, 'cpu').eval(), count, largest)


def _draw_for(name: str, model: PINet, count: int, largest: int) -> Shipped:
    size = tuple(min(side, largest) for side in model.head.codec.input_size)
    drawn = draw_images(count, size, 4)
    inputs = [torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))) for image in drawn]
    data = model.data_preprocessor(dict(inputs=inputs, data_samples=[]))
    return Shipped(name, model, data['inputs'], drawn)


def load_pinet2(count: int = 8) -> Shipped:
    """Load the model of `pinet2_model` and draw images for it.

    Args:
        count: B.
    """
    return _draw_for('PINet-2', pinet2_model(), count, 256)


def pinet2_model() -> PINet:
    """Give the shipped model that has a score all other options of docs/pinet2.md, on the CPU.

    What it was not trained with gets random weights, so small that people stay where they are.
    """
    state = api.load(LIGHT, device='cpu').state_dict()
    torch.manual_seed(0)
    trained = state[STEM]
    state[STEM] = torch.cat((trained, *(0.1 * trained.std() * torch.randn(2, *trained.shape))))
    model = init_model(read_config(LIGHT, ALL_OPTIONS), None, 'cpu')
    model.load_state_dict(state, strict=False)
    nn.init.normal_(model.head.refinement.uncertainty.weight, std=trained.shape[1] ** -0.5)
    return model


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
            yield from compare_people(
                f'{shipped.name}, {name}',
                fields_of(found),
                fields_of(wanted),
                shipped.images.shape[-1],
                EXACT if name == 'fp32' else HALF,
            )


def _variants(model: PINet, place: Place) -> Iterator[tuple[str, PINet, Callable]]:
    # Name, model, and the context that it computes in.
    def twin() -> PINet:
        return copy.deepcopy(model).to(place.device)

    yield 'fp32', twin(), exact_products
    if place.device.type == 'cuda':
        yield 'fp32 with TF32', twin(), default_products
        yield 'fp16', accelerate(twin(), torch.float16), default_products
    yield 'bf16', accelerate(twin(), torch.bfloat16), default_products


def check_half_features(place: Place) -> Iterator[Finding]:
    """Compare decoding of the same features in half precision, of a trained model."""
    for load in (load_shipped, load_pinet2):
        shipped = load(count=2 if place.small else 16)
        settings = settings_of(shipped.model, scale_factors=(1,))
        with torch.no_grad(), exact_products():
            features = shipped.model.extract_views(shipped.images, settings.flip_test)[-1]
            for dtype in (torch.float32, torch.float16, torch.bfloat16):
                found, wanted = (
                    _decode(shipped.model, features.to(dtype), settings, device)
                    for device in (place.device, torch.device('cpu'))
                )
                wanted = wanted._replace(kept=wanted.kept & (wanted.scores >= SCORE))
                yield from compare_people(
                    f'{shipped.name}, features in {str(dtype)[6:]}',
                    fields_of(found),
                    fields_of(wanted),
                    shipped.images.shape[-1],
                    Limits(1e-3),
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
    for options in (dict(), dict(flip_test=False), dict(scale_factors=(1, 0.5))):
        yield from _compare_batch(f'{options or "as shipped"}', shipped, place, options)
    yield from _compare_batch('PINet-2', load_pinet2(count), place, {})


def _compare_batch(
    name: str, shipped: Shipped, place: Place, options: dict[str, object]
) -> Iterator[Finding]:
    model, images = copy.deepcopy(shipped.model).to(place.device), shipped.images
    with exact_products():
        batch = find(model, images, **options)
        single = [find(model, image[None], **options) for image in images]
    single = FusedPoses(*(torch.cat(values) for values in zip(*(each.given for each in single))))
    batch, single = (
        each._replace(kept=each.kept & (each.scores >= SCORE)) for each in (batch, single)
    )
    yield from compare_fused(
        f'batch of {len(images)}, {name}', batch, single, images.shape[-1], 1e-2
    )


def check_prediction(place: Place) -> Iterator[Finding]:
    """Compare `api.predict` from uint8 images to people with the CPU, as a user calls it."""
    for load in (load_shipped, load_pinet2):
        shipped = load(count=2 if place.small else 8)
        with exact_products():
            found, wanted = (
                [sample.pred_instances for sample in api.predict(model, shipped.drawn, 4)]
                for model in (copy.deepcopy(shipped.model).to(place.device), shipped.model)
            )
        yield from compare_people(
            f'api.predict, {shipped.name}',
            _fields_above(0, found),
            _fields_above(SCORE, wanted),
            shipped.images.shape[-1],
            EXACT,
        )


def _fields_above(least: float, people: Sequence[InstanceData]) -> Fields:
    names = dict(keypoints='keypoints', keypoint_scores='keypoint_scores', scores='bbox_scores')
    if 'keypoint_stds' in people[0]:
        names['stds'] = 'keypoint_stds'
    return {
        name: [getattr(each, key)[each.bbox_scores >= least] for each in people]
        for name, key in names.items()
    }
