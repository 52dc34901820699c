"""Checks of tensor functions one by one, each against the CPU in float32.

Functions that only move numbers must agree exactly. Shape shorthand: B images, K keypoints,
M parts, C channels, T proposals per image.
"""

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pinet_mm.conventions import official as release
from pinet_mm.method import agreement as rescoring
from pinet_mm.method import fusion, proposals, reading, scoring
from pinet_mm.method import views as scaling
from pinet_mm.method.batch_targets import People
from pinet_mm.method.targets import OffsetTargets
from pinet_mm.method.views import ViewMirror
from pinet_mm.models import losses, scales

import torch
from torch import Tensor

from ..benchmark.scenes import make_samples
from .running import Finding, Place, exact_products
from .scenes import Sizes, apart, build_codec, make_head
from .values import POSE_LIMIT


class _Inputs(NamedTuple):
    # The inputs of the functions below, all moved to the device.
    maps: Tensor
    points: Tensor
    centers: Tensor
    offsets: Tensor
    poses: Tensor
    scores: Tensor
    valid: Tensor
    sigmas: Tensor


def _inputs(small: bool) -> _Inputs:
    # B = 3 images, M = 3 parts, K = 17 keypoints, T = 30 or 90 proposals.
    generator = torch.Generator().manual_seed(1)
    side, t, channels = (32, 10, 8) if small else (128, 30, 480)

    def rand(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    people = rand(3, 6, 17, 2) * side
    poses = people[:, torch.arange(3 * t) % 6] + rand(3, 3 * t, 17, 2)
    return _Inputs(
        rand(3, channels, side, side),
        rand(3, 3 * t, 17, 2) * (side + 4) - 2,
        (rand(3, 3 * t, 2) * side).long(),
        rand(3, 3 * 34, side, side),
        poses,
        rand(3, 3 * t, 17),
        rand(3, 3 * t) > 0.2,
        rand(17) * 0.1 + 0.02,
    )


def _parts(given: _Inputs) -> Tensor:
    return given.maps[:, :3].contiguous()


def _targets(given: _Inputs) -> OffsetTargets:
    # Weight and area 1 at some pixels; nobody reads the offsets.
    pixels = (given.maps[:, 3:6] > 0.9).nonzero()
    ones = torch.ones(len(pixels), device=pixels.device)
    return OffsetTargets(pixels, ones[:, None, None], ones[:, None], ones)


def _fused(given: _Inputs, merge: bool | Tensor = True) -> fusion.FusedPoses:
    return fusion.fuse_poses(
        given.poses, given.scores, given.sigmas, None, given.valid, merge=merge
    )


def _weights(given: _Inputs) -> Tensor:
    return scales.weights_of(given.scores, 0.5 + given.scores.flip(-1))


def _oks(given: _Inputs) -> Tensor:
    # With six of the poses as people.
    people = People(given.poses[:, :6], given.scores[:, :6] > 0.3, 900 * given.scores[:, :6, 0])
    return scoring.people_oks(given.poses, people, given.sigmas)


# By name: a function of the inputs, and how far its tensors may be from the CPU's.
_FUNCTIONS: dict[str, tuple[Callable[[_Inputs], object], float]] = {
    'find_peaks': (lambda g: proposals.find_peaks(_parts(g), 30, 0.5), 0),
    'training_centers': (
        lambda g: proposals.training_centers(_parts(g), _targets(g), 40),
        0,
    ),
    'release.training_centers': (
        lambda g: release.training_centers(_parts(g), _targets(g), 40),
        0,
    ),
    'read_offsets': (lambda g: proposals.read_offsets(g.offsets, g.centers, 3), 0),
    'sample_pixels': (lambda g: reading.sample_pixels(g.maps, g.centers), 0),
    'sample_bilinear': (lambda g: reading.sample_bilinear(g.maps, g.points), 1e-4),
    'sample_bilinear, channels last': (
        lambda g: reading.sample_bilinear(
            g.maps.contiguous(memory_format=torch.channels_last), g.points
        ),
        1e-4,
    ),
    'release.sample_stretched': (lambda g: release.sample_stretched(g.maps, g.points), 1e-4),
    'score_keypoints': (
        lambda g: proposals.score_keypoints(g.offsets[:, :17], g.points, g.scores[..., 0]),
        1e-4,
    ),
    'release.score_keypoints': (
        lambda g: release.score_keypoints(g.offsets[:, :17], g.points, g.scores[..., 0], 4),
        1e-4,
    ),
    'pairwise_oks': (lambda g: fusion.pairwise_oks(g.poses, g.sigmas), 1e-5),
    'match_poses': (
        lambda g: fusion.match_poses(
            g.maps[:, 0, : g.valid.shape[1], : g.valid.shape[1]], g.valid, 0.95
        ),
        0,
    ),
    'fuse_poses': (_fused, 1e-4),
    'weights_of': (_weights, 1e-5),
    'fuse_poses, weighted': (lambda g: _fused(g, _weights(g)), 1e-4),
    'score_as_expected': (
        lambda g: scoring.score_as_expected(_fused(g), g.scores[..., 0], g.valid),
        1e-4,
    ),
    'people_oks': (_oks, 1e-5),
    'match_one_to_one': (lambda g: scoring.match_one_to_one(g.maps[:, 0, :, :6]), 0),
    'weigh_by_agreement': (
        lambda g: rescoring.weigh_by_agreement(_fused(g), g.poses, g.valid, g.sigmas, 3),
        1e-4,
    ),
    'scale_inputs': (lambda g: scaling.scale_inputs(g.maps[:, :3], 1.5), 1e-4),
}


def check_functions(place: Place) -> Iterator[Finding]:
    """Compare the tensor functions of proposals, refinement and fusion one by one."""
    given = _inputs(place.small)
    moved = _Inputs(*(values.to(place.device) for values in given))
    for name, (function, limit) in _FUNCTIONS.items():
        with torch.no_grad(), exact_products():
            yield Finding(name, _all_apart(function(moved), function(given)), limit)
    yield from _compare_modules(place, given, moved)
    yield from _compare_rows(place)


def _all_apart(found: object, wanted: object) -> float:
    if found is None and wanted is None:  # what a model may leave out
        return 0.0
    if isinstance(found, Tensor):
        return apart(found, wanted)
    return max(_all_apart(*pair) for pair in zip(found, wanted))


def _compare_modules(place: Place, given: _Inputs, moved: _Inputs) -> Iterator[Finding]:
    sizes = Sizes(128, given.maps.shape[1], 1, 1)
    with torch.no_grad(), exact_products():
        for name, options in (('paper', {}), ('pinet2', dict(uncertainty=True))):
            head = make_head(name, sizes, **options).eval()
            twin = copy.deepcopy(head).to(place.device)
            pairs = (
                each.refinement.refine(g.maps, g.points, g.centers, g.valid)
                for each, g in ((twin, moved), (head, given))
            )
            yield Finding(f'PoseRefinement, {name}', _all_apart(*pairs), POSE_LIMIT, 'px')
        maps, wanted = (each._heatmaps(g.maps) for each, g in ((twin, moved), (head, given)))
        yield Finding('heatmaps', apart(maps, wanted), 1e-4)
        mirror = ViewMirror(head.layout)
        pairs = (
            (each.maps(g.offsets[:, :20]), each.poses(g.poses, 24))
            for each, g in ((copy.deepcopy(mirror).to(place.device), moved), (mirror, given))
        )
        yield Finding('ViewMirror', _all_apart(*pairs), 1e-5)


def _compare_rows(place: Place) -> Iterator[Finding]:
    # Sparse targets and those read of whole maps hold the same rows, in whatever order.
    sizes = Sizes(128, 8, 2, 3)
    areas = []
    for sparse in (False, True):
        samples = make_samples(build_codec('paper', sizes, sparse), 2, 3)
        moved = [sample.to(place.device) for sample in samples]
        targets = losses.gather_targets(moved)
        rows, shape = targets.offsets, targets.part_heatmaps.shape
        areas.append(proposals.draw_pixels(rows.pixels, rows.areas, shape))
    yield Finding('sparse targets as maps', apart(*areas), 0)
