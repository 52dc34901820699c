"""Predict, train and follow people for long; how memory and open files grow.

python -m tests.helpers.long_runs --predictions 5000 --iterations 2000 --scored 1500 --frames 1500

Predictions and iterations are of a tiny PINet; `scored` and `frames` take the light model that the
package ships, with its score and two scales: in PyTorch on images of mixed sizes, and exported on a
video, with tracking, overlays and journal.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pinet_mm import api, onnx_runner
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.inference.light import predict_files
from pinet_mm.inference.runs.options import InferOptions
from pinet_mm.inference.runs.video_files import VideoWriter
from pinet_mm.inference.tracking import Follower, TrackerSettings
from pinet_mm.method.scoring import score_of
from pinet_mm.onnx_runner import OnnxPoses

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


class Meter:
    """Notes memory and open files after each of so many steps.

    Args:
        count: of the steps.
    """

    def __init__(self, count: int):
        self.count, self.done, self.rows = count, 0, []

    def note(self) -> None:
        """Note that a step is done."""
        self.done += 1
        if self.done % max(self.count // 50, 1) == 0:
            gc.collect()
            self.rows.append((self.done, resident(), len(os.listdir('/proc/self/fd'))))
            print(*self.rows[-1], file=sys.stderr)

    def growth(self) -> Growth:
        """Return how both grew."""
        numbers, memory, files = np.array(self.rows[len(self.rows) // 5 :], float).T
        slopes = [float(np.polyfit(numbers / 1000, each, 1)[0]) for each in (memory, files)]
        return Growth(self.done, float(memory[-1]), slopes[0], int(files[-1]), slopes[1])


def measured(step: Callable[[int], object], count: int) -> Growth:
    """Do a step so many times; return how memory and open files grew."""
    meter = Meter(count)
    for number in range(count):
        step(number)
        meter.note()
    return meter.growth()


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


def mixed(short_side: int) -> list[np.ndarray]:
    """Return drawn crowds of mixed sizes."""
    sizes = [(short_side * w // 64, short_side * h // 64) for h, w in SIZES]
    crowds = [CrowdSettings(size=size, persons=(1, 4)) for size in sizes]
    return [draw_crowd(each, seed=0, index=i)[0] for i, each in enumerate(crowds)]


def scored() -> Callable[[int], object]:
    """Return what predicts the n-th image by the light model: a score, two scales, PyTorch."""
    model, images = api.load(device='cpu', short_side=64), mixed(64)
    assert len(model.test_cfg['scale_factors']) == 2 and score_of(model.head) is not None

    def step(number: int) -> None:
        (result,) = api.predict(model, [images[number % len(images)]])
        assert np.isfinite(result.keypoints).all()

    return step


class Noted(OnnxPoses):
    """The exported light model, with a note after each image."""

    meter: Meter

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        found = super().__call__(image)
        self.meter.note()
        return found


def frames(count: int) -> Growth:
    """Follow the people of a video: tracking, drawings, journal, and the exported model."""
    model = Noted(str(onnx_runner.SHIPPED), threads=1)
    model.resize.update(size=[128, 128])
    model.meter, scene = Meter(count), mixed(64)[0]
    tracker = partial(Follower, TrackerSettings(start=0.05))
    with tempfile.TemporaryDirectory() as folder:
        film = VideoWriter(Path(folder, 'film.mp4'))
        for i in range(count):  # a crowd that goes round and round
            film.write(np.roll(scene, 2 * i, axis=1), i / 25)
        film.close()
        options = InferOptions(all_poses=True, tracker=tracker)
        report = predict_files(model, [film.path], Path(folder, 'out'), 0.05, options)
        found = json.loads(report.json.read_text())['images']
    followed = {person['id'] for image in found for person in image['persons'] if 'id' in person}
    assert report.images == count and followed, (report.images, followed)
    return model.meter.growth()


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
    parser.add_argument('--scored', type=int, default=1500)
    parser.add_argument('--frames', type=int, default=1500)
    counts.add_option(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for make in (predictions, iterations, scored, frames):
        name = make.__name__
        count = getattr(args, name)
        if count and name not in counts.read(args.counts):
            growth = frames(count) if make is frames else measured(make(), count)
            print(f'{name}: {growth}', flush=True)
            counts.keep(args.counts, **{name: growth.count()})


if __name__ == '__main__':
    main()
