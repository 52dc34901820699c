"""What the check of a large annotation file costs: python -m studies.checking.

Writes a file as large as that of COCO's people of 2017 and runs `pinet-mm data check` on it, in a
process of its own: seconds of CPU, and its peak memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

KEYPOINTS, CORNERS = 17, 24  # of a person and of its polygon
SIDE = 640  # px, of an image
PER_IMAGE = 4
GB = 1e9


class Cost(NamedTuple):
    """What a process took.

    Attributes:
        cpu_s: seconds of CPU, of user and system together.
        peak_gb: its largest resident memory, 10⁹ bytes.
        said: what it printed last.
    """

    cpu_s: float
    peak_gb: float
    said: str


def write_annotations(path: Path, count: int) -> None:
    """Write a valid file in COCO's format.

    Args:
        path: of the file.
        count: how many people it has, four in an image.
    """
    rng = np.random.default_rng(0)
    images = [
        dict(id=i, file_name=f'{i:012}.jpg', width=SIDE, height=SIDE, coco_url='', license=1)
        for i in range(-(-count // PER_IMAGE))
    ]
    names = [f'keypoint {k}' for k in range(KEYPOINTS)]
    category = dict(id=1, name='person', keypoints=names, skeleton=[])
    people = [_person(i, rng) for i in range(count)]
    path.write_text(json.dumps(dict(images=images, annotations=people, categories=[category])))


def _person(number: int, rng: np.random.Generator) -> dict:
    points = rng.integers(0, SIDE, (KEYPOINTS, 3))
    points[:, 2] %= 3
    points[points[:, 2] == 0] = 0
    points[0] = rng.integers(1, SIDE), rng.integers(1, SIDE), 2
    x, y, w, h = rng.uniform(1, SIDE / 2, 4).round(2).tolist()
    return dict(
        id=number,
        image_id=number // PER_IMAGE,
        category_id=1,
        iscrowd=0,
        keypoints=points.ravel().tolist(),
        num_keypoints=int((points[:, 2] > 0).sum()),
        bbox=[x, y, w, h],
        area=0.5 * w * h,
        segmentation=[rng.uniform(0, SIDE, 2 * CORNERS).round(2).tolist()],
    )


def cost_of_check(path: Path, words: Sequence[str] = ()) -> Cost:
    """Return what a check of a file costs; no other child of this process may have been larger.

    Args:
        path: of the file.
        words: further options of `pinet-mm data check`.

    Raises:
        RuntimeError: the file is refused.
    """
    before = _cpu_s()
    command = [sys.executable, '-m', 'pinet_mm.cli', 'data', 'check', str(path), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    unit = 1 if sys.platform == 'darwin' else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / GB
    return Cost(_cpu_s() - before, peak, done.stdout.splitlines()[-1])


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(words: Sequence[str] | None = None) -> None:
    """Write, check, print.

    Args:
        words: of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--people', type=int, default=250_000, help='(%(default)s)')
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'people.json'
        write_annotations(path, args.people)
        cost = cost_of_check(path)
        print(f'{path.stat().st_size / 1e6:.0f} MB; {cost.said}')
    print(f'{cost.cpu_s:.1f} s of CPU, {cost.peak_gb:.2f} GB at most')


if __name__ == '__main__':
    main()
