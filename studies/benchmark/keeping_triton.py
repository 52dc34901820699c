"""Greedy matching as one Triton kernel: importing it needs Triton, running it a GPU."""

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _keep(match, kept, poses, COLUMNS: tl.constexpr):
    # A program takes an image, and its poses from the best to the worst.
    image, column = tl.program_id(0), tl.arange(0, COLUMNS)
    there = column < poses
    now = tl.load(kept + image * poses + column, there, other=0)
    for row in range(poses - 1):
        matched = tl.load(match + (image * poses + row) * poses + column, there, other=0)
        is_kept = tl.sum(tl.where(column == row, now, 0))
        now = tl.where(is_kept * matched > 0, 0, now)
    tl.store(kept + image * poses + column, now, there)


def keep(match: Tensor, valid: Tensor) -> Tensor:
    """Return which poses are kept: (B, T) float.

    Args:
        match: (B, T, T) float, 1 where a pose matches a worse one, else 0.
        valid: (B, T) float.
    """
    kept, poses = valid.clone(memory_format=torch.contiguous_format), valid.shape[1]
    columns = triton.next_power_of_2(poses)
    # One warp for an image: its threads exchange sums without memory.
    _keep[(len(valid),)](match.contiguous(), kept, poses, COLUMNS=columns, num_warps=1)
    return kept
