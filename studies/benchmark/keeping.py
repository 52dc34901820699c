"""Ways to compute which poses greedy matching keeps, and how long each takes.

A pose is kept unless a kept, better one matches it. Shape shorthand: B images, T poses from the
best to the worst.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pinet_mm.method.fusion import keep_in_rounds

import torch
import torch.nn.functional as F
from torch import Tensor

from .gpu_timing import device_time
from .graphs import GraphedFinder

BLOCK = 9  # poses; of a block all 2⁹ outcomes are weighed at once


def keep_by_triton(match: Tensor, valid: Tensor) -> Tensor:
    """Return which poses are kept, by one kernel, see `keep_in_blocks`; needs Triton and a GPU."""
    from . import keeping_triton

    return keeping_triton.keep(match, valid)


def keep_in_blocks(match: Tensor, valid: Tensor) -> Tensor:
    """Return which poses are kept, nine at a time.

    A subset of a block is what is kept if each of the block's poses is in it just when no better
    block and no member of the subset takes it. There is one such subset.

    Args:
        match: (B, T, T) float, 1 where a pose matches a worse one, else 0.
        valid: (B, T) float.

    Returns:
        (B, T) float.
    """
    more = -match.shape[-1] % BLOCK
    match, padded = F.pad(match, (0, more, 0, more)), F.pad(valid, (0, more))[:, None]
    subsets = _subsets(valid)
    own = match.unflatten(1, (-1, BLOCK)).unflatten(3, (-1, BLOCK)).diagonal(dim1=1, dim2=3)
    free = (1 - subsets @ own.permute(0, 3, 1, 2)).relu_()  # (B, T/9, 2⁹, 9)
    # How many poses of a block differ: the sum of S + v · free · (1 - 2S).
    weights, sizes = free * (1 - 2 * subsets), subsets.sum(dim=-1)[:, None]
    kept = torch.zeros_like(padded)
    for index, start in enumerate(range(0, padded.shape[-1], BLOCK)):
        block = slice(start, start + BLOCK)
        left = torch.baddbmm(padded[..., block], kept, match[..., block], alpha=-1).relu_()
        wrong = torch.baddbmm(sizes, weights[:, index], left.mT)[..., 0]
        kept[:, 0, block] = subsets[wrong.argmin(dim=-1)]
    return kept[:, 0, : valid.shape[1]]


def _subsets(like: Tensor) -> Tensor:
    # (2⁹, 9) of 0 and 1.
    bits = torch.arange(BLOCK, device=like.device)
    return (torch.arange(2**BLOCK, device=like.device)[:, None] >> bits & 1).to(like.dtype)


def draw_matches(batch: int, poses: int, device: str) -> tuple[Tensor, Tensor]:
    """Draw matches (B, T, T) and valid poses (B, T), of which each takes a few others.

    Args:
        batch: B.
        poses: T.
        device: where.
    """
    generator = torch.Generator().manual_seed(batch)
    match = (torch.rand(batch, poses, poses, generator=generator) < 0.1).float().triu(1)
    valid = (torch.rand(batch, poses, generator=generator) < 0.9).float()
    return match.to(device), valid.to(device)


WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'rounds': keep_in_rounds,
    'blocks': keep_in_blocks,
    'Triton': keep_by_triton,
}


def keeping_rows(
    way: str, device: str, batches: Sequence[int], seconds: float, poses: int = 90
) -> Iterator[dict[str, object]]:
    """Measure a way.

    Args:
        way: a key of `WAYS`.
        device: where.
        batches: how many images.
        seconds: that the measured calls of a row take about.
        poses: T.

    Yields:
        Way, batch, poses, whether the result is that of the package's rounds, mode, and ms.
    """
    for batch in batches:
        match, valid = draw_matches(batch, poses, device)
        is_equal = torch.equal(WAYS[way](match, valid), keep_in_rounds(match, valid))
        row = dict(way=way, batch=batch, poses=poses, equal=is_equal)
        keep = partial(WAYS[way], match, valid)
        yield {**row, 'mode': 'eager', 'ms': device_time(keep, device, seconds)}
        if torch.device(device).type == 'cuda':
            # Without the copies of new inputs into the graph's.
            replay = GraphedFinder(WAYS[way], match, valid).graph.replay
            yield {**row, 'mode': 'CUDA graph', 'ms': device_time(replay, device, seconds)}
