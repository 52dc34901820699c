"""The cells of the matrix: a Python, a way to install and a torch, and what is done in each."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PYTHONS = ('3.10', '3.11', '3.12', '3.13', '3.14')
LIGHT, TRAIN = 'light', 'train'
OLDEST, NEWEST = 'oldest', 'newest'

# Fast tests of what each way to install brings; those of `light` run without the shared fixtures.
TESTS = {
    LIGHT: (
        '--noconftest',
        'tests/crowdsynth',
        'tests/datasets/check',
        '--ignore=tests/datasets/check/test_counts.py',
        '--ignore=tests/datasets/check/test_doors.py',
        '--ignore=tests/datasets/check/test_regions.py',
        'tests/cli/test_completion.py',
        'tests/cli/test_convert_data.py',
        'tests/inference/drawing/test_tags.py',
        'tests/inference/sources/test_streams.py',
        'tests/method/test_targets.py',
        'tests/package/test_atomic.py',
    ),
    TRAIN: (
        'tests/environment/test_compat.py',
        'tests/environment/test_packages.py',
        'tests/method',
    ),
}
PHOTO = ROOT / 'docs' / 'comparison.jpg'
CONFIG = 'pinet_mm::pinet_hrnet-slim_crowdsynth_demo.py'


class Cell(NamedTuple):
    """One environment; `torch` is oldest, newest or, for the light runtime, empty."""

    python: str
    door: str
    torch: str = ''

    @property
    def name(self) -> str:
        """Return what the cell is called in the results."""
        return ' '.join(filter(None, self))


def all_cells() -> list[Cell]:
    """Return all cells, the light ones first, for they take a minute."""
    light = [Cell(python, LIGHT) for python in PYTHONS]
    return light + [Cell(python, TRAIN, torch) for torch in (NEWEST, OLDEST) for python in PYTHONS]


def find_python(version: str) -> str | None:
    """Return an interpreter of this version: on the path, of pyenv, or of uv."""
    home = Path.home()
    found = [f'python{version}']
    for pattern in (
        f'.pyenv/versions/{version}.*/bin/python',
        f'.local/share/uv/python/cpython-{version}.*/bin/python',
    ):
        found += sorted(map(str, home.glob(pattern)))
    return next((path for path in found if _version_of(path) == version), None)


def _version_of(python: str) -> str:
    code = 'import sys; print("%d.%d" % sys.version_info[:2])'
    try:
        return subprocess.run([python, '-c', code], capture_output=True, text=True).stdout.strip()
    except OSError:
        return ''


def choose_torch(listed: str, which: str, bound: str) -> str | None:
    """Choose a torch among those that pip lists for a Python.

    Args:
        listed: what `pip index versions torch` prints.
        which: 'oldest' or 'newest'.
        bound: the oldest that the package takes.

    Returns:
        The version; None where there is none.
    """
    line = re.search(r'Available versions: (.*)', listed)
    versions = sorted(_numbers(text) for text in line[1].split(',')) if line else []
    versions = [numbers for numbers in versions if numbers >= _numbers(bound)]
    if not versions:
        return None
    return '.'.join(map(str, versions[0] if which == OLDEST else versions[-1]))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', version))


def read_bound() -> str:
    """Return the oldest torch that setup.cfg takes."""
    return re.search(r'^\s*torch>=(\S+)', (ROOT / 'setup.cfg').read_text(), re.MULTILINE)[1]


def commands_of(
    cell: Cell, bin_folder: Path, wheel: Path, torch: str | None, uv: str | None = None
) -> dict[str, list]:
    """Return the commands of a cell by the name of the step, in their order.

    Args:
        cell: the cell.
        bin_folder: of its environment.
        wheel: of the package.
        torch: the version, None for the light runtime.
        uv: the program that installs in place of pip, for the packages of torch are large.
    """
    python, ours = str(bin_folder / 'python'), str(bin_folder / 'pinet-mm')
    pip = [uv, 'pip', 'install', '--quiet', '--python', python] if uv else []
    pip = pip or [python, '-m', 'pip', 'install', '--quiet']
    tests = [python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *TESTS[cell.door]]
    if cell.door == LIGHT:
        return dict(
            install=[*pip, str(wheel)],
            doctor=[ours, 'doctor'],
            inference=[ours, 'predict', str(PHOTO), '--out', 'poses'],
            test_packages=[*pip, 'pytest'],
            tests=tests,
        )
    draw = 'make-crowdsynth crowd --images 8 --size 128 128 --workers 1 --split'.split()
    return dict(
        install=[*pip, f'{wheel}[train]', f'torch=={torch}'],
        mmpose=[ours, 'install-mmpose'],
        doctor=[ours, 'doctor'],
        inference=[ours, 'infer', str(PHOTO), '--out', 'poses'],
        training_images=[ours, *draw, 'train'],
        training=[ours, 'train', 'one_iteration.py', '--no-validate', '--work-dir', 'run'],
        test_packages=[*pip, 'pytest', 'packaging', 'pytest-xdist'],
        tests=tests,
    )


# What the training of one iteration reads.
ONE_ITERATION = f"""
_base_ = '{CONFIG}'
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=1, val_interval=1000)
param_scheduler = []
train_dataloader = dict(
    batch_size=8, num_workers=0, persistent_workers=False, dataset=dict(data_root='crowd/')
)
"""
