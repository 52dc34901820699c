"""Facts for the doctor: faults of an environment that importing a package does not show.

A fact is one word, such as 'yes', or a fault: 'no' or 'two', with the reason behind a colon.
"""

import re
import shutil
import subprocess
import sys
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from importlib.util import module_from_spec
from pathlib import Path

from . import packages

DRIVER = Path('/proc/driver/nvidia/version')
OPENCV = tuple(
    f'opencv-{kind}'
    for kind in ('python', 'python-headless', 'contrib-python', 'contrib-python-headless')
)


# --- the GPU -------------------------------------------------------------------------------------


def has_cuda() -> str:
    """Return the name of the GPU, or 'no', with the reason where a driver stands beside it."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    driver = find_driver()
    if driver is None:
        return 'no'
    if torch.version.cuda is None:
        return f'no: torch is a CPU build beside the NVIDIA driver {driver}'
    return (
        f'no: torch is built for CUDA {torch.version.cuda}, which the NVIDIA driver {driver} does '
        'not support: update it, or install an older torch'
    )


def find_driver() -> str | None:
    """Return the version of the NVIDIA driver, None without one."""
    try:
        found = re.search(r'Kernel Module\D*([\d.]+)', DRIVER.read_text())
    except OSError:
        return 'installed' if shutil.which('nvidia-smi') else None
    return found[1] if found else 'installed'


# --- compiled parts ------------------------------------------------------------------------------


def has_torchvision_operators() -> str:
    """Return 'yes' if torchvision's compiled part has loaded, else 'no'."""
    from torchvision.extension import _has_ops

    return 'yes' if _has_ops() else 'no'


def has_mmcv_operators() -> str:
    """Return 'yes' if mmcv has its compiled operators, else 'no'."""
    return 'yes' if packages.mmcv_has_operators() else 'no'


def fits_xtcocotools() -> str:
    """Return 'yes' if xtcocotools was built for this numpy, 'no: ' and why not, or 'absent'."""
    folder = PathFinder.find_spec('xtcocotools', _without_stand_ins())
    places = folder.submodule_search_locations if folder else None
    spec = PathFinder.find_spec('xtcocotools._mask', places) if places else None
    if spec is None or spec.loader is None:
        return 'absent'
    try:
        spec.loader.exec_module(module_from_spec(spec))
    except (ImportError, ValueError) as error:
        return f'no: {_in_short(str(error))}'
    return 'yes'


def _in_short(error: str) -> str:
    if 'numpy.dtype size changed' in error:
        return 'built for another numpy'
    return error.partition('\n')[0]


def _without_stand_ins() -> list[str]:
    return [path for path in sys.path if path != str(packages.STAND_INS)]


# --- twins ---------------------------------------------------------------------------------------


def count_opencvs() -> str:
    """Return 'one', or 'two: ' and which distributions write into the same folder `cv2`."""
    found = []
    for name in OPENCV:
        try:
            found.append(f'{name} {version(name)}')
        except PackageNotFoundError:
            continue
    return f'two: {" and ".join(found)}' if len(found) > 1 else 'one'


def find_mmposes() -> str:
    """Return 'one', or 'two: ' and the folders of several MMPoses, that in use first."""
    found = []
    for path in _without_stand_ins():
        spec = PathFinder.find_spec('mmpose', [path or '.'])
        if spec and spec.origin and spec.origin not in found:
            found.append(spec.origin)
    folders = [str(Path(origin).parent) for origin in found]
    return f'two: {" hides ".join(folders)}' if len(folders) > 1 else 'one'


def imports_alone() -> str:
    """Return 'yes' if a script may import MMPose before `pinet_mm`, else 'no: ' and its error."""
    words = [sys.executable, '-W', 'ignore', '-c', 'from mmpose.apis import init_model']
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode == 0:
        return 'yes'
    errors = re.findall(r'^\w*(?:Error|Exception)\b.*', done.stderr, re.MULTILINE)
    reason = _in_short(errors[0]) if errors else f'it ended with status {done.returncode}'
    return f'no: {reason}'


def has_pkg_resources() -> str:
    """Return 'yes' if setuptools has `pkg_resources`, which mim imports, else 'no'."""
    return 'yes' if PathFinder.find_spec('pkg_resources', _without_stand_ins()) else 'no'


# Name, what finds it, what to do where it finds a fault.
LIGHT_FACTS = (
    ('OpenCV', count_opencvs, 'they overwrite each other: uninstall both, then install one'),
)
FACTS = (
    *LIGHT_FACTS,
    ('CUDA', has_cuda, 'PINet runs on the CPU as well'),
    ("torchvision's compiled part", has_torchvision_operators, 'PINet does without'),
    ("mmcv's compiled operators", has_mmcv_operators, 'PINet does without'),
    ('xtcocotools fits numpy', fits_xtcocotools, 'pycocotools decodes masks in its place'),
    ('MMPose', find_mmposes, 'remove one, or its folder from PYTHONPATH'),
    ('MMPose without pinet_mm', imports_alone, 'import pinet_mm first, as configs do'),
    (
        'pkg_resources for mim',
        has_pkg_resources,
        'PINet does without; for mim: pip install "setuptools<82"',
    ),
)
