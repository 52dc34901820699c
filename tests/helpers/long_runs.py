"""Predict and train for long with a tiny PINet; how memory and open files grow.

python -m tests.helpers.long_runs --predictions 5000 --iterations 2000
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from mmpose.registry import MODELS

from tests.helpers import counts, toys
from tests.helpers.counts import Count
from tests.helpers.finding import find, noise

SIZES = ((64, 64), (64, 96), (96, 64), (72, 88), (128, 64), (64, 160), (80, 80))  # h, w
# A third of the layers of the toy HRNet, with maps of the same strides.
BACKBONE = dict(type='ResNet', depth=18, stem_channels=8, base_channels=4, out_indices=range(4))
FLAT = 0.5  # MB, or open files, per thousand steps
PAGE = os.sysconf('SC_PAGE_SIZE')


class Growth(NamedTuple):
    """Memory in MB, open files, and how both grow per thousand steps after the first fifth."""

    steps: int
    memory: float
    memory_slope: float
    files: int
    files_slope: float

    def count(self) -> Count:
        """Return the steps; none is survived if memory or open files grow."""
        is_flat = self.memory_slope < FLAT and self.files_slope < FLAT
        so = (
            f'{self.memory_slope:+.2f} MB and {self.files_slope:+.2f} open files per 1000, from '
            f'{self.memory:.0f} MB and {self.files}'
        )
        return Count(self.steps, self.steps * is_flat, so=so)

    def __str__(self) -> str:
        return (
            f'{self.steps} steps: {self.memory:.0f} MB, {self.memory_slope:+.2f} MB per 1000; '
            f'{self.files} open files, {self.files_slope:+.2f} per 1000'
        )


def measured(step: Callable[[int], object], count: int) -> Growth:
    """Do a step so many times; return how memory and open files grew."""
    rows, every = [], max(count // 50, 1)
    for number in range(count):
        step(number)
        if number % every == every - 1:
            gc.collect()
            rows.append((number, resident(), len(os.listdir('/proc/self/fd'))))
            print(*rows[-1], file=sys.stderr)
    numbers, memory, files = np.array(rows[len(rows) // 5 :], float).T
    slope, file_slope = (float(np.polyfit(numbers / 1000, each, 1)[0]) for each in (memory, files))
    return Growth(count, float(memory[-1]), slope, int(files[-1]), file_slope)


def resident() -> float:
    """Return the memory of this process in MB."""
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * PAGE / 1e6


def build_model():
    """Return a narrow PINet."""
    config = toys.model_config('three', dict(max_per_part=4, flip_test=False))
    config['backbone'] = BACKBONE
    torch.manual_seed(0)
    return toys.build_in_mmpose(MODELS, config).eval()


def predictions() -> Callable[[int], object]:
    """Return what predicts the n-th image; sizes are mixed."""
    model = build_model()
    images = [noise(SIZES[i % len(SIZES)], i) for i in range(3 * len(SIZES))]

    def step(number: int) -> None:
        (people,) = find(model, [images[number * 5 % len(images)]])
        assert np.isfinite(people.keypoints).all()

    return step


def iterations() -> Callable[[int], object]:
    """Return what trains on the n-th batch: one to three people, or nobody, in two images."""
    model = build_model().train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    codec = model.head.codec

    def step(number: int) -> None:
        counts = (number % 4, (number // 4) % 3)
        samples = [
            toys.make_sample(codec, toys.people(count, codec.layout.num_keypoints, seed=number + i))
            for i, count in enumerate(counts)
        ]
        images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(number))
        losses = model(images, samples, mode='loss')
        total = sum(value for name, value in losses.items() if name.startswith('loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        assert torch.isfinite(total)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description='Measure how memory and open files grow')
    parser.add_argument('--predictions', type=int, default=5000)
    parser.add_argument('--iterations', type=int, default=2000)
    counts.add_option(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for make in (predictions, iterations):
        name = make.__name__
        if name not in counts.read(args.counts):
            growth = measured(make(), getattr(args, name))
            print(f'{name}: {growth}', flush=True)
            counts.keep(args.counts, **{name: growth.count()})


if __name__ == '__main__':
    main()
