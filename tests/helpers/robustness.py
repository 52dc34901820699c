"""Print what docs/robustness.md shows: how much hostile and broken input is survived.

python -m tests.helpers.robustness --maps 300
"""

import argparse
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pinet_mm import onnx_runner
from pinet_mm.checkpoints import read_checkpoint
from pinet_mm.configs import load_config
from pinet_mm.errors import InputError

import torch
from mmengine.runner import CheckpointLoader

from tests.helpers import random_maps, toys
from tests.helpers.bad_images import bad_images, odd_images


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def refused(call, *args) -> bool:
    """Return whether a call answers with one line for users."""
    try:
        call(*args)
    except ValueError as error:
        return '\n' not in str(error)
    return False


def images() -> Iterator[bool]:
    """Yield for each bad image whether it is refused, for each odd one whether it is read."""
    for name, content in bad_images().items():
        yield refused(onnx_runner.decode_image, content, name)
    for name, content in odd_images().items():
        yield onnx_runner.decode_image(content, name) is not None


def hostile_files(folder: Path) -> Iterator[bool]:
    """Yield whether files that carry code are refused, and the code is not run."""
    place = folder / 'place'
    torch.save(dict(state_dict={}, trap=Trap(place)), folder / 'trap.pth')
    torch.save(Trap(place), folder / 'old.pth', _use_new_zipfile_serialization=False)
    (folder / 'trap.yaml').write_text(f'a: !!python/object/apply:os.mkdir ["{place}"]\n')
    for call in (read_checkpoint, CheckpointLoader.load_checkpoint):
        for name in ('trap.pth', 'old.pth'):
            yield refused(call, str(folder / name)) and not place.exists()
    yield refused(load_config, folder / 'trap.yaml') and not place.exists()


def settings() -> Iterator[bool]:
    """Yield whether wrong numbers of the codec are refused by their names."""
    for name in ('sigma', 'radius', 'background_weight', 'min_area'):
        for value in (math.nan, math.inf, 'x', None, True, [1]):
            try:
                toys.build_codec(**{name: value})
            except InputError as error:
                yield name in str(error)
            else:
                yield False


def main() -> None:
    parser = argparse.ArgumentParser(description='Count what hostile and broken input is survived')
    parser.add_argument('--maps', type=int, default=300, help='random batches to decode')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            'images: bad ones refused in a line, odd ones read': list(images()),
            'files with code: refused, nothing run': list(hostile_files(Path(folder))),
            'wrong numbers of the codec: refused by name': list(settings()),
        }
    print('| what | tried | survived |\n|---|---|---|')
    for name, results in found.items():
        print(f'| {name} | {len(results)} | {sum(results)} |')
    passed, _ = random_maps.soak(args.maps)
    print(f'| random and broken maps: finite, each image as if alone | {args.maps} | {passed} |')


if __name__ == '__main__':
    main()
