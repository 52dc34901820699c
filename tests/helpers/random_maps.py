"""Random, extreme and broken output of a network: decoding must take any, each image for itself.

python -m tests.helpers.random_maps --count 20000 --counts FILE.json

With a file for the counts, it goes on from where that file says it was.
"""

import argparse
from typing import NamedTuple

from pinet_mm.models.decoding import RawMaps, decode
from pinet_mm.models.test_cfg import TestSettings

import torch
from mmpose.registry import MODELS

from tests.helpers import counts, toys
from tests.helpers.counts import Count

SIZES = ((8, 8), (1, 1), (8, 1), (1, 8), (5, 7), (12, 3), (16, 16))
KINDS = (
    'plain',
    'flat',
    'zero',
    'negative',
    'tiny',
    'large',
    'huge',
    'max',
    'nan pixel',
    'nan',
    'inf pixel',
    '-inf',
    'mixed',
)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
CHANNELS = 12
PIECE = 500  # batches, after which the counts are printed


class Case(NamedTuple):
    """A batch: what each image's maps are like, their size, type, and how they are decoded."""

    kinds: tuple[str, ...]
    size: tuple[int, int]
    dtype: torch.dtype
    flip: bool
    refine: bool
    agree: bool
    seed: int


def spoil(values: torch.Tensor, kind: str, generator: torch.Generator) -> torch.Tensor:
    """Return values of a kind, drawn from plain ones."""
    scale = dict(tiny=1e-30, large=1e4, huge=1e20, max=3e38).get(kind)
    if scale:
        return (values * scale).nan_to_num()
    if kind in ('flat', 'zero'):
        return torch.full_like(values, float(kind == 'flat'))
    if kind == 'negative':
        return -values.abs()
    number = dict(nan=torch.nan, inf=torch.inf).get(kind.split()[0])
    if kind.endswith('pixel'):
        place = int(torch.randint(values.numel(), (), generator=generator))
        values.view(-1)[place] = number
    elif kind in ('nan', '-inf'):
        values[:] = torch.nan if kind == 'nan' else -torch.inf
    elif kind == 'mixed':
        odd = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 3e38, -3e38, 1e-45])
        where = torch.rand(values.shape, generator=generator) < 0.3
        drawn = odd[torch.randint(len(odd), values.shape, generator=generator)]
        values = torch.where(where, drawn, values)
    return values


def draw(number: int) -> Case:
    """Return the case of a number."""
    generator = torch.Generator().manual_seed(number)

    def pick(count: int) -> int:
        return int(torch.randint(count, (), generator=generator))

    kinds = tuple(KINDS[pick(len(KINDS))] for _ in range(1 + pick(8)))
    return Case(
        kinds, SIZES[pick(7)], DTYPES[pick(3)], bool(pick(2)), bool(pick(2)), bool(pick(2)), number
    )


def maps_of(case: Case, head) -> RawMaps:
    """Return the maps of all images and views, view by view."""
    generator = torch.Generator().manual_seed(case.seed)
    h, w = case.size
    channels = (CHANNELS, head.layout.num_keypoints + head.layout.num_parts)
    views = []
    for _ in range(1 + case.flip):
        images = []
        for kind in case.kinds:
            pair = (torch.randn(c, h, w, generator=generator) * 0.4 for c in channels)
            images.append([spoil(each, kind, generator) for each in pair])
        views += images
    # Channels last, as a network on a CPU gives them.
    features, heatmaps = (
        torch.stack(each).to(case.dtype).contiguous(memory_format=torch.channels_last)
        for each in zip(*views)
    )
    return RawMaps(features.float(), heatmaps.float())


def alone(maps: RawMaps, index: int, count: int) -> RawMaps:
    """Return the maps of one image of a batch."""
    views = range(index, maps.features.shape[0], count)
    return RawMaps(maps.features[list(views)], maps.heatmaps[list(views)])


def check(head, case: Case) -> str | None:
    """Decode a batch; return what is wrong with it, if anything."""
    settings = TestSettings(
        flip_test=case.flip, use_refinement=case.refine, use_agreement=case.agree, max_per_part=6
    )
    maps, count = maps_of(case, head), len(case.kinds)
    per_map = torch.full((count, 2), 4.0)
    fused, _ = decode(head, [maps], per_map, settings)
    found = head.pack(fused)[0]
    for i, people in enumerate(found):
        if not all(map(finite, (people.keypoints, people.keypoint_scores, people.bbox_scores))):
            return f'{case}: image {i} keeps a pose that is not finite'
        single, _ = decode(head, [alone(maps, i, count)], per_map[:1], settings)
        (own,) = head.pack(single)[0]
        if len(own) != len(people):
            return f'{case}: image {i} has {len(people)} poses in the batch, {len(own)} alone'
        same = close(people.keypoints, own.keypoints, 1e-5)
        if not (same and close(people.bbox_scores, own.bbox_scores, 1e-3)):
            return f'{case}: image {i} has other poses in the batch'
    return None


def finite(values) -> bool:
    return bool(torch.as_tensor(values).isfinite().all())


def close(one, other, share: float) -> bool:
    """Return whether numbers differ by no more than a share of the largest.

    A matrix product of another batch size adds up in another order, and its sums of large numbers
    lose the digits of small ones. Agreement is made of exp(-d² / ...), whose exponent, up to 88,
    multiplies the rounding of d.
    """
    one, other = torch.as_tensor(one).double(), torch.as_tensor(other).double()
    return not one.numel() or bool((one - other).abs().max() <= share * (1 + one.abs().max()))


def build_head(convention: str = 'paper'):
    """Build a head of a convention, in evaluation mode."""
    config = toys.head_config(channels=CHANNELS)
    return toys.scramble(
        MODELS.build(dict(config, decoder=toys.codec_config(convention=convention)))
    ).eval()


@torch.no_grad()
def soak(count: int, first: int = 0, convention: str = 'paper') -> tuple[int, list[str]]:
    """Return how many of the cases from a number on went well, and what is wrong with others."""
    head = build_head(convention)
    problems = []
    for number in range(first, first + count):
        try:
            problem = check(head, draw(number))
        except Exception as error:
            problem = f'{draw(number)}: {type(error).__name__}: {str(error).splitlines()[0]}'
        if problem:
            problems.append(problem)
    return count - len(problems), problems


def main() -> None:
    parser = argparse.ArgumentParser(description='Decode random and broken maps')
    parser.add_argument('--count', type=int, default=20000)
    parser.add_argument('--first', type=int, default=0)
    counts.add_option(parser)
    args = parser.parse_args()
    done = counts.read(args.counts).get('maps', Count(0, 0, '0 images'))
    while done.tried < args.count:
        done = one_piece(done, args.first + done.tried, min(PIECE, args.count - done.tried))
        counts.keep(args.counts, maps=done)
    print(f'{done.survived} of {done.tried} batches ({done.of}) as they should')


def one_piece(done: Count, first: int, count: int) -> Count:
    """Try more batches and print what is wrong with them; return the counts with these."""
    good, problems = soak(count, first)
    images = int(done.of.split()[0]) + sum(
        len(draw(number).kinds) for number in range(first, first + count)
    )
    print('\n'.join(problems), end='\n' if problems else '', flush=True)
    return Count(done.tried + count, done.survived + good, f'{images} images')


if __name__ == '__main__':
    main()
